"""How long ago something was, in the few letters that kubectl uses."""

from datetime import datetime

_UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def age(then: str | None, now: datetime) -> str:
    """Return the time since a time in RFC 3339, as 12s, 3m, 5h or 2d; empty without one."""
    return length((now - datetime.fromisoformat(then)).total_seconds()) if then else ""


def length(seconds: float) -> str:
    """Return a duration in its largest unit that is told with two digits: 90s, 3m, 26h, 2d."""
    for letter, size in _UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{letter}"
    return f"{max(int(seconds), 0)}s"
