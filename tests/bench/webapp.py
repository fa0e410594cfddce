"""How fast the page is, how small, how soon there, and whether a restart loses a request.

The server has one core, wrk another.
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psutil
from support.background import running as running_program
from support.deadlines import eventually
from support.ports import free_port
from support.webapp import Site, ready, running, wait_for_end
from weather_cluster.host import is_listening

from bench.figures import Figure

SECONDS = 5
CONNECTIONS = 32
PATHS = {"page": "/", "JSON": "/api/v1/weather", "badge": "/badge.svg"}
STARTS = 5
RESTARTS = 10
STEADY_SECONDS = 60
CLIENTS = 4
TOGETHER = 30
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "cold page": ("/?city=Tokyo", {}),
    "unknown city": ("/?city=Atlantis", {}),
    "refused": ("/?units=kelvin", {}),
    "not found": ("/nowhere", {}),
    "failing on purpose": ("/", {"FAULT_ERROR_RATE": "1"}),
    "200 ms later on purpose": ("/", {"FAULT_LATENCY_MS": "200"}),
}
APP = """
import sys
from aiohttp import web
from weather_webapp import cache
from weather_webapp.server import make_app
from weather_webapp.settings import Settings
cache.MAX_RESPONSES = int(sys.argv[2])
settings = Settings(provider="sample", version="2.0.0", colour="green")
app = make_app(settings)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""
STATIC = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;
events {{ worker_connections 1000; }}
http {{
  access_log off; sendfile on; keepalive_requests 100000; open_file_cache max=10;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; default_type text/html;
  server {{ listen {port}; root {folder}; }}
}}
"""


def measure() -> list[Figure]:
    """Measure on this machine's loopback interface, with the sample weather."""
    if shutil.which("wrk") is None:
        sys.exit("bench webapp: wrk is missing: apt-get install wrk")
    with running(APP_VERSION="2.0.0", APP_COLOUR="green") as site:
        ready(site)
        _pin(site.process.pid)
        page = site.get("/").text
        through_nginx = [
            figure
            for name, path in PATHS.items()
            for figure in _load(f"{name}, NGINX", site.port, path, site.child("nginx").pid)
        ]
        memory = _memory(site)
        sizes = _sizes(site)
    with _static(page) as (port, pid):
        static = _load("page as a static file, NGINX", port, "/index.html", pid)
    alone = []
    for title, cached in (("app alone", 200), ("app alone, rendered for each", 0)):
        with _app(cached) as port:
            for name, path in PATHS.items() if cached else [("page", "/")]:
                alone += _load(f"{name}, {title}", port, path)
    together = [_together(kind, *asked) for kind, asked in KINDS.items()]
    return [*through_nginx, *static, *alone, *together, *sizes, *memory, _starts(), *_restarts()]


