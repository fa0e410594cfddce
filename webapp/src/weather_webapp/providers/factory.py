"""Which providers are called, in order."""

from collections.abc import Callable, Sequence
from datetime import datetime

from aiohttp import ClientSession

from weather_webapp.metrics import NO_METRICS, UpstreamMetrics
from weather_webapp.providers import Provider
from weather_webapp.providers.api_key import ApiKey
from weather_webapp.providers.open_meteo import OpenMeteo
from weather_webapp.providers.openweathermap import OpenWeatherMap
from weather_webapp.providers.upstream import Upstream
from weather_webapp.settings import Settings


def make_providers(
    settings: Settings,
    session: ClientSession,
    now: Callable[[], datetime],
    metrics: UpstreamMetrics = NO_METRICS,
) -> Sequence[Provider]:
    """Return the providers of these settings; none when all is to be a sample."""
    openweathermap = OpenWeatherMap(
        Upstream(session, "openweathermap", metrics),
        settings.openweather_base_url,
        ApiKey(settings.openweather_api_key, settings.openweather_api_key_file),
        now,
    )
    open_meteo = OpenMeteo(
        Upstream(session, "open-meteo", metrics),
        settings.open_meteo_base_url,
        settings.open_meteo_geocoding_url,
    )
    choices: dict[str, Sequence[Provider]] = {
        "auto": (openweathermap, open_meteo),
        "openweathermap": (openweathermap,),
        "open-meteo": (open_meteo,),
        "sample": (),
    }
    return choices[settings.provider]
