import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st
from weather_webapp.geocoding import find_bundled
from weather_webapp.params import LANGUAGES
from weather_webapp.regions import country_name, fold, resolve
from weather_webapp.settings import Language

NO_COUNTRIES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}


@pytest.mark.parametrize(
    ("city", "country"),
    [
        ("London, UK", "GB"),
        ("London, England", "GB"),
        ("New York, NY", "US"),
        ("Washington, DC", "US"),
        ("Washington, DC, USA", "US"),
        ("Munich, Germany", "DE"),
        ("München, Deutschland", "DE"),
        ("munich, allemagne", "DE"),
        ("\u0130stanbul", "TR"),
        ("Zurich", "CH"),
        ("Sao Paulo", "BR"),
        ("Lon\u200ddon", "GB"),
        ("Paris, FR", "FR"),
    ],
)
def test_a_bundled_city_is_found_with_its_region(city: str, country: str) -> None:
    place = find_bundled(city)
    assert place
    assert place.country == country


@pytest.mark.parametrize("city", ["London, Ontario", "Paris, Texas", "New York, CA", "Munich, ND"])
def test_a_bundled_city_is_not_taken_for_one_elsewhere(city: str) -> None:
    assert find_bundled(city) is None


def test_a_code_may_be_a_country_and_a_state() -> None:
    region = resolve("MA")
    assert region.contains("MA")
    assert region.contains("US", "Massachusetts")
    assert not region.contains("US", "Maine")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_country_has_the_name_that_babel_has(language: Language) -> None:
    territories = {str(c): str(name) for c, name in Locale.parse(language).territories.items()}
    for code in [code for code in territories if len(code) == 2 and code not in NO_COUNTRIES]:
        assert country_name(code, language) == territories[code]
        assert resolve(territories[code]).country == code


def test_what_is_no_country_is_its_own_name() -> None:
    assert country_name("ZZ", "en") == "ZZ"


@given(st.text())
def test_folding_is_stable(name: str) -> None:
    assert fold(fold(name)) == fold(name)
