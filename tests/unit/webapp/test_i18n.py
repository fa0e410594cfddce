import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from babel.core import get_global
from support.operator import crd_schema
from weather_webapp.errors import Failure
from weather_webapp.i18n import Translations, locale_of
from weather_webapp.params import LANGUAGES
from weather_webapp.weather import Condition

ROOT = Path(__file__).parents[3]


def entries(words: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for section, names in words.items():
        for name, text in names.items():
            yield f"{section}.{name}", [text] if isinstance(text, str) else text


@pytest.fixture(params=LANGUAGES)
def translations(request: pytest.FixtureRequest) -> Translations:
    return Translations(request.param)


def test_every_language_has_the_same_words_with_the_same_values(translations: Translations) -> None:
    english = dict(entries(Translations("en").sections))
    here = dict(entries(translations.sections))
    assert here.keys() == english.keys()
    for key, texts in here.items():
        assert len(texts) == len(english[key]), key
        assert all(texts), key
        values = [sorted(re.findall(r"\{(\w+)\}", text)) for text in texts]
        assert values == [sorted(re.findall(r"\{(\w+)\}", text)) for text in english[key]], key


def test_every_condition_and_failure_has_words(translations: Translations) -> None:
    for condition in Condition:
        assert translations.text(f"condition.{condition}")
    for failure in Failure:
        assert translations.text(f"failure.{failure}", provider="Somebody")


def test_no_word_is_without_use() -> None:
    sources = files("weather_webapp")
    used = "".join(
        Path(str(path)).read_text()
        for path in [*Path(str(sources)).rglob("*.py"), *Path(str(sources / "templates")).iterdir()]
    )
    for key in dict(entries(Translations("en").sections)):
        section, name = key.split(".")
        by_value = {"condition", "fact", "failure", "container", "age", "compass", "day"}
        assert section in by_value or key in used or f'"{name}"' in used, key


def test_there_is_a_catalogue_for_each_language_and_no_other() -> None:
    found = {Path(str(path)).stem for path in (files("weather_webapp") / "catalogues").iterdir()}
    assert found == set(LANGUAGES)


def test_the_api_offers_the_same_languages() -> None:
    spec = crd_schema("WeatherApp")["properties"]["spec"]["properties"]
    assert spec["weather"]["properties"]["language"]["enum"] == list(LANGUAGES)


def test_the_image_keeps_the_locale_of_every_language_and_what_it_builds_on() -> None:
    text = (ROOT / "Dockerfile.webapp").read_text()
    found = re.search(r"-regex '\.\*/\\\((.*)\\\)\\\.dat'", text)
    assert found
    kept = set(found[1].split(r"\|"))
    needed = {"root"}
    for language in LANGUAGES:
        name = str(locale_of(language))
        while name != "root":
            needed.add(name)
            parents = get_global("parent_exceptions")
            name = parents.get(name) or (name.rpartition("_")[0] or "root")
    assert kept == needed
