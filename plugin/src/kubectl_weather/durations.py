"""How long something took or how long ago it was, in the few letters that kubectl uses."""

from datetime import datetime

_UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def age(time: str | None, now: datetime) -> str:
    """Return the time since a moment in RFC 3339, as 12s, 3m, 5h or 2d; empty without one."""
    return short((now - datetime.fromisoformat(time)).total_seconds()) if time else ""


def short(seconds: float) -> str:
    """Return a duration in the largest unit of which it has at least two: 90s, 3m, 26h, 2d."""
    for letter, size in _UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{letter}"
    return f"{max(int(seconds), 0)}s"
