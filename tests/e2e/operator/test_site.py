"""What a person sees of a WeatherApp on a real node."""

import json
from typing import Any

import pytest
from support.deadlines import eventually
from support.http import api_info, fetch
from support.kubectl import Shell
from weather_cluster.demo import Client
from weather_cluster.fake_openweathermap import SECRET


def weather_app(namespace: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "weather.quantspark.io/v1",
        "kind": "WeatherApp",
        "metadata": {"name": "london", "namespace": namespace},
        "spec": {"city": "London", "colour": "yellow", **spec},
    }


def settle(shell: Shell, app: dict[str, Any]) -> dict[str, Any]:
    """Apply the app and return it as it is once it is Ready."""
    namespace = app["metadata"]["namespace"]
    shell.apply(app)
    shell.kubectl(
        *("wait", "weatherapp/london", "-n", namespace),
        *("--for=condition=Ready", "--timeout=120s"),
    )
    ready: dict[str, Any] = shell.get("weatherapp", "london", "-n", namespace)
    return ready


def pods(shell: Shell, namespace: str) -> dict[str, Any]:
    return {p["metadata"]["name"]: p for p in shell.get("pods", "-n", namespace)["items"]}


def test_the_demo_runs_and_loses_no_request(installed: Shell) -> None:
    for _ in range(2):
        demo = installed.run("weather-cluster", "demo")
        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert "failed: 0\n" in demo.stdout
    assert "The page is red. Its weather comes from openweathermap." in demo.stdout
    assert "A stand-in plays OpenWeatherMap" in demo.stdout
    assert [a["metadata"]["name"] for a in installed.get("weatherapps", "-A")["items"]] == [
        "london"
    ]
    installed.kubectl("delete", "weatherapp/london", f"secret/{SECRET}")


@pytest.mark.parametrize(
    ("before", "after"), [("yellow", "red"), ("red", "green")], ids=["upgrade", "downgrade"]
)
def test_traffic_through_a_nodeport_survives_a_change_of_version(
    installed: Shell, namespace: str, before: str, after: str
) -> None:
    service = {"type": "NodePort"}
    app = settle(installed, weather_app(namespace, colour=before, service=service))
    url = app["status"]["url"]
    # The node's rules follow the pods a moment later.
    eventually(lambda: fetch(url))
    with Client(url) as client:
        settle(installed, weather_app(namespace, colour=after, service=service))
        eventually(lambda: api_info(url)["colour"] == after)
        served = client.sent
        eventually(lambda: client.sent > served + 50)
    assert client.failures == []
    assert set(client.served) == {before, after}


def test_a_killed_pod_comes_back(installed: Shell, namespace: str) -> None:
    settle(installed, weather_app(namespace))
    victim, *others = pods(installed, namespace)
    installed.kubectl("delete", "pod", victim, "-n", namespace, "--now")

    def replaced() -> bool:
        now = pods(installed, namespace)
        return victim not in now and len(now) == 2 and set(others) < set(now)

    eventually(replaced)
    eventually(lambda: ready_column(installed, namespace) == "2/2")


def ready_column(shell: Shell, namespace: str) -> str:
    app = shell.get("weatherapp", "london", "-n", namespace)
    assert app["status"]["readyReplicas"] <= 2
    return str(app["status"]["ready"])


def test_a_crashed_container_is_restarted(installed: Shell, namespace: str) -> None:
    settle(installed, weather_app(namespace, replicas=1))
    (pod,) = pods(installed, namespace)
    # When a child of the supervisor dies the container ends, and the kubelet starts it again.
    script = (
        "import os,signal,pathlib\n"
        "for p in pathlib.Path('/proc').glob('[0-9]*/comm'):\n"
        "    if p.read_text().startswith('nginx'):\n"
        "        os.kill(int(p.parent.name), signal.SIGKILL)\n"
        "        break"
    )
    installed.kubectl("exec", pod, "-n", namespace, "--", "python3", "-c", script)

    def restarted() -> bool:
        status = pods(installed, namespace)[pod]["status"]["containerStatuses"][0]
        return bool(status["restartCount"] >= 1 and status["ready"])

    eventually(restarted)


def test_the_three_service_types(installed: Shell, namespace: str) -> None:
    app = settle(installed, weather_app(namespace))
    service = installed.get("service", "london", "-n", namespace)
    assert app["status"]["url"] == f"http://london.{namespace}.svc/"
    (pod, *_) = pods(installed, namespace)
    page = f"{app['status']['url']}version"
    code = f"from urllib.request import urlopen; print(urlopen('{page}').read())"
    words = ("exec", pod, "-n", namespace, "--", "python3", "-c", code)
    # The cluster's DNS and the node's rules follow a moment later.
    eventually(lambda: "1.0.0" in installed.kubectl(*words))

    app = settle(installed, weather_app(namespace, service={"type": "NodePort"}))
    eventually(lambda: api_info(app["status"]["url"])["version"] == "1.0.0")

    installed.apply(weather_app(namespace, service={"type": "LoadBalancer"}))
    eventually(lambda: ready_reason(installed, namespace) == "AddressPending")
    address = {"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}}
    installed.kubectl(
        *("patch", "service", "london", "-n", namespace, "--subresource=status"),
        *("--type=merge", "-p", json.dumps(address)),
    )
    eventually(lambda: ready_reason(installed, namespace) == "Serving")
    app = installed.get("weatherapp", "london", "-n", namespace)
    assert app["status"]["url"] == "http://lb.example.com/"
    after = installed.get("service", "london", "-n", namespace)
    assert after["metadata"]["uid"] == service["metadata"]["uid"]
    assert after["spec"]["clusterIP"] == service["spec"]["clusterIP"]


def ready_reason(shell: Shell, namespace: str) -> str:
    conditions = shell.get("weatherapp", "london", "-n", namespace)["status"]["conditions"]
    return next(str(c["reason"]) for c in conditions if c["type"] == "Ready")


def test_every_ready_pod_gets_its_share(installed: Shell, namespace: str) -> None:
    app = settle(installed, weather_app(namespace, replicas=3, service={"type": "NodePort"}))
    everyone = set(pods(installed, namespace))

    def served_by(connections: int) -> list[str]:
        return [api_info(app["status"]["url"])["pod"] for _ in range(connections)]

    # The endpoints and the node's rules follow the pods a moment later.
    eventually(lambda: set(served_by(30)) == everyone)
    names = served_by(200)
    assert set(names) == everyone
    assert min(names.count(name) for name in set(names)) > 20


def test_the_operator_says_what_it_is_told_when_the_version_is_unknown(
    installed: Shell, namespace: str
) -> None:
    settle(installed, weather_app(namespace))
    installed.apply(weather_app(namespace, colour="purple"))
    eventually(lambda: ready_reason(installed, namespace) == "UnknownVersion")
    app = installed.get("weatherapp", "london", "-n", namespace)
    ready = next(c for c in app["status"]["conditions"] if c["type"] == "Ready")
    for colour in ("yellow", "green", "red"):
        assert colour in ready["message"]
    assert app["status"]["ready"] == "2/2"
