"""The tables of places are what GeoNames' data make."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from support.kubectl import ROOT
from weather_webapp import bundled_places

PACKAGE = Path(bundled_places.__file__).parent
SOURCES = ROOT / "build/geonames"


@pytest.fixture(scope="module")
def make_places() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_places", ROOT / "webapp/make_places.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_what_make_places_makes(make_places: ModuleType) -> None:
    if not SOURCES.exists():
        pytest.skip("GeoNames' data are not here: make build/geonames takes them from two packages")
    tables = make_places.make_tables(SOURCES)
    for name in ("places", "regions", "suggestions"):
        assert (PACKAGE / f"{name}.tsv").read_text() == getattr(tables, name), "run make places"


def test_other_packages_are_refused(make_places: ModuleType, tmp_path: Path) -> None:
    for name in make_places.HASHES:
        (tmp_path / name).write_bytes(b"another")
    with pytest.raises(ValueError, match="is not the package"):
        make_places.make_tables(tmp_path)
