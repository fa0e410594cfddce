"""The operator as a real process on a real API server, and the WeatherApps that tests give it."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from support.deadlines import eventually
from support.kubectl import ROOT, Shell
from support.manifests import COLOURS
from support.ports import free_port

AGENT = "weather-operator"


def install(shell: Shell) -> None:
    """Install the kinds and the three releases that the chart brings."""
    shell.kubectl("apply", "-f", "crds/")
    wait_until_served(shell, "crds/")
    for version, colour in COLOURS.items():
        shell.apply(release(version, colour, f"weather:{version}"))


def wait_until_served(shell: Shell, path: str) -> None:
    """Return once the definitions in a file or folder are in force, and their kinds are served.

    `kubectl wait` fails at once where a definition is so new that it has no conditions yet, and a
    kind is served a moment after its definition is established.
    """

    def are_served() -> bool:
        waited = shell.run("kubectl", "wait", "--for=condition=Established", "-f", path)
        if waited.returncode != 0:
            return False
        names = shell.kubectl("get", "-f", path, "-o", "name").split()
        kinds = ",".join(each.rpartition("/")[2] for each in names)
        return shell.run("kubectl", "get", kinds, "-A").returncode == 0

    eventually(are_served)


def release(version: str, colour: str, image: str, *, name: str | None = None) -> dict[str, Any]:
    """A WeatherRelease."""
    return {
        "apiVersion": "weather.quantspark.io/v1",
        "kind": "WeatherRelease",
        "metadata": {"name": name or version},
        "spec": {"version": version, "colour": colour, "image": image},
    }


def weather_app(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    """A WeatherApp for London, yellow unless the spec says otherwise; ready pods count at once."""
    if "version" not in spec:
        spec.setdefault("colour", "yellow")
    spec["rollout"] = {"minReadySeconds": 0, **spec.get("rollout", {})}
    return {
        "apiVersion": "weather.quantspark.io/v1",
        "kind": "WeatherApp",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"city": "London", **spec},
    }


@dataclass(slots=True)
class Operator:
    """`python -m weather_operator`, whose life a test holds in its hands."""

    kubeconfig: Path
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    module: str = "weather_operator"
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return at once."""
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "HTTP_PORT": str(self.port),
            # One identity, so that it need not wait for the Lease of one that was killed.
            "POD_NAME": "under-test",
            # What registries elsewhere say is no test's business but those that ask their own.
            "REFRESH_SECONDS": "0",
            **self.environment,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module],
                env=environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def ensure_leading(self) -> None:
        """Return when it runs, has listed everything and watches."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        # A standby is ready too: so first that it leads, then that it has listed everything.
        eventually(lambda: self.metric("weather_operator_leader") and self.get("/readyz")[0] == 200)

    def stop(self) -> int:
        """Ask it to end as Kubernetes does, and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a warning."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.process = None
        return code

    def get(self, path: str) -> tuple[int, str]:
        """Its answer over HTTP: status and text; status 0 while nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in lines
            if line.startswith((f"{name} ", f"{name}{{"))
        )

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged; every line must be JSON. The last may be half written just now."""
        whole, _, _ = self.log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One WeatherApp as its user sees it."""

    shell: Shell
    namespace: str
    name: str = "london"

    def apply(self, **spec: Any) -> None:
        """Apply the WeatherApp with this spec."""
        self.shell.apply(weather_app(self.name, self.namespace, **spec))

    def kubectl(self, *words: str, text: str | None = None) -> str:
        """Run kubectl in the site's namespace."""
        return self.shell.kubectl("-n", self.namespace, *words, text=text)

    def get(self, kind: str = "weatherapp", name: str | None = None) -> dict[str, Any]:
        """The WeatherApp, or a child of it."""
        body: dict[str, Any] = self.shell.get("-n", self.namespace, kind, name or self.name)
        return body

    def find(self, kind: str) -> dict[str, Any] | None:
        """The child of this kind, None where there is none."""
        found = self.shell.get("-n", self.namespace, kind)["items"]
        return next((each for each in found if each["metadata"]["name"] == self.name), None)

    def status(self) -> dict[str, Any]:
        """The status of the generation that the user wrote last, empty until there is one."""
        return current_status(self.get())

    def condition(self, type_: str) -> dict[str, Any]:
        """A condition of the current status, empty until there is one."""
        return _condition(self.status(), type_)

    def reason(self) -> str:
        """Ready's reason: what kubectl get prints as STATUS."""
        return str(self.condition("Ready").get("reason", ""))

    def wait_for(self, reason: str, *, seconds: float = 120) -> dict[str, Any]:
        """The status, once Ready's reason is this one."""

        def reached() -> dict[str, Any]:
            status = self.status()
            assert _condition(status, "Ready").get("reason", "") == reason
            return status

        return eventually(reached, seconds=seconds)

    def evict(self, name: str, **options: Any) -> bool:
        """Ask for a pod's eviction; whether the budget allows it, or there is no such pod."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}/eviction"
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": self.namespace},
            "deleteOptions": options,
        }
        words = ("kubectl", "create", "--raw", path, "-f", "-")
        run = self.shell.run(*words, text=json.dumps(eviction))
        is_done = run.returncode == 0 or "not found" in run.stderr
        assert is_done or "disruption budget" in run.stderr, run.stderr
        return is_done

    def blocker(self, reason: str) -> dict[str, Any]:
        """The first blocker of this reason; fail where there is none."""
        found: list[dict[str, Any]] = self.status().get("blockers", [])
        matching = [each for each in found if each["reason"] == reason]
        assert matching, f"no {reason} in {found}"
        return matching[0]

    def events(self, reason: str) -> list[dict[str, Any]]:
        """The events of this reason about the WeatherApp."""
        found = self.shell.get("-n", self.namespace, "events")["items"]
        return [each for each in found if each["reason"] == reason]


def current_status(body: dict[str, Any]) -> dict[str, Any]:
    """The status of an object if it is about what the spec says now, else empty."""
    status: dict[str, Any] = body.get("status", {})
    return status if status.get("observedGeneration") == body["metadata"]["generation"] else {}


def _condition(status: dict[str, Any], type_: str) -> dict[str, Any]:
    conditions = status.get("conditions", ())
    return next((each for each in conditions if each["type"] == type_), {})


def audited(log: Path, *, since: int = 0, agent: str = AGENT) -> Iterator[dict[str, Any]]:
    """An agent's finished requests about objects in the audit log, from an offset on."""
    with log.open() as lines:
        lines.seek(since)
        for line in lines:
            if not line.endswith("\n"):
                return
            event = json.loads(line)
            told = event.get("userAgent", "").startswith(agent) and "objectRef" in event
            if told and event["stage"] == "ResponseComplete":
                yield event


