"""The live view of a site on a real node, watched in a browser while the operator upgrades it."""

from itertools import pairwise

from playwright.sync_api import Page
from support.browser import chromium, picture
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Site

BEFORE, AFTER = "v1.0.0 yellow", "v2.0.0 green"
SPEC = {"replicas": 1, "service": {"type": "NodePort"}}
# The new pod does not count for longer than anybody waits, so the old one stays beside it.
HELD = {"minReadySeconds": 600, "progressDeadlineSeconds": 900}


def grid(page: Page) -> list[str]:
    """Who answered each tile's request; a number where the page has not asked yet."""
    found = page.locator(".tiles img").evaluate_all("tiles => tiles.map((tile) => tile.alt)")
    return [str(each) for each in found]


def taking_turns(answers: list[str]) -> bool:
    """Whether both versions answer by turns, which is more than one following the other."""
    changes = sum(one != other for one, other in pairwise(answers))
    return set(answers) == {BEFORE, AFTER} and changes > 20


def test_an_upgrade_is_seen_on_the_live_view(installed: Shell, namespace: str) -> None:
    site = Site(shell=installed, namespace=namespace)
    site.apply(**SPEC, colour="yellow")
    url = site.wait_for("Serving", seconds=120)["url"]
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 900, "height": 900})
        page.goto(f"{url}live")
        eventually(lambda: set(grid(page)) == {BEFORE}, seconds=120)

        site.apply(**SPEC, colour="green", rollout=HELD)
        eventually(lambda: taking_turns(grid(page)), seconds=120)
        picture(page, "live-during-upgrade")

        site.apply(**SPEC, colour="green")
        site.wait_for("Serving", seconds=120)
        eventually(lambda: set(grid(page)) == {AFTER}, seconds=120)
