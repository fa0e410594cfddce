"""Invented weather for when no real weather is available; never shown as real."""

import math
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from weather_webapp.providers.days import days_of
from weather_webapp.weather import Condition, Hour, Place, Weather

SKIES = (
    Condition.PARTLY_CLOUDY,
    Condition.CLEAR,
    Condition.CLOUDY,
    Condition.RAIN,
    Condition.DRIZZLE,
    Condition.PARTLY_CLOUDY,
    Condition.FOG,
)
WET = {Condition.RAIN: 0.8, Condition.DRIZZLE: 0.5}


def sample_weather(place: Place, now: datetime) -> Weather:
    """Return this place's invented weather at the hour of `now` (UTC); it is the same for all."""
    return _weather(place, now.replace(minute=0, second=0, microsecond=0))


@lru_cache(maxsize=100)
def _weather(place: Place, at: datetime) -> Weather:
    utc_offset = timedelta(hours=round(place.longitude / 15))
    seed = sha256(place.name.casefold().encode()).digest()
    hours = tuple(_hour(at + timedelta(hours=n), utc_offset, seed) for n in range(5 * 24))
    current = hours[0]
    midnight = (at + utc_offset).replace(hour=0) - utc_offset
    return Weather(
        source="sample",
        place=place,
        utc_offset=utc_offset,
        observed_at=at,
        condition=current.condition,
        daylight=current.daylight,
        temperature=current.temperature,
        feels_like=current.temperature - 2,
        humidity=0.5 + seed[1] / 600,
        pressure=100_000 + seed[2] * 12,
        visibility=10_000 if current.condition is not Condition.FOG else 400,
        cloud_cover=0.1 if current.condition is Condition.CLEAR else 0.7,
        precipitation=WET.get(current.condition, 0.0),
        wind_speed=2 + seed[3] / 40,
        wind_direction=seed[4] * 360 / 256,
        sunrise=midnight + timedelta(hours=6),
        sunset=midnight + timedelta(hours=18),
        hours=hours[:24],
        days=days_of(hours, utc_offset)[:5],
    )


def _hour(at: datetime, utc_offset: timedelta, seed: bytes) -> Hour:
    local = at + utc_offset
    day = local.toordinal()
    condition = SKIES[(day + seed[5] + local.hour // 8) % len(SKIES)]
    drift = 2 * math.sin((day + local.hour / 24 + seed[6]) / 5 * 2 * math.pi)
    swing = 4 * math.sin((local.hour - 9) / 24 * 2 * math.pi)
    return Hour(
        at=at,
        temperature=round(8 + seed[0] % 12 + swing + drift, 1),
        condition=condition,
        daylight=6 <= local.hour < 18,
        precipitation_chance=WET.get(condition, 0.05),
    )
