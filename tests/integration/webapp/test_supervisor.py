import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import psutil
import pytest
from support.deadlines import eventually
from support.webapp import Site, ready, running, wait_for_end

APP, NGINX = "weather_webapp.server", "nginx"


def test_the_page_is_served_through_nginx() -> None:
    with running(APP_VERSION="2.0.0", APP_COLOUR="green", POD_NAME="london-1") as site:
        ready(site)
        page = site.get()
        assert page.status == 200
        assert page.headers["Server"] == "nginx"
        assert page.headers["X-App-Version"] == "2.0.0"
        assert page.headers["X-App-Colour"] == "green"
        assert page.headers["X-Weather-Source"] == "sample"
        assert "london-1" in page.text
        assert site.get("/healthz").status == 200
        assert '"version": "2.0.0"' in site.get("/api/info").text
        assert site.get("/api/v1/weather").headers["X-Weather-Source"] == "sample"
        assert site.get("/favicon.svg").headers["Content-Type"].startswith("image/svg+xml")
        assert site.get("/nowhere").status == 404


def test_a_page_is_cached_for_a_second_and_what_must_be_true_now_is_not() -> None:
    with running() as site:
        ready(site)

        def page_cached() -> bool:
            site.get()
            return any(line.get("cache") == "HIT" for line in requests(site))

        eventually(page_cached, every=0)
        for _ in range(3):
            site.get("/api/info")
            site.get("/version")
            site.get("/healthz")
        uncached = eventually(lambda: [line for line in requests(site) if line["path"] != "/"][5:])
        assert {line["cache"] for line in uncached} == {"MISS"}
        # The probes come every other second and say nothing: they are not logged.
        assert not [line for line in requests(site) if line["path"] in ("/healthz", "/readyz")]


def test_the_first_visitor_after_a_pause_meets_no_old_page() -> None:
    with running() as site:
        ready(site)
        requested_at = time.time()
        site.get()
        eventually(lambda: time.time() > requested_at + 3)
        asked_at = time.time()
        stamp = re.search(r'datetime="([^"]+Z)">', site.get().text)
        assert stamp
        # The stamp is of whole seconds.
        assert asked_at - datetime.fromisoformat(stamp[1]).timestamp() < 1.5


def test_all_that_is_written_is_below_one_directory_that_goes_in_the_end() -> None:
    with running() as site:
        ready(site)
        (directory,) = site.scratch.iterdir()
        opened = {
            file.path
            for child in psutil.Process(site.process.pid).children(recursive=True)
            for file in child.open_files()
            if "w" in file.mode or "a" in file.mode
        }
        assert {path for path in opened if not path.startswith(str(directory))} <= {
            str(site.output)
        }
        site.process.send_signal(signal.SIGTERM)
        assert wait_for_end(site.process, 60) == 0
        assert list(site.scratch.iterdir()) == []


def test_a_steady_client_meets_no_failure_while_we_leave() -> None:
    with running(DRAIN_SECONDS="5") as site:
        ready(site)
        statuses: Counter[int] = Counter()
        left = threading.Event()
        gone: list[float] = []

        def visit() -> None:
            while not left.is_set():
                status = site.get(f"/?{time.monotonic_ns()}").status
                statuses[status] += 1
                if not status:
                    gone.append(time.monotonic())
                    return

        clients = [threading.Thread(target=visit) for _ in range(4)]
        for client in clients:
            client.start()
        eventually(lambda: statuses[200] > 20)
        began = time.monotonic()
        site.process.send_signal(signal.SIGTERM)
        try:
            eventually(lambda: site.get("/readyz").status == 503, every=0.02)
            assert site.get("/healthz").status == 200
            served = statuses[200]
            eventually(lambda: statuses[200] > served + 20)
            assert wait_for_end(site.process, 60) == 0
            assert time.monotonic() - began >= 5
        finally:
            left.set()
            for client in clients:
                client.join()
        # Whoever still comes after the drain finds nobody listening, which no client saw as a 5xx.
        assert set(statuses) <= {200, 0}
        assert all(moment - began >= 5 for moment in gone)


@pytest.mark.parametrize("child", [APP, NGINX])
def test_a_child_that_dies_ends_the_container_with_its_code(child: str) -> None:
    with running() as site:
        ready(site)
        others = psutil.Process(site.process.pid).children(recursive=True)
        site.child(child).kill()
        assert wait_for_end(site.process, 60) == 128 + signal.SIGKILL
        _, alive = psutil.wait_procs(others, timeout=60)
        assert alive == []
        assert [line["child"] for line in site.lines() if line["message"] == "child ended"]


def test_a_second_signal_ends_it_at_once() -> None:
    with running(DRAIN_SECONDS="60") as site:
        ready(site)
        site.process.send_signal(signal.SIGTERM)
        eventually(lambda: site.get("/readyz").status == 503, every=0.02)
        site.process.send_signal(signal.SIGTERM)
        assert wait_for_end(site.process, 40) == 128 + signal.SIGTERM
        assert site.get().status == 0


