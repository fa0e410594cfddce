"""The page as a person sees it: pictures to look at in build/screenshots, and what axe finds."""

import re
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize
from support import manifests
from support.browser import accessibility_violations, chromium, picture
from support.deadlines import eventually
from support.webapp import Site, ready, running
from weather_webapp.build_info import palette_for
from weather_webapp.params import LANGUAGES

VERSIONS = {**manifests.VERSIONS, "blue": "4.0.0"}
WHO = {"POD_NAME": "london-6c9f7d5b8-x2x4k", "NODE_NAME": "node-1", "APP_COMMIT": "1a2b3c4d5e6f"}

# For each corner of the badge's number whether it is inside the shape, which has its own colour.
NUMBER_IN_SHAPE = """() => {
  const number = document.querySelector("text"), shape = document.querySelector("path");
  const box = shape.getCTM().inverse().multiply(number.getCTM());
  const right = number.getComputedTextLength() / 2, top = 0.73 * number.getAttribute("font-size");
  const x = +number.getAttribute("x"), y = +number.getAttribute("y");
  return [[-right, 0], [right, 0], [-right, -top], [right, -top]].map(
    ([dx, dy]) => shape.isPointInFill(new DOMPoint(x + dx, y + dy).matrixTransform(box)));
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running(APP_VERSION="2.0.0", APP_COLOUR="green", **WHO) as site:
        yield ready(site)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 900, "height": 900})
    yield context
    context.close()


def open_page(context: BrowserContext, site: Site, path: str = "/") -> Page:
    """Open this address; what the browser complains of, or fetches elsewhere, is an error."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    requested: list[str] = []
    page.goto(f"http://127.0.0.1:{site.port}{path}")
    assert [text for text in complaints if "404 (Not Found)" not in text] == []
    assert {url.split("/")[2] for url in requested if not url.startswith("data:")} == {
        f"127.0.0.1:{site.port}"
    }
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("page", "/"),
        ("imperial-french", "/?city=Tokyo&units=imperial&lang=fr"),
        ("404", "/?city=Pariis"),
        ("live", "/live"),
    ],
)
def test_nothing_keeps_anybody_out(
    context: BrowserContext, site: Site, name: str, path: str, scheme: str
) -> None:
    page = open_page(context, site, path)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    picture(page, f"{name}-{scheme}")
    assert accessibility_violations(page) == []


def test_axe_would_find_something(context: BrowserContext, site: Site) -> None:
    page = open_page(context, site)
    page.locator("label").evaluate("label => label.remove()")
    page.locator("html").evaluate("html => html.removeAttribute('lang')")
    assert any("html-has-lang" in each for each in accessibility_violations(page))


@pytest.mark.parametrize("path", ["/", "/?lang=de", "/live", "/?city=Pariis"])
def test_a_small_screen_scrolls_in_one_direction(
    context: BrowserContext, site: Site, path: str
) -> None:
    page = open_page(context, site, path)
    page.set_viewport_size({"width": 320, "height": 640})
    picture(page, f"320px-{re.sub('[^a-z]', '', path)}")
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("width", [320, 900])
def test_the_last_fact_fills_its_row(context: BrowserContext, site: Site, width: int) -> None:
    page = open_page(context, site)
    page.set_viewport_size({"width": width, "height": 640})
    facts = page.locator(".facts div")
    right = "element => element.getBoundingClientRect().right"
    border = page.locator(".facts").evaluate(right)
    assert facts.count() == 7
    while facts.count():
        assert facts.last.evaluate(right) == pytest.approx(border - 1, abs=0.1)
        facts.last.evaluate("fact => fact.remove()")


@pytest.mark.parametrize(("width", "beside"), [(390, False), (900, True), (1100, True)])
def test_the_facts_fill_the_heros_right_half_where_there_is_room(
    context: BrowserContext, site: Site, width: int, beside: bool
) -> None:
    page = open_page(context, site, "/?city=Phoenix&units=imperial")
    page.set_viewport_size({"width": width, "height": 900})
    now, facts, hero = (page.locator(each).bounding_box() for each in (".now", ".facts", ".hero"))
    assert now
    assert facts
    assert hero
    assert (facts["x"] >= now["x"] + now["width"]) is beside
    assert (facts["y"] >= now["y"] + now["height"]) is not beside
    assert facts["y"] + facts["height"] < hero["y"] + hero["height"]
    picture_box = page.locator(".picture").bounding_box()
    assert picture_box
    assert picture_box["x"] + picture_box["width"] <= now["x"] + now["width"] + 1


