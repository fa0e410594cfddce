"""One leads, whatever happens to processes and to writes on their way."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.deadlines import eventually
from support.faults import Proxy, Request
from support.kubectl import Shell
from support.operator import Operator, Site, audited, is_write
from weather_cluster.clusters import Cluster

TAKEN_OVER_SECONDS = 120


@pytest.fixture
def proxy(control_plane: Cluster, tmp_path: Path) -> Iterator[Proxy]:
    with Proxy(control_plane.kubeconfig).running(tmp_path / "proxied") as proxy:
        yield proxy


def last_line(operator: Operator) -> tuple[str, str]:
    last = operator.lines()[-1]
    return last["message"], last["cause"]


def holder(shell: Shell) -> str:
    lease = shell.get("-n", "default", "lease", "weather-operator")
    return str(lease["spec"]["holderIdentity"])


def is_deployment_of(asked: Request, namespace: str) -> bool:
    return (asked.namespace, asked.kind, asked.verb) == (namespace, "deployments", "apply")


def test_a_process_that_stood_still_writes_nothing_when_it_is_woken(
    operator: Operator, another: Operator, site: Site, control_plane: Cluster
) -> None:
    site.apply()
    site.wait_for("Serving")
    stopped = operator.process
    assert stopped
    stopped.send_signal(signal.SIGSTOP)
    another.environment["LEASE_NAME"] = "weather-operator"
    another.start()
    eventually(lambda: another.metric("weather_operator_leader") == 1, seconds=TAKEN_OVER_SECONDS)
    site.apply(colour="green")
    site.wait_for("Serving")
    another.kill()
    # The one that is woken learns of this at once, from the watches that it still has.
    site.apply(colour="yellow")
    since = control_plane.audit_log.stat().st_size
    stopped.send_signal(signal.SIGCONT)
    eventually(lambda: stopped.poll() is not None)
    written = [each for each in audited(control_plane.audit_log, since=since) if is_write(each)]
    assert [f"{each['verb']} {each['requestURI']}" for each in written] == []
    assert stopped.returncode == 1
    message, cause = last_line(operator)
    assert message == "stopped: the lease is lost"
    assert "stood still for" in cause


def test_a_write_that_is_late_does_not_undo_what_the_next_leader_did(
    operator: Operator, another: Operator, site: Site, proxy: Proxy
) -> None:
    site.apply()
    site.wait_for("Serving")
    operator.stop()
    # The same identity, so that the next one leads at once.
    another.environment |= {"LEASE_NAME": "weather-operator", "POD_NAME": "under-test"}
    another.kubeconfig = proxy.kubeconfig
    another.ensure_leading()
    late = proxy.delay(lambda asked: is_deployment_of(asked, site.namespace))
    site.apply(colour="green")
    assert late.arrived.wait(60)
    another.kill()
    site.apply(colour="yellow", replicas=3)
    operator.ensure_leading()
    site.wait_for("Serving")
    before = site.get("deployment")["metadata"]["generation"]
    late.let_go.set()
    answers = eventually(
        lambda: [code for asked, code in proxy.answered if is_deployment_of(asked, site.namespace)]
    )
    assert answers == [409]
    assert site.get("deployment")["metadata"]["generation"] == before


def test_the_lease_is_given_back_after_the_last_write_has_ended(
    operator: Operator, another: Operator, site: Site, proxy: Proxy, shell: Shell
) -> None:
    operator.stop()
    another.kubeconfig = proxy.kubeconfig
    another.environment["LEASE_NAME"] = "weather-operator"
    another.ensure_leading()
    late = proxy.delay(lambda asked: is_deployment_of(asked, site.namespace))
    site.apply()
    assert late.arrived.wait(60)
    process = another.process
    assert process
    process.terminate()
    with pytest.raises(AssertionError):
        eventually(lambda: process.poll() is not None or not holder(shell), seconds=2)
    late.let_go.set()
    assert process.wait(60) == 0

    def answered() -> list[str]:
        return [asked.kind for asked, _ in proxy.answered if asked.verb in ("apply", "update")]

    # The process may have gone before the proxy has noted what it answered.
    eventually(lambda: "deployments" in answered() and answered()[-1] == "leases")
    assert not holder(shell)
    assert last_line(another) == ("stopped", "SIGTERM")
    operator.ensure_leading()
    site.wait_for("Serving")
