"""The weather for a terminal: plain text of at most 80 columns, ANSI colours by choice."""

import textwrap
from collections.abc import Iterator
from datetime import datetime

from weather_webapp.catalogue import Catalogue
from weather_webapp.documents import instant
from weather_webapp.forecasts import DayView, HourView
from weather_webapp.identity import Identity
from weather_webapp.palette import Palette
from weather_webapp.views import WeatherView

WIDTH = 80
SHAPES = {
    "triangle": "\N{BLACK UP-POINTING TRIANGLE}",
    "circle": "\N{BLACK CIRCLE}",
    "square": "\N{BLACK SQUARE}",
    "diamond": "\N{BLACK DIAMOND}",
}
RESET = "\x1b[0m"


def weather_text(
    view: WeatherView,
    who: Identity,
    palette: Palette,
    words: Catalogue,
    now: datetime,
    faults: tuple[str, ...],
    *,
    ansi: bool,
) -> str:
    """Return the view as lines: the weather first, who serves it last."""
    lines = [
        *_warnings(view, words, faults),
        *_wrapped(f"{_place(view)}  {view.temperature}{view.unit}  {view.summary}"),
        f"{view.local_time} \N{MIDDLE DOT} {words.text('page.observed', time=view.observed)}",
        "",
        *_facts(view),
        *_hours(view.hours, words),
        *_days(view.days, words),
        "",
        *_wrapped(_credit(view, words)),
    ]
    return "\n".join([*lines, _served_by(who, palette, words, now, ansi=ansi), ""])


def _place(view: WeatherView) -> str:
    return f"{view.city}, {view.country}" if view.country else view.city


def _warnings(view: WeatherView, words: Catalogue, faults: tuple[str, ...]) -> Iterator[str]:
    if view.warning:
        yield from _wrapped(f"! {view.warning} {view.trouble}".rstrip())
    if faults:
        yield from _wrapped(f"! {words.text('page.faults')} {' '.join(faults)}")


def _facts(view: WeatherView) -> Iterator[str]:
    cells = [f"{name} {value}" for name, value in view.facts]
    for left, right in zip(cells[::2], [*cells[1::2], ""], strict=False):
        yield f"  {left:<38}{right}".rstrip()


def _hours(hours: tuple[HourView, ...], words: Catalogue) -> Iterator[str]:
    if hours:
        yield from ("", words.text("page.hours"))
        for row in ("time", "temperature", "chance"):
            yield ("  " + "".join(f"{getattr(hour, row):<9}" for hour in hours)).rstrip()


def _days(days: tuple[DayView, ...], words: Catalogue) -> Iterator[str]:
    if days:
        yield from ("", words.text("page.days"))
        for day in days:
            span = f"{day.low:>4} \N{HORIZONTAL ELLIPSIS}{day.high:>4}"
            yield f"  {day.name:<12}{span}  {day.condition:<16}{day.chance:>6}".rstrip()


def _credit(view: WeatherView, words: Catalogue) -> str:
    credit = words.text("source.sample")
    if view.provider:
        credit = f"{view.provider}, {words.text('page.fetched', age=view.age)}"
    return f"{words.text('page.data')}: {credit}"


def _served_by(
    who: Identity, palette: Palette, words: Catalogue, now: datetime, *, ansi: bool
) -> str:
    version = f"{SHAPES[palette.shape_name]} v{who.version} {who.colour}"
    if ansi:
        version = f"{_background(palette)} {version} {RESET}"
    kind = words.text(f"container.{who.container_kind}")
    return f"{version}  {kind} {who.container_shown}  {instant(now)}"


def _background(palette: Palette) -> str:
    ink, band = (
        ";".join(str(int(c[i : i + 2], 16)) for i in (1, 3, 5)) for c in (palette.ink, palette.band)
    )
    return f"\x1b[1;38;2;{ink};48;2;{band}m"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH)
