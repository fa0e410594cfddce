import pytest
from hypothesis import given
from hypothesis import strategies as st
from weather_webapp.problems import Problem
from weather_webapp.settings import Settings
from weather_webapp.wishes import LONGEST_CITY, Wish, read_city, read_language, read_wish

SETTINGS = Settings(city="London", units="metric", language="en")


def test_nothing_said_is_the_default() -> None:
    wish = read_wish({}, "en", SETTINGS)
    assert wish == Wish(city="London", units="metric", language="en")
    assert wish.query() == ""


def test_what_is_said_is_said_again_by_links() -> None:
    wish = read_wish({"city": " São  Paulo ", "units": "imperial", "n": "1"}, "en", SETTINGS)
    assert (wish.city, wish.units) == ("São Paulo", "imperial")
    assert wish.query() == "?city=S%C3%A3o+Paulo&units=imperial"
    assert wish.query(lang="de", units="") == "?city=S%C3%A3o+Paulo&lang=de"


@pytest.mark.parametrize(
    "text",
    [
        *("x" * (LONGEST_CITY + 1), "x" * 10_000, "Lon\x00don", "Lon\x7fdon", "\u202eLondon"),
        *("Lon\ud800don", "\ufffe", "x " * 200),
    ],
)
def test_a_city_that_cannot_be_one_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        read_city(text)
    assert (refused.value.status, refused.value.key) == (400, "city")


@pytest.mark.parametrize(
    ("text", "city"),
    [
        ("", ""),
        ("  ", ""),
        ("New\t York\n", "New York"),
        ("Zu\u0308rich", "Zürich"),
        ("<b>", "<b>"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
    ],
)
def test_a_city_is_spelled_in_one_way(text: str, city: str) -> None:
    assert read_city(text) == city


def test_units_and_language_that_do_not_exist_are_refused_with_the_choices() -> None:
    with pytest.raises(Problem) as refused:
        read_wish({"units": "kelvin"}, "en", SETTINGS)
    assert refused.value.values == {"choices": "metric, imperial"}
    with pytest.raises(Problem) as refused:
        read_wish({"lang": "xx"}, "en", SETTINGS)
    assert refused.value.values == {"choices": "en, de, fr"}


def test_the_address_decides_the_language_before_the_browser() -> None:
    assert read_language({"lang": "fr"}, "de", "en") == "fr"
    assert read_language({"lang": "xx"}, "de", "en") == "de"
    assert read_language({}, "", "fr") == "fr"


@given(st.text(max_size=500))
def test_a_city_is_a_problem_or_short_and_visible(text: str) -> None:
    try:
        city = read_city(text)
    except Problem:
        return
    assert len(city) <= LONGEST_CITY
    assert read_city(city) == city
