"""Whatever a client sends is answered in words or refused in words, and never unescaped."""

from urllib.parse import quote

import yarl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.browsing import browsing
from weather_webapp.settings import Settings

SETTINGS = Settings(provider="sample", version="2.0.0", colour="green")
PATHS = ["/", "/weather.txt", "/weather.svg", "/api/v1/weather", "/live", "/badge.svg", "/x"]
MARK = "<script>alert(1)</script>"

values = st.one_of(
    st.text(max_size=100),
    st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")),
    st.sampled_from(["en", "metric", MARK, "../../etc/passwd", "\x00", "\ud800", "x" * 1500]),
)
names = st.one_of(st.sampled_from(["city", "units", "lang", "ansi", "n"]), st.text(max_size=5))
header = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80
)
requests = st.tuples(
    st.sampled_from(PATHS),
    st.lists(st.tuples(names, values), max_size=4),
    st.fixed_dictionaries(
        {},
        optional={
            "Accept": header,
            "Accept-Language": header,
            "Accept-Encoding": header,
            "User-Agent": header,
            "traceparent": header,
        },
    ),
)


def address(path: str, query: list[tuple[str, str]]) -> yarl.URL:
    pairs = "&".join(
        f"{quote(name, errors='surrogatepass')}={quote(value, errors='surrogatepass')}"
        for name, value in query
    )
    return yarl.URL(f"{path}?{pairs}", encoded=True)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(requests, min_size=10, max_size=10))
async def test_never_a_500_and_never_an_echo(
    asked: list[tuple[str, list[tuple[str, str]], dict[str, str]]],
) -> None:
    async with browsing(SETTINGS) as client:
        for path, query, headers in asked:
            answer = await client.get(address(path, query), headers=headers)
            body = await answer.read()
            assert answer.status in (200, 400, 404), (path, query, headers)
            if answer.content_type in ("text/html", "image/svg+xml"):
                assert MARK.encode() not in body
            assert answer.headers["X-App-Version"] == "2.0.0"
