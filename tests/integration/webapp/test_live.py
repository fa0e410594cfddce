"""The live view in Chromium, with several versions behind a balancer of connections."""

import gzip
import http.client
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import Browser, Page
from support.balancer import STALLED, balancing
from support.browser import accessibility_violations, chromium, picture
from support.deadlines import eventually
from support.manifests import COLOURS
from support.webapp import Site, ready, running

TOKEN = "x" * 8


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def sites() -> Iterator[list[Site]]:
    """Two pods of version 2.0.0 and one of 3.0.0."""
    with ExitStack() as stack:
        found = [
            stack.enter_context(site(version, f"london-{number}", FAULT_TOKEN=TOKEN))
            for number, version in enumerate(("2.0.0", "2.0.0", "3.0.0"))
        ]
        yield [ready(each) for each in found]


@contextmanager
def site(version: str, pod: str, **environment: str) -> Iterator[Site]:
    colour = COLOURS[version]
    with running(APP_VERSION=version, APP_COLOUR=colour, POD_NAME=pod, **environment) as site:
        yield site


@contextmanager
def watching(browser: Browser, backends: Sequence[int], path: str = "/live") -> Iterator[Page]:
    with balancing(backends) as port, browser.new_context() as context:
        page = context.new_page()
        page.set_viewport_size({"width": 900, "height": 1000})
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}{path}")
        yield page
        assert complaints == []


def sent(page: Page) -> int:
    """How many answers the tiles and cards have shown so far."""
    numbers = page.locator("[data-part=answers]").all_inner_texts()
    return sum(int(number.replace(",", "") or 0) for number in numbers)


def cards(page: Page) -> dict[str, str]:
    return {
        each.locator("[data-part=name]").inner_text(): each.locator(
            "[data-part=share]"
        ).inner_text()
        for each in page.locator(".versions > li").all()
    }


def percent(text: str) -> int:
    return int(text.removesuffix("%"))


def test_shares_pods_and_latency_by_version(browser: Browser, sites: list[Site]) -> None:
    with watching(browser, [site.port for site in sites]) as page:
        eventually(lambda: sent(page) >= 60)
        assert list(cards(page)) == ["v2.0.0 green", "v3.0.0 red"]

        def shares_are_right() -> bool:
            found = cards(page)
            assert percent(found["v2.0.0 green"]) == pytest.approx(67, abs=4)
            assert percent(found["v3.0.0 red"]) == pytest.approx(33, abs=4)
            return True

        # What is on its way may be all of one version, and counts for less with every answer.
        eventually(shares_are_right)
        green = page.locator(".versions > li").first
        assert green.locator("[data-part=pod-count]").inner_text() == "2"
        assert "london-0 " in green.locator("[data-part=pods]").inner_text()
        assert green.locator("[data-part=median]").inner_text().endswith(" ms")

        def bar_is_right() -> bool:
            width = green.locator("[data-part=bar]").get_attribute("width") or ""
            assert percent(width.split(".")[0].rstrip("%")) == pytest.approx(67, abs=4)
            return True

        eventually(bar_is_right)
        assert green.locator("[data-part=bar]").get_attribute("fill") == "#00875A"
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            picture(page, f"live-two-versions-{scheme}")
            assert accessibility_violations(page) == []


def test_one_that_stalls_stops_nothing(browser: Browser, sites: list[Site]) -> None:
    """A twentieth of the connections is never answered; the others go on meanwhile."""
    with watching(browser, [*[sites[0].port] * 19, STALLED]) as page:
        eventually(lambda: sent(page) >= 100)
        eventually(lambda: "no answer" in cards(page))
        assert percent(cards(page)["no answer"]) <= 10


def a_second_later(page: Page) -> None:
    """Return when a second has passed by the page's own clock."""
    now = float(page.evaluate("performance.now()"))
    eventually(lambda: page.evaluate("performance.now()") >= now + 1000)


def test_no_more_than_six_requests_at_once(browser: Browser, sites: list[Site]) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(
            "window.asked = 0; window.fetch = () => (window.asked++, new Promise(() => {}))"
        )
        page.goto(f"http://127.0.0.1:{sites[0].port}/live")
        eventually(lambda: page.evaluate("window.asked") == 6)
        a_second_later(page)
        assert page.evaluate("window.asked") == 6


def test_it_is_paused_by_the_button_and_when_hidden(browser: Browser, sites: list[Site]) -> None:
    with watching(browser, [sites[0].port]) as page:
        eventually(lambda: sent(page) >= 5)
        pause = page.get_by_role("button", name="Pause")

        def stands_still() -> bool:
            before = sent(page)
            a_second_later(page)
            return sent(page) == before

        pause.click()
        assert pause.get_attribute("aria-pressed") == "true"
        eventually(stands_still)
        pause.click()
        eventually(lambda: not stands_still())
        page.evaluate("Object.defineProperty(document, 'hidden', {value: true})")
        eventually(stands_still)


