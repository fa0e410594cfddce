import pytest
from hypothesis import given
from hypothesis import strategies as st
from weather_webapp.negotiation import Form, accepts_gzip, form_of, is_terminal, language_of

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
    assert form_of(path, accept, agent) is form


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
    assert language_of(accept, ("en", "de", "fr"), "en") == language


def test_gzip_is_sent_to_who_can_read_it() -> None:
    assert accepts_gzip("gzip, deflate, br")
    assert not accepts_gzip("")
    assert not accepts_gzip("br, gzip;q=0")


@given(st.text(), st.text(), st.text())
def test_whatever_a_client_says_there_is_a_form_and_a_language(
    path: str, accept: str, agent: str
) -> None:
    assert form_of(path, accept, agent) in Form
    assert language_of(accept, ("en", "de"), "en") in ("en", "de")
    assert is_terminal(agent) in (True, False)


@given(st.sampled_from(list(Form)), st.floats(0.001, 1))
def test_what_alone_is_accepted_is_sent(form: Form, quality: float) -> None:
    assert form_of("/", f"{form};q={quality:.3f}", "curl/8") is form