def _load(name: str, port: int, path: str, nginx: int | None = None) -> list[Figure]:
    """Return requests per second and the 99th percentile, after a second of warming up.

    Of NGINX also those per second of its CPU, which other work on the machine leaves alone.
    """
    address = f"http://127.0.0.1:{port}{path}"
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}", "--latency", address]
    subprocess.run([*command, "-d1s"], check=True, capture_output=True)
    before = _cpu_seconds(nginx)
    text = subprocess.run(
        [*command, f"-d{SECONDS}s"], check=True, capture_output=True, text=True
    ).stdout
    spent = _cpu_seconds(nginx) - before
    requests = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    assert requests
    assert rate
    assert slow
    assert "Non-2xx" not in text, text
    milliseconds = float(slow[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[slow[2]]
    figures = [
        Figure(name=name, values=[float(rate[1])], unit="requests/s"),
        Figure(name=f"{name}: 99 of 100 within", values=[milliseconds], unit="ms"),
    ]
    if spent:
        per_second = int(requests[1]) / spent
        figures.append(Figure(name=f"{name}: per CPU second", values=[per_second], unit="requests"))
    return figures


def _cpu_seconds(nginx: int | None) -> float:
    """Return the CPU time of NGINX's workers so far; 0 without NGINX."""
    workers = psutil.Process(nginx).children() if nginx else []
    return sum(sum(worker.cpu_times()[:2]) for worker in workers)


def _together(kind: str, path: str, environment: dict[str, str]) -> Figure:
    """Return how long each of many waits who ask in the same moment."""
    barrier = threading.Barrier(TOGETHER)

    def visit(site: Site) -> float:
        barrier.wait()
        began = time.monotonic()
        site.get(path)
        return (time.monotonic() - began) * 1000

    with running(**environment) as site, ThreadPoolExecutor(TOGETHER) as pool:
        waited = list(pool.map(visit, [ready(site)] * TOGETHER))
    return Figure(name=f"{TOGETHER} at once, {kind}", values=waited, unit="ms")


def _pin(pid: int) -> None:
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        each.cpu_affinity([0])


def _sizes(site: Site) -> list[Figure]:
    page = site.get("/").text.encode()
    return [
        Figure(name="page, raw", values=[len(page) / 1000], unit="kB"),
        Figure(name="page, gzip", values=[len(gzip.compress(page, 6)) / 1000], unit="kB"),
    ]


def _memory(site: Site) -> list[Figure]:
    sums = {"app": 0.0, "NGINX": 0.0, "supervisor": 0.0}
    supervisor = psutil.Process(site.process.pid)
    for process in (supervisor, *supervisor.children(recursive=True)):
        name = "NGINX" if "nginx" in process.name() else "app"
        name = "supervisor" if process == supervisor else name
        sums[name] += process.memory_full_info().uss / 2**20
    return [Figure(name=f"memory of its own, {n}", values=[s], unit="MiB") for n, s in sums.items()]


@contextmanager
def _app(cached: int) -> Iterator[int]:
    port = free_port()
    with running_program(["taskset", "-c", "0", sys.executable, "-c", APP, str(port), str(cached)]):
        yield _listening(port)


@contextmanager
def _static(page: str) -> Iterator[tuple[int, int]]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        Path(folder, "index.html").write_text(page)
        configuration = Path(folder, "nginx.conf")
        configuration.write_text(STATIC.format(folder=folder, port=port))
        with running_program(
            ["taskset", "-c", "0", "nginx", "-e", "stderr", "-p", folder, "-c", configuration],
            environment={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"},
        ) as nginx:
            yield _listening(port), nginx.pid


def _listening(port: int) -> int:
    eventually(lambda: is_listening("127.0.0.1", port), seconds=20)
    return port


def _starts() -> Figure:
    seconds = []
    for _ in range(STARTS):
        began = time.monotonic()
        with running(DRAIN_SECONDS="0") as site:
            ready(site)
            seconds.append(time.monotonic() - began)
    return Figure(name="start → ready", values=seconds, unit="s")


class Balancer:
    """Clients that ask only sites that said ready within the last moment, as a Service does."""

    def __init__(self) -> None:
        self.ready: list[Site] = []
        self.sent = self.failed = 0
        self.over = threading.Event()

    def visit(self) -> None:
        """Ask one ready site after the other until it is over."""
        while not self.over.is_set():
            for site in tuple(self.ready):
                self.sent += 1
                self.failed += site.get(f"/?{time.monotonic_ns()}").status != 200


def _leave(site: Site, balancer: Balancer) -> None:
    site.process.terminate()
    eventually(lambda: site.get("/readyz").status == 503, seconds=5, every=0.02)
    balancer.ready.remove(site)
    assert wait_for_end(site.process, 20) == 0


def _is_past(moment: float) -> bool:
    return time.monotonic() >= moment


def _restarts() -> list[Figure]:
    """Restart one of two sites again and again while clients ask; a site leaves when it drains."""
    balancer = Balancer()
    clients = [threading.Thread(target=balancer.visit) for _ in range(CLIENTS)]
    began = time.monotonic()
    with ExitStack() as stack:
        balancer.ready = [ready(stack.enter_context(running())) for _ in range(2)]
        for client in clients:
            client.start()
        try:
            for number in range(RESTARTS):
                due = began + (number + 1) * STEADY_SECONDS / RESTARTS
                old = balancer.ready[0]
                balancer.ready.append(ready(stack.enter_context(running())))
                _leave(old, balancer)
                eventually(partial(_is_past, due), seconds=STEADY_SECONDS)
        finally:
            balancer.over.set()
            for client in clients:
                client.join()
    name = f"requests over {RESTARTS} restarts"
    return [
        Figure(name=name, values=[balancer.sent], unit=""),
        Figure(name=f"{name}: failed", values=[balancer.failed], unit=""),
    ]
