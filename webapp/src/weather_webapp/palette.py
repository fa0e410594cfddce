"""The colour and the shape by which a person tells versions apart, on a light and a dark page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours as #RRGGBB and a shape, an SVG path on a 24 by 24 grid with its name.

    The contrast of `ink` on `band`, `light` on white and `dark` on #121212 is at least 4.5.
    """

    band: str
    ink: str
    edge: str
    light: str
    dark: str
    shape: str
    shape_name: str


PALETTES = {
    "yellow": Palette(
        band="#FACC15",
        ink="#111111",
        edge="#854D0E",
        light="#854D0E",
        dark="#FACC15",
        shape="M12 2.5 23 21.5H1z",
        shape_name="triangle",
    ),
    "green": Palette(
        band="#00875A",
        ink="#FFFFFF",
        edge="#00875A",
        light="#15803D",
        dark="#4ADE80",
        shape="M12 1.5a10.5 10.5 0 1 1 0 21 10.5 10.5 0 0 1 0-21z",
        shape_name="circle",
    ),
    "red": Palette(
        band="#991B1B",
        ink="#FFFFFF",
        edge="#991B1B",
        light="#B91C1C",
        dark="#F87171",
        shape="M2.5 2.5h19v19h-19z",
        shape_name="square",
    ),
}
NEUTRAL = Palette(
    band="#475569",
    ink="#FFFFFF",
    edge="#475569",
    light="#475569",
    dark="#CBD5E1",
    shape="M12 1 23 12 12 23 1 12z",
    shape_name="diamond",
)


def palette_of(colour: str) -> Palette:
    """Return the palette of this colour, the neutral one for a colour that we do not know."""
    return PALETTES.get(colour, NEUTRAL)
