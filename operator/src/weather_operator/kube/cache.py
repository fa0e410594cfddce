"""The latest body of each object that is watched, or that a write of ours was answered with.

Watch events, lists and answers to writes all go through `put` and `remove`, in any order: of one
object the higher resourceVersion wins, which are comparable numbers within a kind. A deletion is
remembered by uid for a while, so that a late answer does not bring the object back; a younger body
does, since to a watch by label an object that loses the label is deleted too. `put` and `remove`
return whether anybody need look. What is kept of a body is for the `project` function to say:
memory is by far the most of what thousands of objects cost.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from weather_operator.kube.resources import Key, Kind, Manifest, key_of

_REMEMBERED_DELETIONS = 4096

Projection = Callable[[Kind, Manifest], Manifest]
"""Returns what is kept of a body: its metadata, at least, and what is read of it later."""


class Cache:
    """Bodies by kind and key, never going back in time."""

    def __init__(
        self, kinds: Iterable[Kind], *, project: Projection = lambda _kind, body: body
    ) -> None:
        self._bodies: dict[Kind, dict[Key, Manifest]] = {kind: {} for kind in kinds}
        self._project = project
        self._deletions: OrderedDict[str, int] = OrderedDict()

    def get(self, kind: Kind, key: Key) -> Manifest | None:
        """Return the latest body, None while no such object is known."""
        return self._bodies[kind].get(key)

    def all(self, kind: Kind) -> Iterator[Manifest]:
        """Return the latest bodies of a kind, as they are when the first one is taken."""
        yield from list(self._bodies[kind].values())

    def keys(self, kind: Kind) -> list[Key]:
        """Return the keys of a kind."""
        return list(self._bodies[kind])

    def put(self, kind: Kind, body: Manifest) -> bool:
        """Keep a body unless it is older; return whether more than the resourceVersion differs."""
        key = key_of(body)
        known = self._bodies[kind].get(key)
        if _version(body) <= self._deletions.get(body["metadata"]["uid"], 0):
            return False
        if known and _is_same_object(known, body) and _version(body) <= _version(known):
            return False
        kept = self._project(kind, body)
        self._bodies[kind][key] = kept
        return known is None or _without_version(known) != _without_version(kept)

    def remove(self, kind: Kind, body: Manifest) -> bool:
        """Drop an object that was deleted; return whether it was the one known by its name."""
        self._deletions[body["metadata"]["uid"]] = _version(body)
        if len(self._deletions) > _REMEMBERED_DELETIONS:
            self._deletions.popitem(last=False)
        key = key_of(body)
        known = self._bodies[kind].get(key)
        if known is None or not _is_same_object(known, body):
            return False
        del self._bodies[kind][key]
        return True

    def forget(self, kind: Kind, key: Key) -> None:
        """Drop what is known under a name, because the API server has just contradicted it."""
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


def _version(body: Manifest) -> int:
    return int(body["metadata"]["resourceVersion"])


def _is_same_object(one: Manifest, other: Manifest) -> bool:
    same: bool = one["metadata"]["uid"] == other["metadata"]["uid"]
    return same


def _without_version(body: Manifest) -> Manifest:
    metadata = {k: v for k, v in body["metadata"].items() if k != "resourceVersion"}
    return {**body, "metadata": metadata}
