"""The live page, in a real browser beside a real control plane: pictures in build/screenshots."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from kubectl_weather import client
from kubectl_weather.errors import PluginError
from kubectl_weather.kubectl import Target
from playwright.sync_api import Browser, Page, expect
from support.background import running
from support.browser import (
    EXPECTED_MILLISECONDS,
    accessibility_violations,
    chromium,
    picture,
)
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Operator, Site, release, weather_app
from support.plugin import patch_trial_status
from weather_operator.kube.resources import Key
from weather_operator.model import WEATHER_APP

BROKEN = "8.5.0"
SLOWLY = {"annotations": {"test/ready-after": "2s"}}
SECONDS = EXPECTED_MILLISECONDS


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@contextmanager
def dashboard(shell: Shell, namespace: str, log: Path) -> Iterator[str]:
    """The command, as long as it is wanted; gives the address that it prints."""
    command = ["kubectl", "weather", "dashboard", "-n", namespace]
    with log.open("w") as out, running(command, output=out, environment=shell.environment):
        yield eventually(lambda: log.read_text().strip())


@pytest.fixture
def address(operator: Operator, shell: Shell, namespace: str, tmp_path: Path) -> Iterator[str]:
    with dashboard(shell, namespace, tmp_path / "address") as address:
        yield address


@contextmanager
def looking(browser: Browser, address: str, scheme: str = "light") -> Iterator[Page]:
    """An open page; what the browser complains of, or fetches elsewhere, is an error."""
    context = browser.new_context(viewport={"width": 1360, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type] # a table
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    troubles: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(address)
    expect(page.locator("#link")).to_have_text("live", timeout=SECONDS)
    yield page
    assert troubles == []
    assert hosts == {urlsplit(address).netloc}
    context.close()


def pods(page: Page, name: str, more: str = "") -> list[str]:
    """The colours of an app's tiles as they are shown."""
    tiles = page.locator(f'.site[data-key$="/{name}"] .pod:not(.gone){more}')
    colours: list[str] = tiles.evaluate_all("tiles => tiles.map((tile) => tile.dataset.colour)")
    return colours


def count(page: Page, name: str, number: int, more: str = "") -> bool:
    return len(pods(page, name, more)) == number


def test_a_rollout_a_scale_and_a_killed_pod_are_seen_as_they_happen(
    browser: Browser, site: Site, address: str
) -> None:
    with looking(browser, address) as page:
        expect(page.locator("#none")).to_contain_text("There is no WeatherApp yet")
        site.apply(pod=SLOWLY)
        site.wait_for("Serving")
        eventually(lambda: pods(page, "london", "[data-state=ready]") == ["yellow"] * 2)
        site.apply(colour="green", pod=SLOWLY)
        eventually(lambda: set(pods(page, "london")) == {"yellow", "green"})
        eventually(lambda: pods(page, "london", "[data-state=ready]") == ["green"] * 2)
        site.kubectl("scale", "weatherapp/london", "--replicas=5")
        eventually(lambda: count(page, "london", 5, "[data-state=ready]"))
        first = page.locator(".pod:not(.gone)").first.get_attribute("data-key")
        victim = site.shell.get("-n", site.namespace, "pods")["items"]
        (name,) = [each["metadata"]["name"] for each in victim if each["metadata"]["uid"] == first]
        site.kubectl("delete", "pod", name, "--wait=false")
        expect(page.locator(f'.pod:not(.gone)[data-key="{first}"]')).to_have_count(
            0, timeout=SECONDS
        )
        eventually(lambda: count(page, "london", 5, "[data-state=ready]"))
        site.kubectl("delete", "weatherapp", "london")
        expect(page.locator(".site")).to_have_count(0, timeout=SECONDS)


def test_a_version_of_ones_own_is_drawn_in_its_colour(
    browser: Browser, site: Site, shell: Shell, address: str
) -> None:
    shell.apply(release("8.6.0", "rebeccapurple", "weather:8.6.0"))
    try:
        with looking(browser, address) as page:
            site.apply(colour="rebeccapurple")
            shape = page.locator(".pod:not(.gone) .shape").first
            shape.wait_for()
            eventually(
                lambda: shape.evaluate("path => getComputedStyle(path).fill") == "rgb(102, 51, 153)"
            )
    finally:
        site.kubectl("delete", "weatherapp", "london")
        shell.kubectl("delete", "weatherrelease", "8.6.0")


