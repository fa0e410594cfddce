"""The latest body of everything that is watched, or that a write of ours was answered with."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from weather_operator.kube.resources import Key, Kind, Manifest, key_of

_REMEMBERED_DELETIONS = 4096

Projection = Callable[[Kind, Manifest], Manifest]
"""Returns what is kept of a body: its metadata, at least, and what is read of it later."""


class Cache:
    """Bodies by kind and key, never going back in time.

    Watch events and answers to writes arrive in any order: the higher resourceVersion wins (of one
    kind they are comparable numbers), also over a deletion: to a watch by label, an object that
    loses the label is deleted too.
    """

    def __init__(
        self, kinds: Iterable[Kind], *, project: Projection = lambda _kind, body: body
    ) -> None:
        self._bodies: dict[Kind, dict[Key, Manifest]] = {kind: {} for kind in kinds}
        self._project = project
        self._deleted: OrderedDict[str, int] = OrderedDict()

    def put(self, kind: Kind, body: Manifest) -> bool:
        """Take a body in; return whether what is kept of it tells something new."""
        key, known = key_of(body), self._bodies[kind].get(key_of(body))
        if _version(body) <= self._deleted.get(body["metadata"]["uid"], 0):
            return False
        if known and _is_same(known, body) and _version(body) <= _version(known):
            return False
        kept = self._project(kind, body)
        self._bodies[kind][key] = kept
        return known is None or _without_version(known) != _without_version(kept)

    def remove(self, kind: Kind, body: Manifest) -> bool:
        """Forget an object that was deleted; return whether it was the one known by its name."""
        self._deleted[body["metadata"]["uid"]] = _version(body)
        if len(self._deleted) > _REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)
        key, known = key_of(body), self._bodies[kind].get(key_of(body))
        if known is None or not _is_same(known, body):
            return False
        del self._bodies[kind][key]
        return True

    def forget(self, kind: Kind, key: Key) -> None:
        """Forget what is known under a name, since the API says that it is not so."""
        self._bodies[kind].pop(key, None)

    def missing_from_list(
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


def _version(body: Manifest) -> int:
    return int(body["metadata"]["resourceVersion"])


def _is_same(one: Manifest, other: Manifest) -> bool:
    same: bool = one["metadata"]["uid"] == other["metadata"]["uid"]
    return same


def _without_version(body: Manifest) -> Manifest:
    metadata = {k: v for k, v in body["metadata"].items() if k != "resourceVersion"}
    return {**body, "metadata": metadata}
