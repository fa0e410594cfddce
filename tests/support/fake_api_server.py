"""An API server in memory, with the interface of `kube.client.Client`.

It knows what the operator can tell from outside: resourceVersions, uids, generations, the status
subresource, server-side apply with managedFields, preconditions and conflicts. It has no schema
and no controllers, but no apply makes a Deployment without a template; `replicas` and a
WeatherApp's status have a default. That it does as the real one is tested in
tests/integration/operator/test_fake_api_server.py.
"""

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from support import server_side_apply
from weather_operator.kube.client import Client
from weather_operator.kube.errors import ConflictError, NotFoundError, RefusedError
from weather_operator.kube.resources import (
    DEPLOYMENT,
    EVENT,
    LEASE,
    SERVICE,
    Key,
    Kind,
    Manifest,
    key_of,
)
from weather_operator.model import WEATHER_APP

_IDENTITY = ("namespace", "name", "uid", "resourceVersion", "generation", "managedFields")
_WITHOUT_GENERATION = (EVENT, LEASE, SERVICE)
_FIRST_VERSION = 100
_PAGE = 2
_DEFAULT_REPLICAS = {DEPLOYMENT: 1, WEATHER_APP: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of the API; `part` is the subresource or the field manager, where there is one."""

    verb: str
    kind: Kind
    key: Key
    part: str = ""

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.verb in ("apply", "create", "replace", "patch", "delete")

    def __str__(self) -> str:
        return " ".join(filter(None, (self.verb, self.kind.name, str(self.key), self.part)))


class FakeApiServer(Client):
    """Objects by kind and key; kinds in `unserved` are not there.

    `writes` has the requests that changed something. `before` is called with each request, and
    `after` with each that has changed something: either may raise, as an API server or a connection
    that ends would. `admission` is what the cluster's policies make of a body on its way into the
    store.
    """

    def __init__(self) -> None:
        self.unserved: set[Kind] = set()
        self.before: Callable[[Request], None] = lambda _: None
        self.after: Callable[[Request], None] = lambda _: None
        self.admission: Callable[[Kind, Manifest], None] = lambda _kind, _body: None
        self.writes: list[Request] = []
        self._objects: dict[tuple[Kind, Key], Manifest] = {}
        self._history: list[tuple[Request, Manifest | None]] = []
        self._changed = asyncio.Event()

    async def apply(
        self, kind: Kind, manifest: Manifest, *, manager: str, force: bool, subresource: str = ""
    ) -> Manifest:
        key = key_of(manifest)
        request = self._begin("apply", kind, key, subresource or manager)
        live = self._objects.get((kind, key))
        _check_preconditions(manifest, live, subresource)
        body = server_side_apply.copy_of(live) or self._new(kind, key)
        declared = _declared(server_side_apply.copy_of(manifest), subresource)
        server_side_apply.apply(
            body, declared, manager=manager, force=force, subresource=subresource
        )
        if kind is DEPLOYMENT and "template" not in body["spec"]:
            raise RefusedError(422, "Invalid", "spec.template: Required value")
        return self._store(request, body)

    async def get(self, kind: Kind, key: Key) -> Manifest | None:
        self._begin("get", kind, key)
        return self.body(kind, key)

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        key = key_of(manifest)
        request = self._begin("create", kind, key)
        if (kind, key) in self._objects:
            raise ConflictError(409, "AlreadyExists", f"{key} already exists")
        body = {**server_side_apply.copy_of(manifest), **self._new(kind, key)}
        body["metadata"] = {**manifest["metadata"], **body["metadata"]}
        return self._store(request, body)

    async def replace(self, kind: Kind, key: Key, body: Manifest) -> Manifest:
        request = self._begin("replace", kind, key)
        live = self._objects.get((kind, key))
        _check_preconditions(body, live, "")
        if live is None:
            raise NotFoundError(404, "NotFound", f"{key} not found")
        replaced = server_side_apply.copy_of(body)
        server_side_apply.update(live, replaced)
        return self._store(request, replaced)

    async def set_managed_fields(
        self, kind: Kind, live: Manifest, entries: Sequence[Manifest]
    ) -> Manifest:
        key = key_of(live)
        request = self._begin("patch", kind, key)
        body = server_side_apply.copy_of(self._objects[kind, key])
        _check_preconditions(live, body, "")
        body["metadata"]["managedFields"] = list(entries)
        return self._store(request, body)

    async def delete(self, kind: Kind, key: Key, *, uid: str) -> None:
        request = self._begin("delete", kind, key)
        if live := self._objects.get((kind, key)):
            if live["metadata"]["uid"] != uid:
                raise ConflictError(409, "Conflict", f"{key} has another uid")
            del self._objects[kind, key]
            self._record(request, None)

    async def pages(
        self, kind: Kind, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> AsyncGenerator[tuple[list[Manifest], str], None]:
        found, version = await self.list(kind, namespace=namespace, labels=labels, fields=fields)
        for first in range(0, max(len(found), 1), _PAGE):
            yield found[first : first + _PAGE], version

    async def list(
        self, kind: Kind, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> tuple[list[Manifest], str]:
        self._begin("list", kind, Key(namespace=namespace, name=""))
        found = [
            server_side_apply.copy_of(body)
            for (each, key), body in self._objects.items()
            if each == kind
            and namespace in ("", key.namespace)
            and _has(body["metadata"].get("labels", {}), labels, lambda name: [name])
            and _has(body, fields, lambda name: name.split("."))
        ]
        return found, str(self._version)

    async def follow(
        self, kind: Kind, key: Key, *, since: str
    ) -> AsyncGenerator[Manifest | None, None]:
        self._begin("follow", kind, key)
        position = max(int(since or 0) - _FIRST_VERSION, 0)
        while True:
            while position < len(self._history):
                request, body = self._history[position]
                position += 1
                if (request.kind, request.key) == (kind, key):
                    yield server_side_apply.copy_of(body)
            self._changed.clear()
            await self._changed.wait()

    async def serves(self, kinds: Sequence[Kind]) -> bool:
        self._begin("discover", kinds[0], Key(name=""))
        return not self.unserved.intersection(kinds)

    def another_client(self) -> "FakeApiServer":
        """Return the same server for another client, whose requests have faults of their own."""
        other = copy.copy(self)
        other.before = other.after = lambda _: None
        return other

    def edit(self, kind: Kind, key: Key, **fields: Any) -> Manifest:
        """Play somebody else, who updates whole fields at the top, such as `spec` or `status`."""
        live = self._objects[kind, key]
        body = server_side_apply.copy_of({**live, **fields})
        server_side_apply.update(live, body)
        return self._store(Request(verb="edit", kind=kind, key=key), body)

    def put(self, kind: Kind, key: Key, body: Manifest) -> None:
        """Play somebody else, who makes an object or replaces it whole."""
        self._store(Request(verb="edit", kind=kind, key=key), server_side_apply.copy_of(body))

    def remove(self, kind: Kind, key: Key) -> None:
        """Play somebody else, who deletes an object."""
        del self._objects[kind, key]
        self._record(Request(verb="remove", kind=kind, key=key), None)

    def body(self, kind: Kind, key: Key) -> Manifest | None:
        """Return an object as it is, without a request."""
        return server_side_apply.copy_of(self._objects.get((kind, key)))

    def bodies(self) -> dict[tuple[Kind, Key], Manifest]:
        """Return all objects."""
        return {key: server_side_apply.copy_of(body) for key, body in self._objects.items()}

    @property
    def _version(self) -> int:
        return _FIRST_VERSION + len(self._history)

    def _begin(self, verb: str, kind: Kind, key: Key, part: str = "") -> Request:
        request = Request(verb=verb, kind=kind, key=key, part=part)
        self.before(request)
        if kind in self.unserved and verb != "discover":
            raise RefusedError(404, "NotFound", "the server could not find the requested resource")
        return request

    def _new(self, kind: Kind, key: Key) -> Manifest:
        namespace = {"namespace": key.namespace} if key.namespace else {}
        metadata = {"name": key.name, **namespace, "uid": f"uid-{self._version + 1}"}
        return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}

    def _store(self, request: Request, body: Manifest) -> Manifest:
        """Store a body unless that changes nothing, with its version and generation."""
        kind, metadata = request.kind, body["metadata"]
        if kind in _DEFAULT_REPLICAS:
            body["spec"].setdefault("replicas", _DEFAULT_REPLICAS[kind])
        if kind is WEATHER_APP:
            body.setdefault("status", {"observedGeneration": -1})
        self.admission(kind, body)
        live = self._objects.get((kind, request.key))
        if body == live:
            return server_side_apply.copy_of(body)
        is_new = live is None or _of_generation(body) != _of_generation(live)
        if kind not in _WITHOUT_GENERATION and is_new:
            metadata["generation"] = metadata.get("generation", 0) + 1
        metadata["resourceVersion"] = str(self._version + 1)
        self._objects[kind, request.key] = body
        self._record(request, body)
        return server_side_apply.copy_of(body)

    def _record(self, request: Request, body: Manifest | None) -> None:
        self._history.append((request, server_side_apply.copy_of(body)))
        self._changed.set()
        if request.verb not in ("edit", "remove"):
            self.writes.append(request)
            self.after(request)


def _declared(manifest: Manifest, subresource: str) -> Manifest:
    """Return what an apply may declare: the subresource alone, or all but the status."""
    if subresource:
        return {subresource: manifest[subresource]}
    metadata = {k: v for k, v in manifest["metadata"].items() if k not in _IDENTITY}
    declared = {**manifest, "metadata": metadata}
    names = ("apiVersion", "kind", "status", *(() if metadata else ("metadata",)))
    return {name: value for name, value in declared.items() if name not in names}


def _of_generation(body: Manifest) -> Manifest:
    return {name: value for name, value in body.items() if name not in ("metadata", "status")}


def _check_preconditions(manifest: Manifest, live: Manifest | None, subresource: str) -> None:
    given = manifest["metadata"]
    if live is None:
        if subresource:
            raise NotFoundError(404, "NotFound", f"{given['name']} not found")
        if "uid" in given:
            raise ConflictError(409, "Conflict", "uid mismatch: there is no such object")
        return
    if (
        given.get("resourceVersion", live["metadata"]["resourceVersion"])
        != (live["metadata"]["resourceVersion"])
    ):
        raise ConflictError(409, "Conflict", "the object has been modified")
    if not subresource and given.get("uid", live["metadata"]["uid"]) != live["metadata"]["uid"]:
        raise RefusedError(422, "Invalid", "metadata.uid: field is immutable")


def _has(body: Manifest, selector: str, path: Callable[[str], list[str]]) -> bool:
    """Tell whether the value at each path is as a selector of labels or fields says."""
    for term in filter(None, selector.split(",")):
        name, _, expected = term.partition("=")
        found: Any = body
        for step in path(name):
            found = found.get(step, {}) if isinstance(found, dict) else {}
        if found != expected:
            return False
    return True