def test_a_city_of_sites_is_beautiful_in_mid_rollout_and_can_be_read_by_all(
    browser: Browser, shell: Shell, namespace: str, address: str
) -> None:
    shell.apply(release(BROKEN, "slate", "crash:8"))
    try:
        fleet: dict[str, dict[str, Any]] = {
            "london": {"colour": "yellow", "replicas": 5, "pod": SLOWLY},
            "paris": {"colour": "green", "city": "Paris", "replicas": 3},
            "oslo": {"colour": "red", "city": "Oslo", "replicas": 8},
            "tokyo": {"colour": "green", "city": "Tokyo"},
            "lima": {"colour": "yellow", "city": "Lima", "replicas": 4},
            "accra": {"colour": "red", "city": "Accra", "replicas": 0},
        }
        items = [weather_app(name, namespace, **spec) for name, spec in fleet.items()]
        shell.apply({"apiVersion": "v1", "kind": "List", "items": items})
        with looking(browser, address) as page:
            expect(page.locator('.site[data-health="good"]')).to_have_count(6, timeout=2 * SECONDS)
            shell.apply(weather_app("tokyo", namespace, city="Tokyo", version=BROKEN))
            paused = {"replicas": 4, "rollout": {"paused": True}}
            shell.apply(weather_app("lima", namespace, city="Lima", colour="red", **paused))
            expect(page.locator('[data-key$="/tokyo"] .pod[data-state="failing"]')).to_have_count(
                1, timeout=SECONDS
            )
            shell.apply(weather_app("london", namespace, **{**fleet["london"], "colour": "green"}))
            eventually(
                lambda: (
                    pods(page, "london", "[data-state=ready]").count("green") >= 2
                    and "yellow" in pods(page, "london")
                    and pods(page, "london", "[data-state=starting]")
                )
            )
            picture(page, "dashboard-light")
            with looking(browser, address, "dark") as dark:
                eventually(lambda: count(dark, "oslo", 8))
                picture(dark, "dashboard-dark")
                assert accessibility_violations(dark) == []
            assert accessibility_violations(page) == []
            page.locator("#filter").get_by_text("In trouble").click()
            expect(page.locator(".site:visible")).to_have_count(1)
            page.locator("#filter").get_by_text("All").click()
            page.keyboard.press("/")
            page.keyboard.type("osl")
            expect(page.locator(".site:visible")).to_have_count(1)
            page.set_viewport_size({"width": 390, "height": 800})
            page.locator("#search").fill("")
            picture(page, "dashboard-phone")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390
    finally:
        shell.kubectl("delete", "weatherrelease", BROKEN)


def record_interval(site: Site, number: int) -> None:
    """Write what a canary's checks came to in an interval; every third one fails."""
    failed = number % 3 == 2
    rate, milliseconds = (97.1 if failed else 99.8 + number / 100), 80 + 9 * (number % 5)
    verdict = "Failed" if failed else "Passed"
    success = {"name": "success", "verdict": verdict, "value": rate, "threshold": 99}
    latency = {"name": "latency", "verdict": "Passed", "value": milliseconds, "threshold": 500}
    probe = {"name": "page", "verdict": "Unknown", "message": "20 requests were not answered"}
    patch_trial_status(
        site,
        weight={"desired": 30, "set": 30, "observed": 28.4, "requests": 1234},
        intervals={"epoch": "e", "number": number, "passed": 1, "failed": 0},
        analysis=[success, latency, probe],
    )


def test_a_trial_is_seen_with_its_share_and_each_check_as_a_chart(
    browser: Browser, operator: Operator, london: Site, tmp_path: Path
) -> None:
    operator.stop()
    with (
        dashboard(london.shell, london.namespace, tmp_path / "address") as address,
        looking(browser, address) as page,
    ):
        points = page.locator('.check:has-text("success") .chart circle')
        for number in range(1, 8):
            record_interval(london, number)
            expect(points).to_have_count(number, timeout=SECONDS)
        expect(page.locator(".weights")).to_have_text("30 % set, 28.4 % observed of 1,234 requests")
        failed = page.locator('.check:has-text("success") circle[data-verdict="Failed"]')
        expect(failed).to_have_count(2)
        expect(page.locator('.check:has-text("page") .value')).to_have_text("Unknown")
        assert page.locator("button").count() == 0
        assert accessibility_violations(page) == []
        picture(page, "dashboard-trial")
        page.emulate_media(color_scheme="dark")
        picture(page, "dashboard-trial-dark")
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "", {}, 200),
        ("GET", "events", {"Host": "rebound.example"}, 421),
        ("GET", "", {"Host": "rebound.example"}, 421),
        ("GET", "events", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", "", {}, 405),
        ("GET", "../events", {}, 404),
        ("GET", "../", {}, 404),
    ],
)
def test_only_its_own_viewer_is_answered(
    address: str, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    to = urlsplit(address)
    where = f"{to.path}{path}" if not path.startswith("../") else f"/{path.removeprefix('../')}"
    connection = http.client.HTTPConnection(to.netloc, timeout=60)
    connection.request(method, where, headers=headers)
    answer = connection.getresponse()
    assert answer.status == status
    if status == 200:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    connection.close()


def test_the_way_to_the_cluster_lets_no_write_through(
    london: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", london.shell.environment["PATH"])
    target = Target(kubeconfig=str(london.shell.kubeconfig), namespace=london.namespace)
    key = Key(namespace=london.namespace, name="london")
    with client.connect(target, read_only=True) as cluster:
        assert cluster.get(WEATHER_APP, key)
        with pytest.raises(PluginError, match=r"(?i)forbidden"):
            cluster.merge(WEATHER_APP, key, {"spec": {"replicas": 1}})
