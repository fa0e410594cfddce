import pytest
from support.manifests import app_body
from weather_operator.model import Release, WeatherApp
from weather_operator.model.parsing import parse_app


@pytest.fixture
def app() -> WeatherApp:
    """London, with every default."""
    return parse_app(app_body())


@pytest.fixture
def release() -> Release:
    return Release(version="1.0.0", colour="yellow", image="weather:1.0.0")
