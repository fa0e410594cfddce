import pytest
from hypothesis import given
from hypothesis import strategies as st
from weather_webapp.errors import HttpError
from weather_webapp.params import (
    Form,
    WeatherQuery,
    accepts_gzip,
    negotiate_form,
    negotiate_language,
    parse_city,
    parse_language,
    parse_query,
)
from weather_webapp.settings import MAX_CITY_LENGTH, Settings
from weather_webapp.user_agents import is_terminal

CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Mozilla/5.0 (X11; Linux x86_64) Chrome/150",
)
IMAGE = ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", CHROME[1])


@pytest.mark.parametrize(
    ("path", "accept", "agent", "form"),
    [
        ("/", *CHROME, Form.HTML),
        ("/", *IMAGE, Form.SVG),
        ("/", "*/*", "curl/8.14.1", Form.TEXT),
        ("/", "*/*", "Wget/1.25.0", Form.TEXT),
        ("/", "*/*", "HTTPie/3.2.4", Form.TEXT),
        ("/", "", "", Form.HTML),
        ("/", "*/*", "python-requests/2.32", Form.HTML),
        ("/", "application/json", "curl/8.14.1", Form.JSON),
        ("/", "application/json, */*;q=0.5", "HTTPie/3.2.4", Form.JSON),
        ("/", "text/html;q=0.4, text/plain;q=0.5", "", Form.TEXT),
        ("/", "text/*;q=0.9, application/json;q=0.1", "", Form.HTML),
        ("/", "text/*, text/html;q=0", "", Form.TEXT),
        ("/", "application/pdf", "", Form.HTML),
        ("/weather.json", *CHROME, Form.JSON),
        ("/weather.txt", *CHROME, Form.TEXT),
        ("/weather.svg", "*/*", "curl/8", Form.SVG),
        ("/weather.html", "*/*", "curl/8", Form.HTML),
        ("/london/api/v1/weather", *CHROME, Form.JSON),
        ("/api/nowhere", *CHROME, Form.JSON),
    ],
)
def test_the_form(path: str, accept: str, agent: str, form: Form) -> None:
    assert negotiate_form(path, accept, agent) is form


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("ja,fr;q=0.3,de;q=0.2", "fr"),
        ("en;q=0.1, FR-CA", "fr"),
        ("ja, *;q=0.5", "en"),
        ("fr;q=0, ja", "en"),
        ("*, de;q=0.5", "en"),
    ],
)
def test_the_language(accept: str, language: str) -> None:
    assert negotiate_language(accept, ("en", "de", "fr"), "en") == language


def test_gzip_is_sent_to_who_can_read_it() -> None:
    assert accepts_gzip("gzip, deflate, br")
    assert not accepts_gzip("")
    assert not accepts_gzip("br, gzip;q=0")


@given(st.text(), st.text(), st.text())
def test_whatever_a_client_says_there_is_a_form_and_a_language(
    path: str, accept: str, agent: str
) -> None:
    assert negotiate_form(path, accept, agent) in Form
    assert negotiate_language(accept, ("en", "de"), "en") in ("en", "de")
    assert is_terminal(agent) in (True, False)


@given(st.sampled_from(list(Form)), st.floats(0.001, 1))
def test_what_alone_is_accepted_is_sent(form: Form, quality: float) -> None:
    assert negotiate_form("/", f"{form};q={quality:.3f}", "curl/8") is form


SETTINGS = Settings(city="London", units="metric", language="en")


def test_nothing_said_is_the_default() -> None:
    query = parse_query({}, "en", SETTINGS)
    assert query == WeatherQuery(city="London", units="metric", language="en")
    assert query.url_query() == ""


def test_what_is_said_is_said_again_by_links() -> None:
    query = parse_query({"city": " São  Paulo ", "units": "imperial", "n": "1"}, "en", SETTINGS)
    assert (query.city, query.units) == ("São Paulo", "imperial")
    assert query.url_query() == "?city=S%C3%A3o+Paulo&units=imperial"
    assert query.url_query(lang="de", units="") == "?city=S%C3%A3o+Paulo&lang=de"


@pytest.mark.parametrize(
    "text",
    [
        *("x" * (MAX_CITY_LENGTH + 1), "x" * 10_000, "Lon\x00don", "Lon\x7fdon", "\u202eLondon"),
        *("Lon\ud800don", "\ufffe", "x " * 200),
    ],
)
def test_a_city_that_cannot_be_one_is_refused(text: str) -> None:
    with pytest.raises(HttpError) as refused:
        parse_city(text)
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
    assert parse_city(text) == city


def test_units_and_language_that_do_not_exist_are_refused_with_the_choices() -> None:
    with pytest.raises(HttpError) as refused:
        parse_query({"units": "kelvin"}, "en", SETTINGS)
    assert refused.value.values == {"choices": "metric, imperial"}
    with pytest.raises(HttpError) as refused:
        parse_query({"lang": "xx"}, "en", SETTINGS)
    assert refused.value.values == {"choices": "en, de, fr, es, pt, it, pl, ja"}


def test_the_address_decides_the_language_before_the_browser() -> None:
    assert parse_language({"lang": "fr"}, "de", "en") == "fr"
    assert parse_language({"lang": "xx"}, "de", "en") == "de"
    assert parse_language({}, "", "fr") == "fr"


@given(st.text(max_size=500))
def test_a_city_is_a_problem_or_short_and_visible(text: str) -> None:
    try:
        city = parse_city(text)
    except HttpError:
        return
    assert len(city) <= MAX_CITY_LENGTH
    assert parse_city(city) == city
