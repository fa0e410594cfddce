"""All WeatherApps of a selection with their children: read once, or kept up by a watch."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress

from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    HTTP_ROUTE,
    INGRESS,
    POD,
    REPLICA_SET,
    SERVICE,
    Key,
    Kind,
    Manifest,
    key_of,
)
from weather_operator.model import WEATHER_APP
from weather_operator.render.labels import INSTANCE_LABEL

from kubectl_weather.client import Client
from kubectl_weather.errors import UNSEEN, ForbiddenError, NotFoundError
from kubectl_weather.model import ALL_CHILDREN, Site, children_labels, site

KINDS = (WEATHER_APP, DEPLOYMENT, REPLICA_SET, POD)
"""What every view of an app needs, in the order in which `site` takes them."""

ACCESS_KINDS = (SERVICE, AUTOSCALER, INGRESS, HTTP_ROUTE)
"""What a tree shows beside; a user may lack the right to see them, or the cluster the kind."""


class Snapshot:
    """The objects of WeatherApps, by app.

    What changes it returns the keys of the apps that look different afterwards.
    """

    def __init__(self) -> None:
        self._bodies: dict[Kind, dict[Key, dict[str, Manifest]]] = {
            kind: defaultdict(dict) for kind in (*KINDS, *ACCESS_KINDS)
        }
        self._apps: dict[Kind, dict[str, Key]] = {kind: {} for kind in self._bodies}

    def put(self, kind: Kind, body: Manifest) -> set[Key]:
        """Add an object, or replace it, also where it was of another app by its labels."""
        key, uid = _app_of(kind, body), body["metadata"]["uid"]
        changed = {key} | self._drop(kind, uid)
        self._bodies[kind][key][uid] = body
        self._apps[kind][uid] = key
        return changed

    def remove(self, kind: Kind, body: Manifest) -> set[Key]:
        """Remove an object."""
        return {_app_of(kind, body)} | self._drop(kind, body["metadata"]["uid"])

    def replace(self, kind: Kind, bodies: Iterable[Manifest]) -> set[Key]:
        """Replace all objects of a kind."""
        changed = set(self._bodies[kind])
        self._bodies[kind].clear()
        self._apps[kind].clear()
        return changed.union(*(self.put(kind, body) for body in bodies))

    def keys(self) -> list[Key]:
        """Return the apps by namespace and name."""
        return sorted(self._bodies[WEATHER_APP], key=str)

    def site(self, key: Key) -> Site | None:
        """Return an app with all that it is made of, None where there is no such app."""
        apps = self.bodies(WEATHER_APP, key)
        if not apps:
            return None
        # Items of a list do not say their kind.
        access = [
            {**body, "kind": kind.name} for kind in ACCESS_KINDS for body in self.bodies(kind, key)
        ]
        return site(apps[-1], *(self.bodies(kind, key) for kind in KINDS[1:]), access=access)

    def sites(self) -> list[Site]:
        """Return every app with all that it is made of."""
        return [found for key in self.keys() if (found := self.site(key))]

    def bodies(self, kind: Kind, key: Key) -> list[Manifest]:
        """Return an app's objects of a kind."""
        return list(self._bodies[kind].get(key, {}).values())

    def _drop(self, kind: Kind, uid: str) -> set[Key]:
        """Remove an object by its uid, if it is there, and return the app that had it."""
        key = self._apps[kind].pop(uid, None)
        if key is None:
            return set()
        del self._bodies[kind][key][uid]
        if not self._bodies[kind][key]:
            del self._bodies[kind][key]
        return {key}


def read_snapshot(
    client: Client, name: str | None = None, *, with_access: bool = False
) -> Snapshot:
    """Return one app of the namespace, or every app of the namespace or of all, as it is now.

    With access to it, as far as the user may see that. Raises NotFoundError where there is no app
    of this name.
    """
    snapshot = Snapshot()
    if name:
        snapshot.put(WEATHER_APP, get_app(client, name))
    else:
        snapshot.replace(WEATHER_APP, client.list(WEATHER_APP, namespace=client.namespace))
    labels = children_labels(name) if name else ALL_CHILDREN
    for kind in KINDS[1:]:
        snapshot.replace(kind, client.list(kind, namespace=client.namespace, labels=labels))
    for kind in ACCESS_KINDS if with_access else ():
        with suppress(*UNSEEN):
            snapshot.replace(kind, client.list(kind, namespace=client.namespace, labels=labels))
    return snapshot


def get_app(client: Client, name: str) -> Manifest:
    """Return the WeatherApp of this name. Raises NotFoundError, with a name that may be meant."""
    try:
        return client.get(WEATHER_APP, Key(namespace=client.namespace, name=name))
    except NotFoundError:
        raise NotFoundError(_no_such_app(client.namespace, name, _existing(client))) from None


def _existing(client: Client) -> list[str]:
    """Return the apps that the user may see: of all namespaces, of the own one, or none."""
    for namespace in ("", client.namespace):
        with suppress(ForbiddenError):
            return [str(key_of(each)) for each in client.list(WEATHER_APP, namespace=namespace)]
    return []


def _no_such_app(namespace: str, name: str, existing: list[str]) -> str:
    sentence = f"there is no WeatherApp {name} in namespace {namespace}"
    if elsewhere := [key for key in existing if key.endswith(f"/{name}")]:
        return f"{sentence}: did you mean that of namespace {elsewhere[0].split('/')[0]} (-n)?"
    from difflib import get_close_matches

    beside = [key.split("/")[1] for key in existing if key.startswith(f"{namespace}/")]
    if near := get_close_matches(name, beside, n=1):
        return f"{sentence}: did you mean {near[0]}?"
    return f"{sentence}: kubectl get weatherapps -A lists those there are"


def _app_of(kind: Kind, body: Manifest) -> Key:
    metadata = body["metadata"]
    if kind is WEATHER_APP:
        return key_of(body)
    name = metadata.get("labels", {}).get(INSTANCE_LABEL, "")
    return Key(namespace=metadata["namespace"], name=name)
