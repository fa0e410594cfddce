"""The kubelet's part, played by a test: what pods say of their containers where none really run."""

import json
from datetime import UTC, datetime
from typing import Any

from support.operator import Site

LATE = {"annotations": {"test/ready-after": "1h"}}
"""`spec.pod` of an app whose pods stay as they were scheduled until the test says otherwise."""


def pods_of(site: Site, **labels: str) -> list[dict[str, Any]]:
    """The site's pods that have these labels, by name."""
    found: list[dict[str, Any]] = site.shell.get("-n", site.namespace, "pods")["items"]
    return [
        each
        for each in found
        if labels.items() <= each["metadata"]["labels"].items()
        and "deletionTimestamp" not in each["metadata"]
    ]


def waits(site: Site, pod: dict[str, Any], reason: str, message: str) -> None:
    """The container cannot start for this reason."""
    state = {"waiting": {"reason": reason, "message": message}}
    _set_status(site, pod, phase="Pending", ready=False, state=state)


def runs(site: Site, pod: dict[str, Any], *, ready: bool, pod_ready: bool | None = None) -> None:
    """The container runs from now on; the pod is as ready as it, unless a gate is not passed."""
    state = {"running": {"startedAt": _now()}}
    pod_is_ready = ready if pod_ready is None else pod_ready
    _set_status(site, pod, phase="Running", ready=ready, state=state, pod_ready=pod_is_ready)


def _set_status(
    site: Site,
    pod: dict[str, Any],
    *,
    phase: str,
    ready: bool,
    state: dict[str, Any],
    pod_ready: bool = False,
) -> None:
    conditions = [
        {"type": "ContainersReady", "status": str(ready), "lastTransitionTime": _now()},
        {"type": "Ready", "status": str(pod_ready), "lastTransitionTime": _now()},
    ]
    container = pod["spec"]["containers"][0]
    status = {
        "phase": phase,
        "conditions": conditions,
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": ready,
                "restartCount": 0,
                "state": state,
            }
        ],
    }
    name, patch = pod["metadata"]["name"], json.dumps({"status": status})
    site.kubectl("patch", "pod", name, "--subresource=status", "--type=strategic", "-p", patch)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
