"""Which providers are asked, in their order."""

from collections.abc import Callable, Sequence
from datetime import datetime

from aiohttp import ClientSession

from weather_webapp.observer import NOBODY, Observer
from weather_webapp.providers import Provider
from weather_webapp.providers.keys import ApiKey
from weather_webapp.providers.open_meteo import OpenMeteo
from weather_webapp.providers.openweathermap import OpenWeatherMap
from weather_webapp.providers.upstream import Upstream
from weather_webapp.settings import Settings


def providers_of(
    settings: Settings,
    session: ClientSession,
    now: Callable[[], datetime],
    observe: Observer = NOBODY,
) -> Sequence[Provider]:
    """Return the providers of these settings; none when all is to be a sample."""
    openweathermap = OpenWeatherMap(
        Upstream(session, "openweathermap", observe),
        settings.openweather_base_url,
        ApiKey(settings.openweather_api_key, settings.openweather_api_key_file),
        now,
    )
    open_meteo = OpenMeteo(
        Upstream(session, "open-meteo", observe),
        settings.open_meteo_base_url,
        settings.open_meteo_geocoding_url,
    )
    chosen: dict[str, Sequence[Provider]] = {
        "auto": (openweathermap, open_meteo),
        "openweathermap": (openweathermap,),
        "open-meteo": (open_meteo,),
        "sample": (),
    }
    return chosen[settings.provider]
