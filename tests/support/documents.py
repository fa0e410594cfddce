"""The pages that people read, as the tests see them."""

import re
from collections.abc import Iterator
from pathlib import Path

from support.kubectl import ROOT

_NOT_OURS = {"build", "node_modules"}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.M)


def pages() -> list[Path]:
    """Every page of the repository, and none of what is installed or built in it."""
    return sorted(path for path in ROOT.rglob("*.md") if _is_ours(path.relative_to(ROOT)))


def _is_ours(path: Path) -> bool:
    folders = path.parts[:-1]
    return not any(each.startswith(".") or each in _NOT_OURS for each in folders)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page that are marked as this language."""
    return [text for marked, text in _FENCE.findall(page.read_text()) if marked == language]


def links(page: Path) -> Iterator[str]:
    """Where a page links to, fenced blocks apart."""
    for pair in _LINK.findall(_FENCE.sub("", page.read_text())):
        yield pair[0] or pair[1]


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
