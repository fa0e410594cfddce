"""What the environment decides, read once."""

import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class _Item(NamedTuple):
    """What a list holds: how each is written, and what it is with an example, for a refusal."""

    pattern: str
    description: str


_NAMESPACE = _Item(
    "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
    "the name of a namespace: give for example sites, or nothing for all namespaces",
)
_REGISTRY = _Item(
    r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?",
    "a registry: give for example registry.example:5000, a host without scheme and path",
)


class SettingsError(Exception):
    """A variable of the environment that cannot be used, in a sentence for who set it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this process runs. Durations are in seconds; no namespaces means all of them.

    `max_concurrent_rollouts` is a number, or a percentage of all WeatherApps; 0 sets no bound.
    `prometheus_url` is the server that the queries of analyses go to; empty where there is none.
    """

    namespaces: tuple[str, ...]
    pod_name: str
    pod_namespace: str
    lease_name: str
    http_port: int
    log_level: str
    workers: int
    resync_seconds: int
    refresh_seconds: int
    insecure_registries: tuple[str, ...]
    max_concurrent_rollouts: str
    prometheus_url: str
    prometheus_token_file: str
    prometheus_ca_file: str


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings that the variables give. Raises SettingsError."""
    log_level = (environment.get("LOG_LEVEL") or "INFO").upper()
    if log_level not in LOG_LEVELS:
        raise SettingsError(f"LOG_LEVEL is {log_level!r}: give one of {', '.join(LOG_LEVELS)}")
    return Settings(
        namespaces=_list(environment, "WATCH_NAMESPACES", _NAMESPACE),
        pod_name=environment.get("POD_NAME") or f"{socket.gethostname()}-{secrets.token_hex(4)}",
        pod_namespace=environment.get("POD_NAMESPACE") or "default",
        lease_name=environment.get("LEASE_NAME") or "weather-operator",
        http_port=_number(environment, "HTTP_PORT", default=8080, low=0, high=65535),
        log_level=log_level,
        workers=_number(environment, "WORKERS", default=20, low=1, high=256),
        resync_seconds=_number(environment, "RESYNC_SECONDS", default=600, low=1, high=86400),
        refresh_seconds=_number(environment, "REFRESH_SECONDS", default=600, low=0, high=86400),
        insecure_registries=_list(environment, "INSECURE_REGISTRIES", _REGISTRY),
        max_concurrent_rollouts=_number_or_percentage(
            environment, "MAX_CONCURRENT_ROLLOUTS", default="10%"
        ),
        prometheus_url=_url(environment, "PROMETHEUS_URL"),
        prometheus_token_file=environment.get("PROMETHEUS_TOKEN_FILE", ""),
        prometheus_ca_file=environment.get("PROMETHEUS_CA_FILE", ""),
    )


def _list(environment: Mapping[str, str], name: str, of: _Item) -> tuple[str, ...]:
    """Return the items of a list, parted by commas, each once."""
    given = (each.strip() for each in environment.get(name, "").split(","))
    items = tuple(dict.fromkeys(filter(None, given)))
    for each in items:
        if not re.fullmatch(of.pattern, each):
            raise SettingsError(f"{name}: {each!r} is not {of.description}")
    return items


def _number(environment: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    text = environment.get(name) or str(default)
    if not re.fullmatch("[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise SettingsError(f"{name} is {text!r}: give a whole number from {low} to {high}")
    return int(text)


def _url(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "").strip()
    if text and not (re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", text) and _has_host(text)):
        raise SettingsError(
            f"{name} is {text!r}: give an address such as http://prometheus.monitoring:9090, "
            "without user, query or fragment"
        )
    return text


def _has_host(url: str) -> bool:
    """Tell whether an address can be asked: with a host and, where it names one, a port."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _number_or_percentage(environment: Mapping[str, str], name: str, *, default: str) -> str:
    text = environment.get(name) or default
    if not re.fullmatch("0|[1-9][0-9]{0,4}|([1-9][0-9]?|100)%", text):
        raise SettingsError(
            f"{name} is {text!r}: give a whole number up to 99999, or a percentage from 1% to 100%"
        )
    return text
