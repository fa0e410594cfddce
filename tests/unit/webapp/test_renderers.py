"""The pages as HTML: parsed without an error, and sound beyond what a parser sees."""

import re
from collections import Counter
from xml.etree.ElementTree import Element, fromstring

import html5lib
import pytest
from support.browsing import browsing
from weather_webapp.params import LANGUAGES
from weather_webapp.settings import Settings

SETTINGS = Settings(
    provider="sample",
    city="<b>&\"'",
    version="2.0.0",
    colour="green",
    commit="1a2b3c4d5e6f",
    container_id="84d0a04af0491f2b",
    pod="london-1",
    node="node-1",
    base_path="/london",
    fault_latency_ms=1,
    fault_token="x" * 8,
)
PAGES = ["/", "/?city=Pariis&lang=fr", "/?units=imperial", "/nowhere", "/?lang=xx", "/live"]


@pytest.fixture(params=PAGES)
async def page(request: pytest.FixtureRequest) -> str:
    async with browsing(SETTINGS) as client:
        return await (await client.get(f"/london{request.param}")).text()


@pytest.fixture
def tree(page: str) -> Element:
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    document: Element = parser.parse(page)
    return document


def test_it_parses_and_every_name_is_unique_and_every_reference_meets_one(tree: Element) -> None:
    names = Counter(element.get("id") for element in tree.iter() if element.get("id"))
    assert [name for name, count in names.items() if count > 1] == []
    for element in tree.iter():
        for attribute in ("for", "aria-labelledby", "aria-describedby"):
            for name in (element.get(attribute) or "").split():
                assert name in names, f"{element.tag} {attribute}={name}"
        target = element.get("href") or ""
        if target.startswith("#"):
            assert target[1:] in names


def test_elements_stand_where_they_may(tree: Element) -> None:
    parents = {child: parent for parent in tree.iter() for child in parent}
    allowed = {"li": {"ol", "ul", "template"}, "dt": {"div", "dl"}, "dd": {"div", "dl"}}
    for element, parent in parents.items():
        if element.tag in allowed:
            assert parent.tag in allowed[element.tag]
        if parent.tag in ("ol", "ul"):
            assert element.tag == "li"
        if parent.tag == "dl":
            assert element.tag in ("div", "dt", "dd")
        if element.tag == "div" and parent.tag == "dl":
            assert [child.tag for child in element] == ["dt", "dd"]
        if element.tag == "img":
            assert element.get("alt") is not None
        if parent.tag in ("p", "span", "h1", "h2", "b", "a"):
            assert element.tag not in ("p", "div", "ul", "ol", "section", "h1", "h2")


def test_it_has_what_a_reader_needs(tree: Element, page: str) -> None:
    assert page.startswith("<!doctype html>\n")
    assert tree.get("lang") in LANGUAGES
    assert len(tree.findall(".//h1")) == 1
    assert len(tree.findall(".//main")) == 1
    assert tree.findtext(".//title")
    labelled = {label.get("for") for label in tree.iter("label")}
    inside = {form_input for label in tree.iter("label") for form_input in label.iter("input")}
    for form_input in set(tree.iter("input")) - inside:
        assert form_input.get("type") == "hidden" or form_input.get("id") in labelled
    viewport = tree.find(".//meta[@name='viewport']")
    assert viewport is not None
    assert "scal" not in str(viewport.get("content")).replace("initial-scale", "")


def test_nothing_comes_from_elsewhere_and_nothing_leaves_the_base_path(page: str) -> None:
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', page)
    outside = [a for a in addresses if not a.startswith(("/london/", "#"))]
    assert outside == []
    assert " style=" not in page
    assert "javascript:" not in page
    assert len(page.encode()) <= 30_000


@pytest.mark.parametrize("path", ["/badge.svg", "/favicon.svg", "/weather.svg"])
async def test_a_picture_is_sound_xml_with_a_title(path: str) -> None:
    async with browsing(SETTINGS) as client:
        svg = fromstring(await (await client.get(f"/london{path}")).text())  # noqa: S314 - ours
    assert svg.find("{http://www.w3.org/2000/svg}title") is not None
