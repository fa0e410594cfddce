import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st
from weather_webapp.params import LANGUAGES
from weather_webapp.regions import country_name, fold, resolve
from weather_webapp.settings import Language

NO_COUNTRIES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}


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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u0130stanbul", "istanbul"),
        ("Łódź", "Lodz"),
        ("Tromsø", "tromso"),
        ("Saint-Étienne", "saint etienne"),
        ("St. John's", "St John\u2019s"),
        ("Lon\u200ddon", "London"),
    ],
)
def test_names_that_differ_by_the_keyboard_alone_are_one(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@given(st.text())
def test_folding_is_stable(name: str) -> None:
    assert fold(fold(name)) == fold(name)
