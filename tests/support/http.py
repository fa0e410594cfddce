"""Pages of real servers, over a new connection each."""

import json
from typing import Any
from urllib.request import urlopen


def fetch(url: str) -> str:
    """The text at this address; AssertionError while nobody serves it."""
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310 - a test's own server
            return str(answer.read(), "utf-8").strip()
    except OSError as error:
        raise AssertionError(f"{url}: {error}") from error


def api_info(site: str) -> Any:
    """What a WeatherApp's site at this address says of itself and its pod."""
    return json.loads(fetch(f"{site}api/info"))
