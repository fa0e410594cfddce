"""The process itself: how it starts, waits, hands over and ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Operator, Site
from support.ports import free_port
from weather_cluster.clusters import Cluster


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "weather_operator"],
        env={**os.environ, "HTTP_PORT": str(free_port()), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def messages(operator: Operator) -> list[str]:
    return [line["message"] for line in operator.lines()]


def holder(shell: Shell, name: str) -> str:
    leases = shell.get("-n", "default", "leases")["items"]
    found = [each for each in leases if each["metadata"]["name"] == name]
    return str(found[0]["spec"]["holderIdentity"]) if found else ""


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL is 'LOUD': give one of DEBUG, INFO, WARNING, ERROR"),
        ({"WORKERS": "0"}, "WORKERS is '0': give a whole number from 1 to 256"),
        ({"HTTP_PORT": "http"}, "HTTP_PORT is 'http': give a whole number from 0 to 65535"),
    ],
)
def test_a_bad_setting_ends_it_with_a_sentence(environment: dict[str, str], words: str) -> None:
    ended = run(**environment)
    assert (ended.returncode, ended.stderr) == (2, f"weather-operator: {words}\n")


def test_no_cluster_to_be_found_ends_it_with_a_sentence() -> None:
    ended = run(KUBECONFIG="/nowhere")
    assert ended.returncode == 1
    assert ended.stderr.startswith("weather-operator: no cluster: set KUBECONFIG, or run in a pod")
    assert "Traceback" not in ended.stderr


def test_it_can_be_ended_before_it_has_begun(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    os.mkfifo(kubeconfig)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "weather_operator"],
            env={**os.environ, "HTTP_PORT": "0", "KUBECONFIG": str(kubeconfig)},
            # As the first process of a container, which takes no notice of it by itself.
            preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
        ) as process,
        kubeconfig.open("w"),  # once it is read
    ):
        process.terminate()
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_a_port_that_is_taken_ends_it_with_a_sentence(operator: Operator) -> None:
    ended = run(KUBECONFIG=str(operator.kubeconfig), HTTP_PORT=str(operator.port))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"weather-operator: HTTP_PORT {operator.port} cannot be served")


def test_a_missing_right_ends_it_with_a_sentence(
    control_plane: Cluster, shell: Shell, namespace: str, another: Operator, tmp_path: Path
) -> None:
    shell.kubectl("-n", namespace, "create", "serviceaccount", "nobody")
    token = shell.kubectl("-n", namespace, "create", "token", "nobody").strip()
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    another.kubeconfig = tmp_path / "kubeconfig"
    another.kubeconfig.write_text(yaml.safe_dump(config))
    another.environment["POD_NAMESPACE"] = namespace
    rights = ["--verb=get,create,update", "--resource=leases"]
    shell.kubectl("-n", namespace, "create", "role", "nobody", *rights)
    subject = f"--serviceaccount={namespace}:nobody"
    shell.kubectl("-n", namespace, "create", "rolebinding", "nobody", "--role=nobody", subject)
    another.start()
    process = another.process
    assert process
    eventually(lambda: process.poll() is not None)
    assert process.returncode == 1
    last = another.lines()[-1]
    assert last["message"] == "stopped: grant the chart's roles"
    assert "cannot list resource" in last["cause"]


def test_an_api_server_that_does_not_answer_is_waited_for_and_said_once(
    control_plane: Cluster, another: Operator, tmp_path: Path
) -> None:
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    true_server = cluster["server"]
    cluster["server"] = f"https://127.0.0.1:{free_port()}"
    another.kubeconfig = tmp_path / "kubeconfig"
    another.kubeconfig.write_text(yaml.safe_dump(config))
    another.start()
    failures = 'weather_operator_api_requests_total{code="0"'
    eventually(lambda: failures in another.get("/metrics")[1])
    eventually(lambda: another.metric("weather_operator_api_requests_total") >= 4)
    assert another.get("/healthz")[0] == 200
    assert messages(another) == ["the API server does not answer", "starting"]
    assert cluster["server"] in another.lines()[0]["server"] != true_server


@contextmanager
def forwarded(port: int, target: int) -> Iterator[None]:
    """A way to a port of this machine that is cut, with all its connections, afterwards."""
    listener = socket.create_server(("127.0.0.1", port))
    ends: list[socket.socket] = [listener]
    lock, cut = threading.Lock(), threading.Event()

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", target))
                with lock:
                    if cut.is_set():
                        near.close()
                        far.close()
                        return
                    ends.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        with lock:
            cut.set()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def test_an_outage_is_survived_said_once_and_ends_it_only_when_the_lease_is_lost(
    control_plane: Cluster, another: Operator, tmp_path: Path
) -> None:
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    target, port = int(cluster["server"].rsplit(":", 1)[1]), free_port()
    cluster["server"] = f"https://127.0.0.1:{port}"
    another.kubeconfig = tmp_path / "kubeconfig"
    another.kubeconfig.write_text(yaml.safe_dump(config))
    another.environment["WATCH_NAMESPACES"] = "kube-public"
    down, up = "the API server does not answer", "the API server answers again"
    with forwarded(port, target):
        another.ensure_leading()
    eventually(lambda: down in messages(another))
    with forwarded(port, target):
        eventually(lambda: up in messages(another))
    process = another.process
    assert process
    eventually(lambda: process.poll() is not None)
    assert process.returncode == 1
    assert messages(another)[-4:] == [down, up, down, "stopped: the lease is lost"]


def test_a_standby_is_ready_and_takes_over_when_the_leader_stops(
    operator: Operator, another: Operator, site: Site, shell: Shell
) -> None:
    another.environment["LEASE_NAME"] = "weather-operator"
    another.start()
    eventually(lambda: another.get("/readyz")[0] == 200)
    eventually(lambda: "waiting for the lease" in messages(another))
    assert another.metric("weather_operator_leader") == 0
    assert holder(shell, "weather-operator") == "under-test"
    assert operator.stop() == 0
    assert holder(shell, "weather-operator") in ("", "another")
    eventually(lambda: another.metric("weather_operator_leader") == 1)
    site.apply()
    site.wait_for("Serving")
    assert another.stop() == 0
    operator.ensure_leading()


def test_a_stopped_operator_gives_its_lease_back_at_once(another: Operator, shell: Shell) -> None:
    another.environment["WATCH_NAMESPACES"] = "kube-public"
    another.ensure_leading()
    assert holder(shell, another.environment["LEASE_NAME"]) == "another"
    assert another.stop() == 0
    assert holder(shell, another.environment["LEASE_NAME"]) == ""
    assert messages(another)[-2:] == ["the lease is given back", "stopped"]
    assert another.lines()[-1]["cause"] == "SIGTERM"


def test_its_first_line_says_how_it_ended_before(
    another: Operator, shell: Shell, namespace: str
) -> None:
    another.environment |= {"POD_NAME": "before", "POD_NAMESPACE": namespace}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "before", "namespace": namespace},
        "spec": {"schedulerName": "nobody", "containers": [{"name": "operator", "image": "none"}]},
    }
    shell.apply(pod)
    ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-02T03:04:05Z"}
    killed = {"lastState": {"terminated": {**ended, "message": "{}\nlast\n"}}}
    status = {"name": "operator", "ready": True, "restartCount": 1, "image": "", "imageID": ""}
    patch = json.dumps({"status": {"containerStatuses": [{**status, **killed}]}})
    arguments = ("pod/before", "--subresource=status", "--type=merge", "-p", patch)
    shell.kubectl("-n", namespace, "patch", *arguments)
    another.ensure_leading()
    first = another.lines()[0]
    assert first["message"] == "starting"
    assert (first["former_end"], first["former_exit_code"]) == ("OOMKilled", 137)
    assert first["former_last_line"] == "last"


def test_a_leader_whose_lease_is_taken_ends(another: Operator, shell: Shell) -> None:
    another.environment["WATCH_NAMESPACES"] = "kube-public"
    another.ensure_leading()
    patch = json.dumps({"spec": {"holderIdentity": "thief"}})
    lease = f"lease/{another.environment['LEASE_NAME']}"
    shell.kubectl("-n", "default", "patch", lease, "--type=merge", "-p", patch)
    process = another.process
    assert process
    eventually(lambda: process.poll() is not None)
    assert process.returncode == 1
    assert another.lines()[-1]["message"] == "stopped: the lease is lost"
    assert holder(shell, another.environment["LEASE_NAME"]) == "thief"


def test_it_acts_only_in_the_namespaces_it_is_given(
    operator: Operator, another: Operator, shell: Shell, namespace: str
) -> None:
    operator.stop()
    shell.kubectl("create", "namespace", f"{namespace}-out")
    inside = Site(shell=shell, namespace=namespace)
    outside = Site(shell=shell, namespace=f"{namespace}-out")
    another.environment["WATCH_NAMESPACES"] = f"kube-public, {namespace}"
    another.ensure_leading()
    outside.apply()
    inside.apply()
    inside.wait_for("Serving")
    inside.apply(colour="green")
    eventually(lambda: inside.status().get("version") == "2.0.0")
    assert outside.get()["status"] == {"observedGeneration": -1}
    shell.kubectl("delete", "namespace", outside.namespace, "--wait=false")
    another.stop()


def test_metrics_tell_what_it_did_and_how_the_apps_are(operator: Operator, site: Site) -> None:
    # What was asked before its watches began is served, and not measured.
    site.apply(colour="yellow")
    site.wait_for("Serving")
    before = {name: operator.metric(name) for name in (RECONCILES, CONVERGED)}
    site.apply(colour="green")
    site.wait_for("Serving")
    eventually(lambda: operator.metric(RECONCILES) > before[RECONCILES])
    eventually(lambda: operator.metric(CONVERGED) > before[CONVERGED])
    london = f'name="london",namespace="{site.namespace}"'
    info = f'weather_app_info{{colour="green",{london},reason="Serving",version="2.0.0"}} 1.0'
    eventually(lambda: info in operator.get("/metrics")[1])
    text = operator.get("/metrics")[1]
    assert 'weather_operator_api_requests_total{code="200",kind="weatherapps",verb="apply"}' in text
    assert operator.metric("weather_operator_leader") == 1
    assert operator.metric("weather_operator_queue_oldest_age_seconds") < 30
    assert 0 <= age(text, "weatherapps") < 30
    assert f"weather_app_replicas_ready{{{london}}} 2.0" in text
    site.kubectl("delete", "wa/london")
    eventually(lambda: london not in operator.get("/metrics")[1])


RECONCILES = "weather_operator_reconciles_total"
CONVERGED = "weather_operator_converge_duration_seconds_count"


def age(text: str, kind: str) -> float:
    name = f'weather_operator_watch_age_seconds{{kind="{kind}"}} '
    return next(float(line[len(name) :]) for line in text.splitlines() if line.startswith(name))
