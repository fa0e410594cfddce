"""The weather of one place, as every provider's answer is understood."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

ProviderName = Literal["openweathermap", "open-meteo", "sample"]
SourceName = Literal[ProviderName, "snapshot"]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAYS_SHOWN = 5


class Condition(StrEnum):
    """What the sky does; each has its icon and its words in every language."""

    CLEAR = "clear"
    PARTLY_CLOUDY = "partly-cloudy"
    CLOUDY = "cloudy"
    FOG = "fog"
    SMOKE = "smoke"
    DUST = "dust"
    ASH = "ash"
    DRIZZLE = "drizzle"
    RAIN = "rain"
    SLEET = "sleet"
    SNOW = "snow"
    THUNDER = "thunder"
    WIND = "wind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where: the provider's name, an ISO country code or "", degrees north and east."""

    name: str
    country: str = ""
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """The forecast for one moment."""

    at: datetime
    temperature: float
    condition: Condition
    daylight: bool
    precipitation_chance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The forecast for one day of the place's own calendar."""

    on: date
    low: float
    high: float
    condition: Condition
    precipitation_chance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """The weather now and to come, in SI units.

    Temperatures in °C, speeds in m/s, pressure in Pa, visibility in m, precipitation in mm/h,
    directions in degrees from north, shares and chances from 0 to 1, instants in UTC.
    What a provider does not say is None. `utc_offset` is the place's when this was observed, `zone`
    says when its clocks change. A snapshot is the last good answer of a provider that
    gives none now.
    """

    source: SourceName
    place: Place
    utc_offset: timedelta
    zone: ZoneInfo | None = None
    observed_at: datetime
    condition: Condition
    daylight: bool
    temperature: float
    feels_like: float | None = None
    humidity: float | None = None
    pressure: float | None = None
    visibility: float | None = None
    cloud_cover: float | None = None
    precipitation: float | None = None
    wind_speed: float | None = None
    wind_direction: float | None = None
    wind_gust: float | None = None
    sunrise: datetime | None = None
    sunset: datetime | None = None
    hours: tuple[Hour, ...] = ()
    days: tuple[Day, ...] = ()

    def local(self, at: datetime) -> datetime:
        """Return what the place's clocks show at this instant, without a time zone."""
        there = at.astimezone(self.zone) if self.zone else at + self.utc_offset
        return there.replace(tzinfo=None)

    def seen_at(self, now: datetime) -> "Weather":
        """Return this weather with the 24 hours and the five days that are ahead at `now`."""
        ahead = [hour for hour in self.hours if hour.at > now - HOUR]
        today = self.local(now).date()
        return replace(
            self,
            hours=tuple(hour for hour in ahead if hour.at < ahead[0].at + DAY),
            days=tuple(day for day in self.days if day.on >= today)[:DAYS_SHOWN],
        )