def test_changes_are_told_politely_and_seldom(browser: Browser, sites: list[Site]) -> None:
    with watching(browser, [sites[0].port, sites[2].port]) as page:
        page.evaluate(
            """() => {
              const told = document.querySelector("[aria-live=polite]");
              window.all = [];
              new MutationObserver(() => window.all.push([performance.now(), told.textContent]))
                .observe(told, {childList: true, characterData: true, subtree: true});
            }"""
        )
        eventually(lambda: page.evaluate("window.all"))
        eventually(lambda: sent(page) >= 100)

        def both_are_told() -> bool:
            told = page.evaluate("window.all")[-1][1]
            shares = dict(re.findall(r"(v[\d.]+ \w+) (\d+)%", told))
            assert set(shares) == {"v2.0.0 green", "v3.0.0 red"}
            assert all(int(share) == pytest.approx(50, abs=15) for share in shares.values())
            return True

        # What is told first is of the first few answers.
        eventually(both_are_told)
        said = page.evaluate("window.all")
        assert all(later[0] - earlier[0] > 4900 for earlier, later in itertools.pairwise(said))


def test_all_works_below_a_base_path(browser: Browser) -> None:
    with site("2.0.0", "london-0", BASE_PATH="/london") as there:
        ready(there)
        with watching(browser, [there.port], "/london/live") as page:
            eventually(lambda: sent(page) >= 10)
            assert list(cards(page)) == ["v2.0.0 green"]


def test_faults_are_set_on_every_pod_of_the_version_and_no_other(
    browser: Browser, sites: list[Site]
) -> None:
    with watching(browser, [site.port for site in sites]) as page:
        eventually(lambda: sent(page) >= 20)
        form = page.locator(".faults")
        form.get_by_label("Version").select_option("2.0.0")
        form.get_by_label("Token").fill("not it at all")
        form.get_by_label("Share of errors").fill("100")
        form.get_by_role("button", name="Set").click()
        status = form.get_by_role("status")
        eventually(lambda: "This is not the token" in status.inner_text())
        assert [site.get("/version").status for site in sites] == [200, 200, 200]
        form.get_by_label("Token").fill(TOKEN)
        form.get_by_role("button", name="Set").click()
        eventually(lambda: "2 of 2 pods" in status.inner_text())
        assert [site.get("/version").status for site in sites] == [500, 500, 200]
        failures = page.locator("[data-part=failures]").first
        eventually(lambda: int(failures.inner_text()) > 5)
        assert page.locator(".versions > li").count() == 2
        picture(page, "live-faults")
        assert accessibility_violations(page) == []
        form.get_by_role("button", name="Off").click()
        eventually(lambda: {site.get("/version").status for site in sites} == {200})


def test_the_token_is_kept_nowhere(browser: Browser, sites: list[Site]) -> None:
    with watching(browser, [sites[2].port]) as page:
        eventually(lambda: sent(page) >= 5)
        form = page.locator(".faults")
        form.get_by_label("Token").fill(TOKEN)
        form.get_by_role("button", name="Off").click()
        eventually(lambda: "1 of 1 pods" in form.get_by_role("status").inner_text())
        kept = "[location.href, document.cookie, localStorage.length, sessionStorage.length]"
        assert page.evaluate(kept) == [page.url, "", 0, 0]
        assert TOKEN not in page.url
        page.reload()
        assert page.locator(".faults").get_by_label("Token").input_value() == ""


def test_no_sliders_where_faults_cannot_be_set(browser: Browser) -> None:
    with site("1.0.0", "london-0") as there, watching(browser, [ready(there).port]) as page:
        eventually(lambda: sent(page) >= 5)
        assert page.locator(".faults").count() == 0


@pytest.mark.parametrize("width", [320, 900])
def test_nothing_is_cut_on_any_screen(browser: Browser, sites: list[Site], width: int) -> None:
    with watching(browser, [site.port for site in sites], "/live?lang=de") as page:
        page.set_viewport_size({"width": width, "height": 900})
        eventually(lambda: sent(page) >= 60)
        picture(page, f"live-{width}-de")
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_without_script_it_is_made_anew_at_a_sane_pace(browser: Browser, sites: list[Site]) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"http://127.0.0.1:{sites[0].port}/live")
        assert page.locator("meta[http-equiv=refresh]").get_attribute("content") == "10"
        assert sum("badge.svg" in url for url in asked) == page.locator(".tiles img").count() == 48
        assert page.locator(".faults, .board").locator("visible=true").count() == 0
        picture(page, "live-without-script")


def test_it_is_packed_and_small(sites: list[Site]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sites[0].port, timeout=60)
    connection.request("GET", "/live", headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert len(body) < 10_000 < len(gzip.decompress(body))