def writes_in(namespace: str, log: Path, *, since: int) -> list[str]:
    """The operator's writes into one namespace, but the Lease's, since an offset of the audit log.

    Only those into the test's own: those of earlier tests are going away meanwhile.
    """
    return [
        f"{event['verb']} {event['requestURI']}"
        for event in audited(log, since=since)
        if is_write(event) and event["objectRef"].get("namespace") == namespace
    ]


def writes_of_replicas(namespace: str, log: Path, *, since: int) -> list[str]:
    """When the operator's writes of a number of pods into one namespace came, in order."""
    return [
        event["requestReceivedTimestamp"]
        for event in audited(log, since=since)
        if is_write(event)
        and event["objectRef"].get("namespace") == namespace
        and "fieldManager=weather-operator-replicas" in event["requestURI"]
    ]


def wait_until_silent(namespace: str, log: Path, *, renewals: int = 2) -> None:
    """Return when nothing was written into a namespace for so long: the operator has come to rest.

    A status is seen before its Event is written, and progress is told a second later.
    """

    def silent() -> bool:
        since = log.stat().st_size
        wait_for_renewals(log, since=since, number=renewals)
        return not writes_in(namespace, log, since=since)

    eventually(silent)


def wait_for_renewals(log: Path, *, since: int, number: int) -> None:
    """Let time pass by the one thing that an idle operator does: it renews its Lease."""

    def renewed() -> bool:
        events = audited(log, since=since)
        return len([each for each in events if each["objectRef"]["resource"] == "leases"]) >= number

    eventually(renewed)


def is_write(event: dict[str, Any]) -> bool:
    """Whether a request may change something other than the Lease."""
    writes = event["verb"] in ("create", "update", "patch", "delete")
    return writes and event["objectRef"]["resource"] != "leases"


@cache
def crd(kind: str) -> dict[str, Any]:
    """The definition of a kind, as crds/ has it."""
    text = (ROOT / "crds" / f"{kind.lower()}.yaml").read_text()
    definition: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return definition


def crd_schema(kind: str) -> dict[str, Any]:
    """The OpenAPI schema of a kind, as crds/ has it."""
    schema: dict[str, Any] = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema
