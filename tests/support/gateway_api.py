"""The Gateway API in a cluster, and what a Gateway's controller writes, played by a test."""

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Site
from weather_cluster import gateway, settings

KINDS = ("gateways", "httproutes")
HTTP = {"name": "http", "port": 80, "protocol": "HTTP"}


@cache
def definitions() -> tuple[Path, ...]:
    """The files with the two kinds that the operator knows; Go fetches them the first time."""
    return tuple(gateway.definitions(settings.from_environment(), KINDS))


def install(shell: Shell) -> None:
    """Bring the two kinds into a cluster, and return once they are served."""
    for kind, file in zip(KINDS, definitions(), strict=True):
        shell.kubectl("apply", "--server-side", "-f", str(file))
        eventually(partial(_is_served, shell, kind))


def remove(shell: Shell) -> None:
    """Take them away with all objects of theirs."""
    for file in definitions():
        shell.kubectl("delete", "--ignore-not-found", "--wait=true", "-f", str(file))


def make_gateway(site: Site, *listeners: dict[str, Any]) -> None:
    """Apply the Gateway called public, and give it an address."""
    site.shell.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": site.namespace},
            "spec": {"gatewayClassName": "example", "listeners": list(listeners)},
        }
    )
    addresses = {"status": {"addresses": [{"type": "IPAddress", "value": "203.0.113.5"}]}}
    _patch_status(site, "gateway/public", addresses)


def accept(site: Site, status: str, message: str) -> None:
    """Answer the route as a Gateway's controller does."""
    reason = "Accepted" if status == "True" else "NotAllowedByListeners"
    _answer(site, _condition("Accepted", status, reason, message))


def take_up(site: Site, *, names_generation: bool = True) -> None:
    """Say that the route is accepted, and that its backends are served as it is written now."""
    generation = site.get("httproute")["metadata"]["generation"]
    named = {"observedGeneration": generation} if names_generation else {}
    _answer(
        site,
        {**_condition("Accepted", "True", "Accepted", ""), **named},
        {**_condition("ResolvedRefs", "True", "ResolvedRefs", ""), **named},
    )


def leave(site: Site) -> None:
    """Delete the Gateway, and take back what its controller said of the route."""
    site.kubectl("delete", "gateway/public")
    _answer(site)


def _is_served(shell: Shell, kind: str) -> bool:
    return shell.run("kubectl", "get", kind, "-A").returncode == 0


def _condition(kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-01-01T10:00:00Z",
    }


def _answer(site: Site, *conditions: dict[str, Any]) -> None:
    parent = {
        "parentRef": {"name": "public"},
        "controllerName": "example.com/gateway",
        "conditions": list(conditions),
    }
    parents = {"status": {"parents": [parent] if conditions else []}}
    _patch_status(site, "httproute/london", parents)


def _patch_status(site: Site, where: str, patch: dict[str, Any]) -> None:
    options = ("--subresource=status", "--type=merge")
    site.kubectl("patch", where, *options, "-p", json.dumps(patch))
