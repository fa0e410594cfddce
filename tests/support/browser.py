"""Chromium without a screen, and what it shows."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

EXPECTED_MILLISECONDS = 60_000
PICTURES = Path(__file__).parents[2] / "build/screenshots"
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the Debian package's Chromium."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    expect.set_options(timeout=EXPECTED_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(SWITCHES))
        yield browser
        browser.close()


def picture(page: Page, name: str, *, whole: bool = True) -> Path:
    """Write what the page shows to build/screenshots, for people to look at."""
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path, full_page=whole)
    return path


def accessibility_violations(page: Page) -> list[str]:
    """Return what axe finds wrong, of any severity, with the places."""
    # The page's own policy forbids scripts: axe comes in by the debugger, as an extension would.
    session = page.context.new_cdp_session(page)
    world = session.send(
        "Page.createIsolatedWorld",
        {"frameId": session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]},
    )
    context = world["executionContextId"]
    session.send("Runtime.evaluate", {"expression": AXE, "contextId": context})
    found: dict[str, Any] = session.send(
        "Runtime.evaluate",
        {
            "expression": "axe.run().then(r => JSON.stringify(r.violations))",
            "contextId": context,
            "awaitPromise": True,
        },
    )
    return [
        f"{each['impact']} {each['id']}: {[node['html'][:120] for node in each['nodes']]}"
        for each in json.loads(found["result"]["value"])
    ]
