from pathlib import Path

import pytest
from weather_webapp.settings import Settings, SettingsError


def test_nothing_set_is_london_in_metric_units() -> None:
    settings = Settings.read({})
    assert (settings.city, settings.units, settings.provider) == ("London", "metric", "auto")
    assert (settings.port, settings.drain_seconds, settings.base_path) == (8080, 5, "")


def test_every_variable_is_read() -> None:
    assert Settings.read(
        {
            "APP_VERSION": "2.0.0",
            "APP_COLOUR": "green",
            "WEATHER_CITY": "São Paulo",
            "WEATHER_PROVIDER": "sample",
            "WEATHER_UNITS": "imperial",
            "WEATHER_LANG": "en",
            "OPENWEATHER_API_KEY": "key",
            "OPENWEATHER_API_KEY_FILE": "/var/run/secrets/weather/api-key",
            "OPENWEATHER_BASE_URL": "http://stand-in:8000/",
            "OPEN_METEO_BASE_URL": "http://stand-in:8001",
            "OPEN_METEO_GEOCODING_URL": "http://stand-in:8002",
            "UPSTREAM_BUDGET_PER_MIN": "12",
            "BASE_PATH": "/london/",
            "PORT": "8081",
            "DRAIN_SECONDS": "0.5",
            "TRUSTED_PROXIES": "192.0.2.0/24, 2001:db8::/32",
            "CONTAINER_ID": "abc",
            "POD_NAME": "london-1",
            "POD_NAMESPACE": "default",
            "NODE_NAME": "node-1",
            "KUBERNETES_SERVICE_HOST": "10.96.0.1",
            "FAULT_LATENCY_MS": "200",
            "FAULT_ERROR_RATE": "0.1",
            "FAULT_STARTUP": "never-ready",
            "FAULT_CRASH_AFTER_SECONDS": "30",
        }
    ) == Settings(
        version="2.0.0",
        colour="green",
        city="São Paulo",
        provider="sample",
        units="imperial",
        language="en",
        openweather_api_key="key",
        openweather_api_key_file=Path("/var/run/secrets/weather/api-key"),
        openweather_base_url="http://stand-in:8000",
        open_meteo_base_url="http://stand-in:8001",
        open_meteo_geocoding_url="http://stand-in:8002",
        upstream_budget_per_minute=12,
        base_path="/london",
        port=8081,
        drain_seconds=0.5,
        trusted_proxies=("192.0.2.0/24", "2001:db8::/32"),
        container_id="abc",
        pod="london-1",
        namespace="default",
        node="node-1",
        in_kubernetes=True,
        fault_latency_ms=200,
        fault_error_rate=0.1,
        fault_startup="never-ready",
        fault_crash_after_seconds=30,
    )


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings.read({"WEATHER_CITY": "", "PORT": "", "BASE_PATH": ""}) == Settings()


@pytest.mark.parametrize(
    ("variable", "text", "advice"),
    [
        ("WEATHER_UNITS", "kelvin", "write one of metric, imperial"),
        ("WEATHER_PROVIDER", "guess", "write one of auto, openweathermap, open-meteo, sample"),
        ("WEATHER_LANG", "en-GB", "write one of en"),
        ("WEATHER_CITY", "a\nb", "write 1 to 80 characters"),
        ("WEATHER_CITY", "x" * 81, "write 1 to 80 characters"),
        ("APP_VERSION", "two", "write a version such as 1.2.3"),
        ("APP_VERSION", "1.2.3-", "write a version such as 1.2.3"),
        ("APP_COLOUR", '"><script>', "write 1 to 20 letters a to z"),
        ("OPENWEATHER_BASE_URL", "file:///etc/passwd", "write an address such as"),
        ("OPEN_METEO_BASE_URL", "api.open-meteo.com", "write an address such as"),
        ("UPSTREAM_BUDGET_PER_MIN", "0", "write a number from 1 to 6000"),
        ("BASE_PATH", "london", "write a path such as /london"),
        ("BASE_PATH", '/"; }', "write a path such as /london"),
        ("TRUSTED_PROXIES", "10.0.0.0/8; }", "write networks such as 10.0.0.0/8"),
        ("APP_VERSION", "\N{ARABIC-INDIC DIGIT ONE}.2.3", "write a version such as 1.2.3"),
        ("WEATHER_CITY", " ", "write 1 to 80 characters"),
        ("WEATHER_CITY", " ,, ", "write 1 to 80 characters"),
        ("WEATHER_CITY", "\N{NO-BREAK SPACE}", "write 1 to 80 characters"),
        ("WEATHER_CITY", "\udcff", "write 1 to 80 characters"),
        ("WEATHER_CITY", "a\x9bb", "write 1 to 80 characters"),
        ("OPENWEATHER_API_KEY", "\udcff", "write the key as text"),
        ("OPEN_METEO_BASE_URL", "http://api:99999", "write an address such as"),
        ("OPEN_METEO_BASE_URL", "http://api:x", "write an address such as"),
        ("OPEN_METEO_BASE_URL", "http://[::1", "write an address such as"),
        ("OPEN_METEO_BASE_URL", "http://a b", "write an address such as"),
        ("OPEN_METEO_BASE_URL", "https://api/?key=1", "write an address such as"),
        ("OPEN_METEO_BASE_URL", "https://api/#part", "write an address such as"),
        ("OPEN_METEO_BASE_URL", "http://\udcff", "write an address such as"),
        ("BASE_PATH", "/..", "write a path such as /london"),
        ("BASE_PATH", "/a/./b", "write a path such as /london"),
        ("BASE_PATH", "/münchen", "write a path such as /london"),
        ("POD_NAME", "a\r\nSet-Cookie: b=c", "characters that can be printed"),
        ("CONTAINER_ID", "\udcff", "characters that can be printed"),
        ("NODE_NAME", "x" * 254, "at most 253 characters"),
        ("PORT", "0", "write a number from 1 to 65535"),
        ("PORT", "http", "write a number from 1 to 65535"),
        ("DRAIN_SECONDS", "nan", "write a number from 0 to 3600"),
        ("FAULT_TOKEN", "short", "write 8 to 200 characters"),
        ("FAULT_TOKEN", "two words", "none of them a space"),
    ],
)
def test_what_cannot_be_used_is_refused_with_advice(variable: str, text: str, advice: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} is ") as raised:
        Settings.read({variable: text})
    assert advice in str(raised.value)


@pytest.mark.parametrize("given", [{"PORT": "9090"}, {"PORT": "81", "METRICS_PORT": "81"}])
def test_one_port_for_both_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="PORT and METRICS_PORT are both"):
        Settings.read(given)


@pytest.mark.parametrize("path", ["/.well-known", "/a..b", "/..a/b.", "/"])
def test_dots_in_a_base_path_are_kept(path: str) -> None:
    assert Settings.read({"BASE_PATH": path}).base_path == path.rstrip("/")


def test_no_secret_is_in_the_representation_nor_in_an_error() -> None:
    there = {"OPENWEATHER_API_KEY": "a-secret", "FAULT_TOKEN": "a-secret"}
    assert "a-secret" not in repr(Settings.read(there))
    with pytest.raises(SettingsError) as raised:
        Settings.read({"FAULT_TOKEN": "a secret token"})
    assert "a secret" not in str(raised.value)


@pytest.mark.parametrize("version", ["1.0.0-rc.1", "10.20.30", "2.0.0-a-b"])
def test_a_version_is_what_a_release_may_be_called(version: str) -> None:
    assert Settings.read({"APP_VERSION": version}).version == version
