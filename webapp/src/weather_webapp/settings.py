"""The settings, read from the environment once at start."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

ProviderChoice = Literal["auto", "openweathermap", "open-meteo", "sample"]
Units = Literal["metric", "imperial"]
Language = Literal["en", "de", "fr", "es", "pt", "it", "pl", "ja"]
Startup = Literal["fail", "never-ready"]

# A proxy within the cluster has an address of one of these, a visitor from outside has not.
PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7")

MAX_CITY_LENGTH = 80
MAX_NAME_LENGTH = 253
# Without "." and "..", which no client would send.
_PATH = r"(/(?!\.{1,2}(/|$))[\w.~-]+)*/?"

# Three numbers, and perhaps a pre-release, as a WeatherRelease has it.
_VERSION = r"\d{1,9}\.\d{1,9}\.\d{1,9}(-[0-9A-Za-z]([0-9A-Za-z.-]{0,40}[0-9A-Za-z])?)?"

SECRETS = {"OPENWEATHER_API_KEY", "FAULT_TOKEN"}


class SettingsError(ValueError):
    """An environment variable has an unusable value; the text says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be configured, validated.

    The API key and the token are left out of the representation, so that no log or traceback shows
    them.
    """

    version: str = "0.0.0"
    colour: str = "grey"
    commit: str = ""
    city: str = "London"
    provider: ProviderChoice = "auto"
    units: Units = "metric"
    language: Language = "en"
    openweather_api_key: str = field(default="", repr=False)
    openweather_api_key_file: Path | None = None
    openweather_base_url: str = "https://api.openweathermap.org"
    open_meteo_base_url: str = "https://api.open-meteo.com"
    open_meteo_geocoding_url: str = "https://geocoding-api.open-meteo.com"
    upstream_budget_per_minute: int = 30
    base_path: str = ""
    port: int = 8080
    metrics_port: int = 9090
    drain_seconds: float = 5.0
    trusted_proxies: tuple[str, ...] = PRIVATE_NETWORKS
    container_id: str = ""
    pod: str = ""
    namespace: str = ""
    node: str = ""
    in_kubernetes: bool = False
    fault_latency_ms: float = 0
    fault_error_rate: float = 0
    fault_startup: Startup | Literal[""] = ""
    fault_crash_after_seconds: float = 0
    fault_token: str = field(default="", repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings of this environment; a variable that is empty counts as unset.

        Raises SettingsError.
        """
        values: dict[str, Any] = {}
        for variable, (name, parse) in VARIABLES.items():
            if text := environment.get(variable):
                try:
                    values[name] = parse(text)
                except ValueError as error:
                    shown = "unusable" if variable in SECRETS else repr(text[:80])
                    raise SettingsError(f"{variable} is {shown}: {error}.") from None
        settings = cls(**values)
        if settings.port == settings.metrics_port:
            raise SettingsError(
                f"PORT and METRICS_PORT are both {settings.port}: write two numbers."
            )
        return settings


def _matching(pattern: str, advice: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(advice)
        return text

    return parse


def _city(text: str) -> str:
    # Commas part a city from its region; a lone surrogate is a byte that is not UTF-8.
    is_visible = not any(unicodedata.category(each) in ("Cc", "Cs") for each in text)
    if not is_visible or len(text) > MAX_CITY_LENGTH or not text.replace(",", " ").strip():
        raise ValueError(f"write 1 to {MAX_CITY_LENGTH} characters that can be seen")
    return text


def _printable(text: str) -> str:
    """Return what becomes a header and part of the page."""
    if len(text) > MAX_NAME_LENGTH or not text.isprintable():
        raise ValueError(f"write at most {MAX_NAME_LENGTH} characters that can be printed")
    return text


def _key(text: str) -> str:
    # A wrong key is the provider's to refuse; one that is no text cannot even be sent.
    if any(unicodedata.category(each) == "Cs" for each in text):
        raise ValueError("write the key as text")
    return text.strip()


def _one_of(choices: Any) -> Callable[[str], str]:
    names = get_args(choices)
    return _matching("|".join(names), f"write one of {', '.join(names)}")


def _number(low: float, high: float, kind: type[int] | type[float]) -> Callable[[str], float]:
    advice = f"write a number from {low:g} to {high:g}"

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise ValueError(advice) from None
        if not low <= value <= high:
            raise ValueError(advice)
        return value

    return parse


def _url(text: str) -> str:
    advice = "write an address such as https://api.example"
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise ValueError(advice) from None
    # Paths and a query of our own are put behind it.
    if not is_usable or not text.isprintable() or re.search(r"[\s?#]", text):
        raise ValueError(advice)
    return text.rstrip("/")


def _networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(part.strip())) for part in text.split(","))
    except ValueError:
        raise ValueError("write networks such as 10.0.0.0/8,192.168.0.0/16") from None


VARIABLES: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "APP_VERSION": ("version", _matching(_VERSION, "write a version such as 1.2.3")),
    "APP_COLOUR": ("colour", _matching(r"[a-z]{1,20}", "write 1 to 20 letters a to z")),
    "APP_COMMIT": ("commit", _matching(r"[0-9a-f]{7,40}\+?", "write a commit such as 1a2b3c4d")),
    "WEATHER_CITY": ("city", _city),
    "WEATHER_PROVIDER": ("provider", _one_of(ProviderChoice)),
    "WEATHER_UNITS": ("units", _one_of(Units)),
    "WEATHER_LANG": ("language", _one_of(Language)),
    "OPENWEATHER_API_KEY": ("openweather_api_key", _key),
    "OPENWEATHER_API_KEY_FILE": ("openweather_api_key_file", Path),
    "OPENWEATHER_BASE_URL": ("openweather_base_url", _url),
    "OPEN_METEO_BASE_URL": ("open_meteo_base_url", _url),
    "OPEN_METEO_GEOCODING_URL": ("open_meteo_geocoding_url", _url),
    "UPSTREAM_BUDGET_PER_MIN": ("upstream_budget_per_minute", _number(1, 6000, int)),
    "BASE_PATH": (
        "base_path",
        lambda text: _matching(_PATH, "write a path such as /london")(text).rstrip("/"),
    ),
    "PORT": ("port", _number(1, 65535, int)),
    "METRICS_PORT": ("metrics_port", _number(1, 65535, int)),
    "DRAIN_SECONDS": ("drain_seconds", _number(0, 3600, float)),
    "TRUSTED_PROXIES": ("trusted_proxies", _networks),
    "CONTAINER_ID": ("container_id", _printable),
    "POD_NAME": ("pod", _printable),
    "POD_NAMESPACE": ("namespace", _printable),
    "NODE_NAME": ("node", _printable),
    "KUBERNETES_SERVICE_HOST": ("in_kubernetes", bool),
    "FAULT_LATENCY_MS": ("fault_latency_ms", _number(0, 60_000, float)),
    "FAULT_ERROR_RATE": ("fault_error_rate", _number(0, 1, float)),
    "FAULT_STARTUP": ("fault_startup", _one_of(Startup)),
    "FAULT_CRASH_AFTER_SECONDS": ("fault_crash_after_seconds", _number(0, 86_400, float)),
    "FAULT_TOKEN": (
        "fault_token",
        _matching(r"[!-~]{8,200}", "write 8 to 200 characters, none of them a space"),
    ),
}