def test_a_signal_before_it_is_ready_ends_it_in_order() -> None:
    with running(DRAIN_SECONDS="60") as site:
        eventually(lambda: psutil.Process(site.process.pid).children(), every=0.005)
        site.process.send_signal(signal.SIGTERM)
        assert wait_for_end(site.process, 40) in (0, 128 + signal.SIGTERM)


def test_a_setting_that_cannot_be_used_is_one_sentence() -> None:
    with running(WEATHER_UNITS="kelvin") as site:
        assert wait_for_end(site.process, 60) == 1
        assert site.output.read_text() == (
            "weather-webapp: WEATHER_UNITS is 'kelvin': write one of metric, imperial.\n"
        )


def test_a_wrong_argument_is_an_error() -> None:
    command = [sys.executable, "-m", "weather_webapp", "--port=80"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr == (
        "weather-webapp: give no arguments; settings are environment variables\n"
    )


def test_a_port_that_is_taken_ends_it() -> None:
    with running() as one, running(PORT=str(ready(one).port)) as other:
        assert wait_for_end(other.process, 60) == 1
        assert "Address already in use" in other.output.read_text()
        assert one.get().status == 200


def test_links_and_pages_stay_below_the_base_path() -> None:
    with running(BASE_PATH="/a.b") as site:
        ready(site)
        assert site.get("/a.b/").status == 200
        assert site.get("/a.b/api/info").status == 200
        assert site.get("/").status == 404


def test_a_start_that_is_to_fail_fails() -> None:
    with running(FAULT_STARTUP="fail") as site:
        assert wait_for_end(site.process, 60) == 1
        assert "FAULT_STARTUP" in site.output.read_text()


def test_a_crash_that_is_wanted_comes_and_ends_the_container() -> None:
    with running(FAULT_CRASH_AFTER_SECONDS="1") as site:
        ready(site)
        assert wait_for_end(site.process, 60) == 70


ORPHANAGE = """
import ctypes, sys
from datetime import datetime
from pathlib import Path
from weather_webapp.supervisor import Processes

assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # orphans come to us, as they do to PID 1
processes = Processes()
file = Path(sys.argv[1])
processes.start("child", ["sh", "-c", f"(sleep 2 & echo $! > {file}); exec sleep 100"])
assert processes.wait(lambda: file.exists() and file.read_text().strip() != "", 30)
orphan = Path("/proc", file.read_text().strip())
assert orphan.exists()
assert processes.wait(lambda: not orphan.exists(), 30), "the orphan was not reaped"
processes.kill()
"""


def test_orphans_are_reaped(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORPHANAGE, tmp_path / "orphan"],
        capture_output=True,
        text=True,
        timeout=120,
        env=dict(os.environ),
    )
    assert (done.returncode, done.stderr) == (0, "")


def requests(site: Site) -> list[dict[str, str]]:
    return [line for line in site.lines() if line["message"] == "request"]


class KeepAliveClient:
    """Asks over one connection for as long as it may; a reset is a failure, a new one is not."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.statuses: Counter[int] = Counter()
        self.resets = 0
        self.told_to_close = 0

    def visit(self, left: threading.Event) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not left.is_set():
            fresh = connection.sock is None
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
            except ConnectionRefusedError:
                return
            except (OSError, http.client.HTTPException):
                # Whoever only now connects meets the end of the drain, as a client that is new.
                self.resets += not fresh
                return
            self.statuses[answer.status] += 1
            self.told_to_close += answer.getheader("Connection") == "close"
            left.wait(0.02)


def test_clients_that_keep_their_connection_lose_no_request() -> None:
    with running(DRAIN_SECONDS="5") as site:
        ready(site)
        left = threading.Event()
        clients = [KeepAliveClient(site.port) for _ in range(8)]
        threads = [threading.Thread(target=client.visit, args=[left]) for client in clients]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: all(client.statuses[200] > 10 for client in clients))
            assert [client.told_to_close for client in clients] == [0] * 8
            site.process.send_signal(signal.SIGTERM)
            eventually(lambda: all(client.told_to_close for client in clients))
            assert wait_for_end(site.process, 60) == 0
        finally:
            left.set()
            for thread in threads:
                thread.join()
        assert [client.resets for client in clients] == [0] * 8
        assert {status for client in clients for status in client.statuses} == {200}


def test_the_probes_answer_beside_the_metrics_too() -> None:
    with running(DRAIN_SECONDS="60") as site:
        eventually(lambda: site.get("/readyz", site.metrics_port).status == 200)
        assert site.get("/").status == 200
        site.process.send_signal(signal.SIGTERM)
        eventually(lambda: site.get("/readyz", site.metrics_port).status == 503)
        assert site.get("/healthz", site.metrics_port).status == 200
