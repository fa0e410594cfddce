"""Many WeatherApps in one namespace, and their worlds without what differs from app to app."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from support.deadlines import eventually
from support.kubectl import Shell
from support.manifests import VERSIONS
from support.operator import current_status, weather_app

KINDS = (
    "weatherapps",
    "deployments",
    "replicasets",
    "services",
    "poddisruptionbudgets",
    "horizontalpodautoscalers",
    "ingresses",
)
_MASKED = frozenset(
    {
        *("uid", "resourceVersion", "creationTimestamp", "managedFields", "selfLink"),
        *(
            "lastTransitionTime",
            "lastUpdateTime",
            "startedAt",
            "deadline",
            "at",
            "since",
            "seconds",
        ),
        *("clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort", "pod-template-hash", "url"),
        *("revision", "weather.quantspark.io/revision", "message", "lastScaleTime"),
        "kubectl.kubernetes.io/last-applied-configuration",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The WeatherApps of one namespace."""

    shell: Shell
    namespace: str

    def apply(self, specs: Mapping[str, Mapping[str, Any]]) -> None:
        """Apply a WeatherApp of each name with its spec, all at once."""
        items = [weather_app(name, self.namespace, **spec) for name, spec in specs.items()]
        self.shell.apply({"apiVersion": "v1", "kind": "List", "items": items})

    def delete(self, names: Iterable[str]) -> None:
        """Delete these WeatherApps, and do not wait for what follows."""
        self.shell.kubectl("-n", self.namespace, "delete", "wa", "--wait=false", *names)

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Each app's status, empty while it is not about what its user wants now."""
        found = self.shell.get("-n", self.namespace, "weatherapps")["items"]
        return {each["metadata"]["name"]: current_status(each) for each in found}

    def wait_until(
        self, reason: str, wishes: Mapping[str, Mapping[str, Any]], *, seconds: float = 180
    ) -> None:
        """Return when each app has the version and the number that its user wants, and says so."""

        def reached() -> bool:
            self.assert_told(reason, wishes)
            return True

        eventually(reached, seconds=seconds, every=0.25)

    def assert_told(self, reason: str, wishes: Mapping[str, Mapping[str, Any]]) -> None:
        """Assert that each app says now that it has what its user wants."""
        statuses = self.statuses()
        late = {
            name: told
            for name, spec in wishes.items()
            if (told := _told(statuses.get(name, {}))) != _wish(reason, spec, told)
        }
        assert not late, f"{len(late)} of {len(wishes)} are late: {dict([*late.items()][:5])}"

    def worlds(self) -> dict[str, dict[str, Any]]:
        """What there is of each app, by kind, without times, uids, addresses and its own name."""
        found = self.shell.get("-n", self.namespace, ",".join(KINDS))["items"]
        worlds: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
        for body in found:
            app = _app_of(body)
            worlds[app][body["kind"]].append(_masked(body, app))
        for world in worlds.values():
            for bodies in world.values():
                bodies.sort(key=lambda body: json.dumps(body, sort_keys=True))
        return {app: dict(world) for app, world in worlds.items()}


def assert_alike(fleet: Fleet, apps: Iterable[str], world: Mapping[str, Any] | str) -> None:
    """Assert that each app's world becomes like this one, or like that of the app of this name.

    A moment after an app is told to serve the cluster's own controllers still count its pods.
    """
    names = list(apps)

    def alike() -> bool:
        worlds = fleet.worlds()
        expected = worlds[world] if isinstance(world, str) else world
        wrong = {app: differences(worlds[app], expected) for app in names}
        assert not {app: found for app, found in wrong.items() if found}
        return True

    eventually(alike, every=0.5)


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Name the places where two worlds differ, with both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted(one.keys() | other.keys())
        return [
            found
            for name in names
            for found in differences(one.get(name), other.get(name), f"{path}.{name}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [found for n, pair in pairs for found in differences(*pair, f"{path}[{n}]")]
    return [] if one == other else [f"{path}: {one!r} != {other!r}"]


def _told(status: dict[str, Any]) -> tuple[str, str, str]:
    ready: dict[str, Any] = next(
        (c for c in status.get("conditions", ()) if c["type"] == "Ready"), {}
    )
    return ready.get("reason", ""), status.get("version", ""), status.get("ready", "")


def _wish(reason: str, spec: Mapping[str, Any], told: tuple[str, str, str]) -> tuple[str, str, str]:
    if reason != "Serving":
        return reason, told[1], told[2]
    number = spec.get("replicas", 2)
    return reason, VERSIONS[spec.get("colour", "yellow")], f"{number}/{number}"


def _app_of(body: dict[str, Any]) -> str:
    name: str = body["metadata"]["name"]
    owners = body["metadata"].get("ownerReferences", ())
    is_ours = body["kind"] != "ReplicaSet"
    return name if is_ours else owners[0]["name"]


def _type(item: Any) -> str:
    """What conditions are told apart by: the order of a Deployment's is that of its history."""
    return str(item["type"]) if isinstance(item, dict) and "type" in item else ""


def _masked(value: Any, app: str) -> Any:
    if isinstance(value, dict):
        if value.get("kind") == "ReplicaSet":
            # How many steps the cluster's own controllers take is their business.
            value["metadata"].pop("generation")
            value["status"].pop("observedGeneration", None)
        return {key: _masked(item, app) for key, item in value.items() if key not in _MASKED}
    if isinstance(value, list):
        items = [_masked(item, app) for item in value]
        return sorted(items, key=_type) if all(map(_type, items)) else items
    if isinstance(value, str):
        named = re.sub(rf"\b{re.escape(app)}(-[0-9a-f]{{6,10}})?\b", "APP", value)
        return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", named)
    return value
