"""The latest body of everything that is watched, or that a write of ours was answered with."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from weather_operator.drift import is_applied_by, managed_fields
from weather_operator.kinds import (
    GATEWAY,
    NODE,
    WATCHED,
    WEATHER_APP,
    WEATHER_RELEASE,
    Key,
    Kind,
    Manifest,
    controller_of,
    key_of,
)
from weather_operator.model import WeatherApp, is_scaling

FIELD_MANAGER = "weather-operator"
REPLICAS_MANAGER = "weather-operator-replicas"

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_REMEMBERED_GONE = 4096


def is_ours(live: Manifest, app: WeatherApp) -> bool:
    """Tell whether a child is this app's: controlled by it, or by none and once applied by us."""
    owner = controller_of(live)
    if owner is None:
        return managed_fields(live, manager=FIELD_MANAGER) is not None
    same: bool = owner["uid"] == app.uid
    return same


class Store:
    """Bodies by kind and key, never going back in time.

    Watch events and answers to writes arrive in any order: the higher resourceVersion wins (of one
    kind they are comparable numbers), also over a deletion: to a watch by label, an object that
    loses the label is deleted too.
    """

    def __init__(self) -> None:
        self._bodies: dict[Kind, dict[Key, Manifest]] = {kind: {} for kind in WATCHED}
        self._gone: OrderedDict[str, int] = OrderedDict()

    def put(self, kind: Kind, body: Manifest) -> bool:
        """Take a body in; return whether it told something new."""
        key, known = key_of(body), self._bodies[kind].get(key_of(body))
        if _version(body) <= self._gone.get(body["metadata"]["uid"], 0):
            return False
        if known and _is_same(known, body) and _version(body) <= _version(known):
            return False
        slim = _slim(kind, body)
        self._bodies[kind][key] = slim
        return known is None or kind not in _SLIM or known["status"] != slim["status"]

    def remove(self, kind: Kind, body: Manifest) -> bool:
        """Forget an object that was deleted; return whether it was the one known by its name."""
        self._gone[body["metadata"]["uid"]] = _version(body)
        if len(self._gone) > _REMEMBERED_GONE:
            self._gone.popitem(last=False)
        key, known = key_of(body), self._bodies[kind].get(key_of(body))
        if known is None or not _is_same(known, body):
            return False
        del self._bodies[kind][key]
        return True

    def forget(self, kind: Kind, key: Key) -> None:
        """Forget what is known under a name, since the API says that it is not so."""
        self._bodies[kind].pop(key, None)

    def absent(
        self, kind: Kind, listing: Iterable[Manifest], *, namespace: str, resource_version: str
    ) -> list[Manifest]:
        """Return what is known of one namespace, or of all, but was gone when a list was taken."""
        listed = {body["metadata"]["uid"] for body in listing}
        return [
            body
            for key, body in self._bodies[kind].items()
            if namespace in ("", key.namespace)
            and body["metadata"]["uid"] not in listed
            # What came after the list was taken is younger than the list, not deleted.
            and _version(body) <= int(resource_version)
        ]

    def get(self, kind: Kind, key: Key) -> Manifest | None:
        """Return the latest body, if the object exists."""
        return self._bodies[kind].get(key)

    def all(self, kind: Kind) -> Iterator[Manifest]:
        """Return the latest bodies of a kind."""
        yield from list(self._bodies[kind].values())

    def keys(self, kind: Kind) -> list[Key]:
        """Return the keys of a kind."""
        return list(self._bodies[kind])

    def node_address(self) -> str | None:
        """Return the address at which NodePorts answer: of the first usable node, external first.

        Nodes go by name, so the answer is stable; ready ones come before others.
        """
        found = [
            (not node["status"]["ready"], node["metadata"]["name"], address)
            for node in self.all(NODE)
            if (address := node["status"]["address"])
        ]
        return min(found)[2] if found else None

    def releases(self) -> list[Manifest]:
        """Return the catalogue's bodies."""
        return list(self.all(WEATHER_RELEASE))


def _version(body: Manifest) -> int:
    return int(body["metadata"]["resourceVersion"])


def _is_same(one: Manifest, other: Manifest) -> bool:
    same: bool = one["metadata"]["uid"] == other["metadata"]["uid"]
    return same


def _slim(kind: Kind, body: Manifest) -> Manifest:
    """Keep what is read later: memory is by far the most of what thousands of apps cost."""
    metadata = dict(body["metadata"])
    if kind in _SLIM:
        names = ("namespace", "name", "uid", "resourceVersion")
        kept = {name: metadata[name] for name in names if name in metadata}
        return {"metadata": kept, "status": _SLIM[kind](body)}
    metadata["managedFields"] = [
        entry
        for entry in metadata.get("managedFields", ())
        if is_applied_by(entry, FIELD_MANAGER)
        or is_applied_by(entry, REPLICAS_MANAGER)
        or (kind is WEATHER_APP and is_scaling(entry))
    ]
    if _LAST_APPLIED in metadata.get("annotations", {}):
        annotations = dict(metadata["annotations"])
        del annotations[_LAST_APPLIED]
        metadata["annotations"] = annotations
    return {**body, "metadata": metadata}


def _entry(gateway: Manifest) -> Manifest:
    addresses = gateway.get("status", {}).get("addresses") or [{}]
    return {"address": addresses[0].get("value"), "listeners": gateway["spec"]["listeners"]}


def _reach(node: Manifest) -> Manifest:
    status: Manifest = node.get("status", {})
    addresses: dict[str, Any] = {}
    for each in status.get("addresses", ()):
        addresses.setdefault(each["type"], each["address"])
    conditions = status.get("conditions", ())
    return {
        "address": addresses.get("ExternalIP") or addresses.get("InternalIP"),
        "ready": any(each["type"] == "Ready" and each["status"] == "True" for each in conditions),
    }


# What many share changes often, and little of it is of interest.
_SLIM = {NODE: _reach, GATEWAY: _entry}
