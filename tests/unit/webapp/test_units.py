"""Numbers, days and units as each language writes them."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weather_webapp.i18n import locale_of
from weather_webapp.settings import Language, Units
from weather_webapp.units import NARROW_SPACE, Formatter

LANGUAGES: tuple[Language, ...] = get_args(Language)
formatters = st.builds(
    Formatter, st.sampled_from(get_args(Units)), st.sampled_from(LANGUAGES).map(locale_of)
)


def metric(language: Language) -> Formatter:
    return Formatter("metric", locale_of(language))


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["9.5 km", "0.3 mm/h", "87%", "Sun", "23 Nov", "Sun 09:44"]),
        ("de", ["9,5 km", "0,3 mm/h", "87 %", "So", "23. Nov.", "So., 09:44"]),
        ("fr", ["9,5 km", "0,3 mm/h", "87 %", "dim.", "23 nov.", "dim. 09:44"]),
        ("es", ["9,5 km", "0,3 mm/h", "87 %", "dom", "23 nov", "dom, 9:44"]),
        ("pt", ["9,5 km", "0,3 mm/h", "87%", "dom.", "23 de nov.", "dom., 09:44"]),
        ("it", ["9,5 km", "0,3 mm/h", "87%", "dom", "23 nov", "dom 09:44"]),
        ("pl", ["9,5 km", "0,3 mm/godz.", "87%", "niedz.", "23 lis", "niedz., 09:44"]),
        ("ja", ["9.5 km", "0.3 mm/時間", "87%", "日", "11月23日", "9:44 (日)"]),
    ],
)
def test_each_language_writes_as_its_readers_do(language: Language, expected: list[str]) -> None:
    here, moment = metric(language), datetime(2025, 11, 23, 9, 44, tzinfo=UTC)
    found = [
        *(here.distance(9500), here.rate(0.3), here.percentage(0.87)),
        *(here.weekday(moment.date()), here.day(moment.date()), here.day_and_time(moment)),
    ]
    assert [text.replace(NARROW_SPACE, " ") for text in found] == expected


@pytest.mark.parametrize(
    ("language", "minutes", "expected"),
    [
        ("en", 1, "1 minute ago"),
        ("en", 119, "119 minutes ago"),
        ("en", 120, "2 hours ago"),
        ("en", 48 * 60 - 1, "47 hours ago"),
        ("en", 48 * 60, "2 days ago"),
        ("de", 1, "vor 1 Minute"),
        ("de", 3, "vor 3 Minuten"),
        ("pl", 1, "1 minutę temu"),
        ("pl", 3, "3 minuty temu"),
        ("pl", 5, "5 minut temu"),
        ("pl", 22, "22 minuty temu"),
        ("ja", 3, "3 分前"),
    ],
)
def test_how_long_ago_has_its_plural(language: Language, minutes: int, expected: str) -> None:
    assert metric(language).ago(timedelta(minutes=minutes, seconds=59)) == expected


@given(formatters, st.floats(-90, 60))
def test_a_temperature_is_a_whole_number_with_a_real_minus_and_no_negative_zero(
    here: Formatter, celsius: float
) -> None:
    assert re.fullmatch(r"(\u2212?[1-9]\d*|0)°", here.temperature(celsius))


@given(formatters, st.floats(0, 1e6))
def test_a_measure_is_one_number_and_its_unit_on_one_line(here: Formatter, value: float) -> None:
    for format_value in (here.speed, here.pressure, here.distance, here.rate):
        assert re.fullmatch(r"\d+([.,]\d+)?\u202f\D+", format_value(value))
    assert re.fullmatch(r"\d{1,3}\u202f?%", here.percentage(value / 1e6))


@given(formatters, st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_two_days_of_a_year_never_look_alike(here: Formatter, day: date) -> None:
    assert len({here.day(day + timedelta(days=n)) for n in range(28)}) == 28
    assert len({here.weekday(day + timedelta(days=n)) for n in range(7)}) == 7
