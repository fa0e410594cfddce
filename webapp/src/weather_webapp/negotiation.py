"""Which form and which language an answer has, from the address and what the client says."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TypeVar

Choice = TypeVar("Choice", bound=str)

# What the answers below depend on; NGINX keeps its pages apart by the same headers.
VARY = "Accept, Accept-Encoding, Accept-Language, User-Agent"
TERMINALS = ("curl", "wget", "httpie", "xh", "hurl", "powershell", "lwp-request", "aria2")


class Form(StrEnum):
    """The forms of the weather, by media type; among equals the first is the usual one."""

    HTML = "text/html"
    TEXT = "text/plain"
    JSON = "application/json"
    SVG = "image/svg+xml"


SUFFIXES = {".html": Form.HTML, ".txt": Form.TEXT, ".json": Form.JSON, ".svg": Form.SVG}


def form_of(path: str, accept: str, agent: str) -> Form:
    """Return the form for this client; whoever accepts none of ours gets the usual one.

    A suffix decides, then being below /api/, then the best quality in `Accept`; where that leaves
    several, a terminal gets text and everybody else HTML.
    """
    if form := SUFFIXES.get(PurePosixPath(path).suffix):
        return form
    if "/api/" in path:
        return Form.JSON
    ranges = _qualities(accept)
    usual = [Form.TEXT, *Form] if is_terminal(agent) else list(Form)
    return max(usual, key=lambda form: _quality(form, ranges))


def is_terminal(agent: str) -> bool:
    """Whether this user agent shows plain text to a person."""
    return agent.casefold().startswith(TERMINALS)


def language_of(accept: str, known: Sequence[Choice], usual: Choice) -> Choice:
    """Return the known language that `Accept-Language` likes best, else the usual one."""
    liked = sorted(_qualities(accept).items(), key=lambda item: -item[1])
    for tag, quality in liked:
        primary = tag.partition("-")[0]
        for language in known:
            if quality > 0 and primary == language:
                return language
        if quality > 0 and tag == "*":
            break
    return usual


def accepts_gzip(accept: str) -> bool:
    """Whether `Accept-Encoding` names gzip and does not refuse it."""
    return _qualities(accept).get("gzip", 0) > 0


def _quality(form: Form, ranges: dict[str, float]) -> float:
    for name in (form, f"{form.partition('/')[0]}/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return 0


def _qualities(header: str) -> dict[str, float]:
    """Return the header's items with their quality; what cannot be understood is left out."""
    found = {}
    for item in header.casefold().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        try:
            stated = [float(p[2:]) for p in parameters if p.startswith("q=")]
        except ValueError:
            continue
        if name:
            found[name] = stated[0] if stated else 1.0
    return found