@pytest.mark.parametrize("width", [390, 900])
def test_an_hour_without_a_chance_has_no_hole(
    context: BrowserContext, site: Site, width: int
) -> None:
    page = open_page(context, site)
    page.set_viewport_size({"width": width, "height": 900})
    gaps = page.locator(".hours li").evaluate_all(
        """hours => hours.map(hour => hour.querySelector(".time").getBoundingClientRect().top
             - hour.querySelector(".icon").getBoundingClientRect().bottom)"""
    )
    assert len(gaps) == 8
    assert max(gaps) < 10


@pytest.mark.parametrize("colour", VERSIONS)
def test_each_version_wears_its_colour(browser: Browser, colour: str) -> None:
    environment = {"APP_VERSION": VERSIONS[colour], "APP_COLOUR": colour, **WHO}
    with running(**environment) as site, browser.new_context() as context:
        ready(site)
        page = open_page(context, site)
        page.set_viewport_size({"width": 900, "height": 420})
        assert f"v{VERSIONS[colour]} {colour}" in page.locator(".band").inner_text()
        picture(page, f"colour-{colour}", whole=False)
        assert accessibility_violations(page) == []
        badge = open_page(context, site, "/badge.svg")
        assert badge.evaluate(NUMBER_IN_SHAPE) == [True] * 4


def test_a_city_is_found_by_keyboard_alone(context: BrowserContext, site: Site) -> None:
    page = open_page(context, site)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("Tokyo")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?city=Tokyo")
    assert page.locator("h1").inner_text().startswith("Tokyo")


def test_all_works_without_script(browser: Browser, site: Site) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = open_page(context, site, "/live")
        assert page.locator(".tiles img").count() == 48
        eventually(lambda: site_badges(site) >= 48)


def site_badges(site: Site) -> int:
    return sum("badge.svg" in line.get("path", "") for line in site.lines())


def rgb(colour: str) -> str:
    return "rgb({}, {}, {})".format(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1100])
@pytest.mark.parametrize("colour", [*VERSIONS, "rebeccapurple", "lightgoldenrodyellow"])
def test_the_versions_colour_fills_head_and_hero(
    browser: Browser, colour: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    environment = {"APP_VERSION": VERSIONS.get(colour, "5.0.0"), "APP_COLOUR": colour, **WHO}
    viewport: ViewportSize = {"width": width, "height": 900}
    with running(**environment) as site, browser.new_context(viewport=viewport) as context:
        page = open_page(context, ready(site))
        page.emulate_media(color_scheme=scheme)
        picture(page, f"colour-{colour}-{width}-{scheme}")
        palette = palette_for(colour)
        for part in (".band", ".hero"):
            style = "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
            found = page.locator(part).evaluate(style)
            assert found == [rgb(palette.band), rgb(palette.ink)]
        bottom = page.locator(".hero").evaluate("e => e.getBoundingClientRect().bottom")
        assert bottom > 300
        assert accessibility_violations(page) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_of_the_hours_and_days_is_cut_on_a_phone(
    context: BrowserContext, site: Site, language: str
) -> None:
    page = open_page(context, site, f"/?lang={language}")
    page.set_viewport_size({"width": 360, "height": 740})
    picture(page, f"360px-{language}")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert accessibility_violations(page) == []
    cut = """() => [...document.querySelectorAll(".hours li, .days li > *")].filter(
      e => e.getBoundingClientRect().right > innerWidth || e.scrollWidth > e.clientWidth + 1
    ).map(e => e.outerHTML)"""
    assert page.locator(".hours li").count() == 8
    assert page.evaluate("document.querySelector('.scroll').scrollWidth") <= 360
    assert [
        each for each in page.evaluate(cut) if "hidden" not in each and "<svg" not in each
    ] == []


def test_units_are_switched_beside_the_number(context: BrowserContext, site: Site) -> None:
    page = open_page(context, site, "/?lang=de")
    page.locator(".switch a").click()
    page.wait_for_url("**/?lang=de&units=imperial")
    assert page.locator(".switch b").inner_text() == "°F"
    assert "°F" in page.locator(".legend").first.inner_text()
