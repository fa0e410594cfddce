"""Versions of one's own are told apart, and drawn in their colours as on their pages."""

import io
import re

import pytest
from kubectl_weather import colours, printing
from rich.console import Console
from support.kubectl import ROOT
from weather_webapp.build_info import css_colours

PAGE = (ROOT / "plugin/src/kubectl_weather/dashboard/page.js").read_text()


@pytest.fixture(autouse=True)
def nothing_shown_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colours, "_taken", {})


def test_every_colour_of_the_page_is_known() -> None:
    assert colours.css_colours() == css_colours()


def test_own_versions_have_shapes_of_their_own() -> None:
    shown = ["yellow", "green", "red", "blue", "navy", "orchid", "tomato", "teal"]
    shapes = [colours.shape_of(each) for each in shown]
    assert len(set(shapes)) == len(shown)
    assert [colours.shape_of(each) for each in shown] == shapes


def test_a_colour_alone_has_the_same_shape_each_time() -> None:
    first = colours.shape_of("teal")
    colours._taken.clear()
    assert colours.shape_of("teal") == first


def test_the_dashboard_has_as_many_shapes_in_the_same_order() -> None:
    (listed,) = re.findall(r"OTHER_SHAPES = \[(.*?)\];", PAGE, re.S)
    assert listed.count('"') / 2 == len(colours._OTHER_SHAPES)


@pytest.mark.parametrize(
    ("colour", "code"), [("rebeccapurple", "\x1b[1;38;2;102;51;153m"), ("nocolour", "")]
)
def test_a_terminal_shows_a_colour_that_css_names(colour: str, code: str) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=99)
    with console.capture() as captured:
        console.print(printing.line([printing.version_span("8.0.0", colour)]))
    before, words, _ = captured.get().partition(f"{colours.shape_of(colour)} 8.0.0 {colour}")
    assert words
    assert before == code
