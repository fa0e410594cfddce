import itertools

import pytest
from weather_webapp.palette import NEUTRAL, PALETTES, Palette, palette_of


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""

    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", [*PALETTES.values(), NEUTRAL])
def test_text_can_be_read(palette: Palette) -> None:
    assert contrast(palette.ink, palette.band) >= 4.5
    assert contrast(palette.light, "#FFFFFF") >= 4.5
    assert contrast(palette.dark, "#121212") >= 4.5
    assert contrast(palette.edge, "#FFFFFF") >= 3


def test_no_two_versions_share_a_shape_or_a_colour() -> None:
    for one, other in itertools.combinations([*PALETTES.values(), NEUTRAL], 2):
        assert one.shape_name != other.shape_name
        assert one.shape != other.shape
        assert one.band != other.band


def test_the_three_versions_have_their_colours_and_another_is_neutral() -> None:
    assert palette_of("yellow").shape_name == "triangle"
    assert palette_of("green").shape_name == "circle"
    assert palette_of("red").shape_name == "square"
    assert palette_of("blue") is NEUTRAL
