"""The weather for a terminal: plain text of at most 80 columns, ANSI colours by choice."""

import re
from collections.abc import Iterator
from datetime import datetime

from wcwidth import wcswidth, wcwidth

from weather_webapp.build_info import BuildInfo, Palette, palette_for
from weather_webapp.i18n import Translations
from weather_webapp.units import timestamp
from weather_webapp.view import DayView, HourView, WeatherView

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
    build: BuildInfo,
    translations: Translations,
    now: datetime,
    faults: tuple[str, ...],
    *,
    ansi: bool,
) -> str:
    """Return the view as lines: the weather first, the build that serves it last."""
    lines = [
        *_warnings(view, translations, faults),
        *_wrapped(f"{_place(view)}  {view.temperature}{view.unit}  {view.summary}"),
        view.local_time,
        "",
        *_facts(view),
        *_hours(view.hours, translations),
        *_days(view.days, translations),
        "",
        *_wrapped(_credit(view, translations)),
    ]
    return "\n".join([*lines, _served_by(build, translations, now, ansi=ansi), ""])


def _place(view: WeatherView) -> str:
    return f"{view.city}, {view.country}" if view.country else view.city


def _warnings(
    view: WeatherView, translations: Translations, faults: tuple[str, ...]
) -> Iterator[str]:
    if view.warning:
        yield from _wrapped(f"! {view.warning} {view.failure}".rstrip())
    if faults:
        yield from _wrapped(f"! {translations.text('page.faults')} {' '.join(faults)}")


def _facts(view: WeatherView) -> Iterator[str]:
    cells = [f"{name} {value}" for name, value in view.facts]
    for left, right in zip(cells[::2], [*cells[1::2], ""], strict=False):
        yield f"  {_padded(left, 38)}{right}".rstrip()


def _hours(hours: tuple[HourView, ...], translations: Translations) -> Iterator[str]:
    if hours:
        yield from ("", translations.text("page.hours"))
        for row in ("time", "temperature", "chance"):
            if line := "".join(_padded(getattr(hour, row), 9) for hour in hours).rstrip():
                yield f"  {line}"


def _days(days: tuple[DayView, ...], translations: Translations) -> Iterator[str]:
    if days:
        yield from ("", translations.text("page.days"))
        names = [f"{day.name} {day.date_text}" for day in days]
        widths = [
            max(map(display_width, column)) for column in (names, [d.condition for d in days])
        ]
        for day, name in zip(days, names, strict=True):
            span = f"{day.low:>4} \N{HORIZONTAL ELLIPSIS}{day.high:>4}"
            condition = _padded(day.condition, widths[1])
            yield f"  {_padded(name, widths[0])} {span}  {condition}{day.chance:>6}".rstrip()


def _credit(view: WeatherView, translations: Translations) -> str:
    credit = translations.text("source.sample")
    if view.provider:
        observed = translations.text("page.observed", time=view.observed)
        fetched = translations.text("page.fetched", age=view.age)
        credit = f"{view.provider}, {observed}, {fetched}"
    return f"{translations.text('page.data')}: {credit}"


def _served_by(build: BuildInfo, translations: Translations, now: datetime, *, ansi: bool) -> str:
    palette = palette_for(build.colour)
    version = f"{SHAPES[palette.shape_name]} v{build.version} {build.colour}"
    if ansi:
        version = f"{_background(palette)} {version} {RESET}"
    kind = translations.text(f"container.{build.container_kind}")
    return f"{version}  {kind} {build.container_short}  {timestamp(now)}"


def _background(palette: Palette) -> str:
    ink, band = (
        ";".join(str(int(c[i : i + 2], 16)) for i in (1, 3, 5)) for c in (palette.ink, palette.band)
    )
    return f"\x1b[1;38;2;{ink};48;2;{band}m"


def display_width(text: str) -> int:
    """Return how many columns of a terminal the text takes; what moves its cursor takes none."""
    width = wcswidth(text)
    return width if width >= 0 else sum(max(0, wcwidth(character)) for character in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))


def _wrapped(text: str) -> Iterator[str]:
    """Yield lines of at most WIDTH columns, broken between words where that is possible."""
    line = ""
    for word in re.findall(r"\s*\S+", text):
        if line and display_width(line + word) > WIDTH:
            yield line
            line = ""
        line = (line + word) if line else word.lstrip()
        while display_width(line) > WIDTH:
            fits = next(n for n in range(WIDTH, 0, -1) if display_width(line[:n]) <= WIDTH)
            yield line[:fits]
            line = line[fits:]
    if line:
        yield line
