"""Many WeatherApps with their children, gathered by app: read once, or kept up by watching."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from weather_operator.kube.resources import DEPLOYMENT, POD, Key, Kind, key_of
from weather_operator.model import WEATHER_APP
from weather_operator.render.labels import INSTANCE_LABEL

from kubectl_weather.api import Api
from kubectl_weather.errors import NotFoundError
from kubectl_weather.sites import EVERY_CHILD, REPLICA_SET, Site, labels_of, site

Body = dict[str, Any]

KINDS = (WEATHER_APP, DEPLOYMENT, REPLICA_SET, POD)


class Fleet:
    """The bodies of apps and children. What changes it returns the app that looks different now."""

    def __init__(self) -> None:
        self._bodies: dict[Kind, dict[Key, dict[str, Body]]] = {
            kind: defaultdict(dict) for kind in KINDS
        }

    def put(self, kind: Kind, body: Body) -> Key:
        """Take an object in."""
        key = _app_of(kind, body)
        self._bodies[kind][key][body["metadata"]["uid"]] = body
        return key

    def remove(self, kind: Kind, body: Body) -> Key:
        """Forget an object."""
        key = _app_of(kind, body)
        found = self._bodies[kind][key]
        found.pop(body["metadata"]["uid"], None)
        if not found:
            del self._bodies[kind][key]
        return key

    def replace(self, kind: Kind, bodies: Iterable[Body]) -> set[Key]:
        """Take the whole list of a kind in, and forget what is not in it."""
        touched = set(self._bodies[kind])
        self._bodies[kind].clear()
        return touched | {self.put(kind, body) for body in bodies}

    def keys(self) -> list[Key]:
        """Return the apps by namespace and name."""
        return sorted(self._bodies[WEATHER_APP], key=str)

    def site(self, key: Key) -> Site | None:
        """Return an app with all that it is made of, None where there is no such app."""
        apps = self.bodies(WEATHER_APP, key)
        if not apps:
            return None
        return site(apps[-1], *(self.bodies(kind, key) for kind in KINDS[1:]))

    def sites(self) -> list[Site]:
        """Return every app with all that it is made of."""
        return [found for key in self.keys() if (found := self.site(key))]

    def bodies(self, kind: Kind, key: Key) -> list[Body]:
        """Return an app's objects of a kind."""
        return list(self._bodies[kind].get(key, {}).values())


def read(api: Api, name: str | None = None) -> Fleet:
    """Return one app of the namespace, or every app of the namespace or of all, as it is now.

    Raises NotFoundError where there is no app of this name.
    """
    fleet = Fleet()
    if name:
        fleet.put(WEATHER_APP, app_called(api, name))
    else:
        fleet.replace(WEATHER_APP, api.list(WEATHER_APP, namespace=api.namespace))
    labels = labels_of(name) if name else EVERY_CHILD
    for kind in KINDS[1:]:
        fleet.replace(kind, api.list(kind, namespace=api.namespace, labels=labels))
    return fleet


def app_called(api: Api, name: str) -> Body:
    """Return the WeatherApp of this name. Raises NotFoundError, with what there is instead."""
    try:
        return api.get(WEATHER_APP, Key(namespace=api.namespace, name=name))
    except NotFoundError:
        there = [str(key_of(each)) for each in api.list(WEATHER_APP)]
        raise NotFoundError(_no_such_app(api.namespace, name, there)) from None


def _no_such_app(namespace: str, name: str, there: list[str]) -> str:
    sentence = f"there is no WeatherApp {name} in namespace {namespace}"
    if elsewhere := [key for key in there if key.endswith(f"/{name}")]:
        return f"{sentence}: did you mean that of namespace {elsewhere[0].split('/')[0]} (-n)?"
    from difflib import get_close_matches

    beside = [key.split("/")[1] for key in there if key.startswith(f"{namespace}/")]
    if near := get_close_matches(name, beside, n=1):
        return f"{sentence}: did you mean {near[0]}?"
    return f"{sentence}: kubectl get weatherapps -A lists those there are"


def _app_of(kind: Kind, body: Body) -> Key:
    metadata = body["metadata"]
    if kind is WEATHER_APP:
        return key_of(body)
    name = metadata.get("labels", {}).get(INSTANCE_LABEL, "")
    return Key(namespace=metadata["namespace"], name=name)
