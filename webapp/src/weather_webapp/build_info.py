"""Which build serves this page: version, colour and shape, and where it runs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from weather_webapp.settings import Settings

SHORT_ID_LENGTH = 12
ContainerKind = Literal["container", "pod", "host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours as #RRGGBB and a shape, an SVG path on a 24 by 24 grid with its name.

    The contrast of `ink` on `band`, `light` on white and `dark` on #1B1D21 is at least 4.5.
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


WHITE, BLACK, DARK_CARD = "#FFFFFF", "#000000", "#1B1D21"
TEXT_CONTRAST, EDGE_CONTRAST = 4.5, 3.0


@cache
def palette_for(colour: str) -> Palette:
    """Return the palette of this CSS colour name, the neutral one for a name that is none."""
    if colour in PALETTES:
        return PALETTES[colour]
    band = css_colours().get(colour)
    if band is None:
        return NEUTRAL
    return Palette(
        band=band,
        ink=max(WHITE, BLACK, key=lambda ink: contrast(ink, band)),
        edge=_mixed(band, BLACK, WHITE, EDGE_CONTRAST),
        light=_mixed(band, BLACK, WHITE, TEXT_CONTRAST),
        dark=_mixed(band, WHITE, DARK_CARD, TEXT_CONTRAST),
        shape=NEUTRAL.shape,
        shape_name=NEUTRAL.shape_name,
    )


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21, as WCAG 2.2 defines it."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mixed(colour: str, towards: str, background: str, least: float) -> str:
    """Return the colour with as little of another as gives this contrast to the background."""
    for percent in range(0, 101, 2):
        pairs = zip(_channels(colour), _channels(towards), strict=True)
        mixed = "#" + "".join(f"{a + round((b - a) * percent / 100):02X}" for a, b in pairs)
        if contrast(mixed, background) >= least:
            return mixed
    return towards


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


@cache
def css_colours() -> Mapping[str, str]:
    """Return the colours that CSS names, as #RRGGBB."""
    text = (files("weather_webapp") / "colours.csv").read_text(encoding="utf-8")
    return dict(line.split(",") for line in text.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInfo:
    """The version and where it runs; `container_kind` says what `container` really names."""

    version: str
    colour: str
    commit: str
    container: str
    container_kind: ContainerKind
    pod: str
    namespace: str
    node: str

    @property
    def container_short(self) -> str:
        """A container's ID as short as people know it; any other name whole."""
        is_id = self.container_kind == "container"
        return self.container[:SHORT_ID_LENGTH] if is_id else self.container


def detect_build(
    settings: Settings, *, hostname: str, proc: Path = Path("/proc/self")
) -> BuildInfo:
    """Return the build that runs here; the pod or host stands in for an unknown container."""
    in_pod = settings.in_kubernetes or bool(settings.pod)
    container = settings.container_id or _container_from_cgroup(proc)
    if not container and not in_pod:
        container = _container_from_mountinfo(proc)
    fallback_kind: ContainerKind = "pod" if in_pod else "host"
    return BuildInfo(
        version=settings.version,
        colour=settings.colour,
        commit=settings.commit,
        container=container or settings.pod or hostname,
        container_kind="container" if container else fallback_kind,
        pod=settings.pod or (hostname if in_pod else ""),
        namespace=settings.namespace,
        node=settings.node,
    )


def _container_from_cgroup(proc: Path) -> str:
    ids = re.findall(r"[/-]([0-9a-f]{64})(?:\.scope)?$", _read(proc / "cgroup"), flags=re.M)
    return ids[-1] if ids else ""


def _container_from_mountinfo(proc: Path) -> str:
    # In a pod this path names the sandbox, not the container: callers look here outside pods only.
    match = re.search(r"/containers/([0-9a-f]{64})/hostname ", _read(proc / "mountinfo"))
    return match[1] if match else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
