"""The latest body of each object that is watched, or that a write of ours was answered with.

Watch events, lists and answers to writes all go through `put` and `remove`, in any order: under one
name the higher resourceVersion wins, which are comparable numbers within a kind, whichever object
has the name. A deletion is remembered by uid for a while, so that a late answer does not bring the
object back; a younger body does, since to a watch by label an object that loses the label is
deleted too. `put` and `remove` return whether anybody need look.

A list is the truth about all that was known before it was asked for, and `moment` says what that
was. Where it has an older body than that, the API server was restored from a backup: `retract`
makes room for it. What came later than the moment is decided by versions again.

What is kept of a body is for the `project` function to say: memory is by far the most of what
thousands of objects cost.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from weather_operator.kube.compaction import compact
from weather_operator.kube.resources import Key, Kind, Manifest, key_of

_DELETIONS_SECONDS = 120
"""Longer than any event or answer is on its way."""

Projection = Callable[[Kind, Manifest], Manifest]
"""Returns what is kept of a body: its metadata, at least, and what is read of it later."""

Indexer = Callable[[Manifest], Key | None]
"""Returns under what other key a body, as it is kept, is to be found; None for nowhere."""


class _Entry(NamedTuple):
    moment: int
    body: Manifest


class _Deletion(NamedTuple):
    moment: int
    version: int
    at: float


class Cache:
    """Bodies by kind and key, never going back in time unless a list does."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        *,
        project: Projection = lambda _kind, body: body,
        clock: Callable[[], float] = time.monotonic,
        indexers: Mapping[Kind, Indexer] | None = None,
    ) -> None:
        self._entries: dict[Kind, dict[Key, _Entry]] = {kind: {} for kind in kinds}
        self._project = project
        self._clock = clock
        self._indexers = indexers or {}
        self._indexed: dict[tuple[Kind, Key], dict[Key, Manifest]] = {}
        self._deletions: OrderedDict[str, _Deletion] = OrderedDict()
        self._moment = 0

    def get(self, kind: Kind, key: Key) -> Manifest | None:
        """Return the latest body, None while no such object is known."""
        entry = self._entries[kind].get(key)
        return entry.body if entry else None

    def indexed(self, kind: Kind, index: Key) -> list[Manifest]:
        """Return the latest bodies that the kind's indexer puts under this key."""
        return list(self._indexed.get((kind, index), {}).values())

    def all(self, kind: Kind) -> Iterator[Manifest]:
        """Return the latest bodies of a kind, as they are when the first one is taken."""
        yield from [entry.body for entry in self._entries[kind].values()]

    def keys(self, kind: Kind) -> list[Key]:
        """Return the keys of a kind."""
        return list(self._entries[kind])

    def moment(self) -> int:
        """Return a number that all that is known by now came before."""
        return self._moment

    def put(self, kind: Kind, body: Manifest) -> bool:
        """Keep a body unless it is older; return whether more than the resourceVersion differs."""
        key, version = key_of(body), _version(body)
        deletion = self._deletions.get(body["metadata"]["uid"])
        if deletion and version <= deletion.version:
            return False
        known = self.get(kind, key)
        if known and version <= _version(known):
            return False
        kept = compact(self._project(kind, body), known)
        self._store(kind, key, kept)
        return known is None or _without_version(known) != _without_version(kept)

    def remove(self, kind: Kind, body: Manifest) -> bool:
        """Drop an object that was deleted; return whether it was the one known by its name."""
        uid, now = body["metadata"]["uid"], self._clock()
        self._moment += 1
        self._deletions[uid] = _Deletion(self._moment, _version(body), now)
        self._deletions.move_to_end(uid)
        while next(iter(self._deletions.values())).at < now - _DELETIONS_SECONDS:
            self._deletions.popitem(last=False)
        key = key_of(body)
        known = self.get(kind, key)
        if known is None or known["metadata"]["uid"] != uid or _version(known) > _version(body):
            return False
        self._store(kind, key, None)
        return True

    def forget(self, kind: Kind, key: Key) -> None:
        """Drop what is known under a name, because the API server has just contradicted it."""
        self._store(kind, key, None)

    def retract(self, kind: Kind, body: Manifest, *, before: int) -> bool:
        """Forget what a list contradicts that was asked for at a moment; return whether it did."""
        metadata, version = body["metadata"], _version(body)
        key, found = key_of(body), False
        entry = self._entries[kind].get(key)
        if entry and entry.moment <= before and _version(entry.body) > version:
            self._store(kind, key, None)
            found = True
        deletion = self._deletions.get(metadata["uid"])
        if deletion and deletion.moment <= before and version <= deletion.version:
            del self._deletions[metadata["uid"]]
            found = True
        return found

    def missing_from_list(
        self,
        kind: Kind,
        uids: Collection[str],
        *,
        namespace: str,
        before: int,
        resource_version: str,
    ) -> list[Manifest]:
        """Return what is known of one namespace, or of all, but was gone when a list was taken.

        The list had these uids and this resourceVersion, and was asked for at the moment `before`.
        """
        return [
            entry.body
            for key, entry in self._entries[kind].items()
            if namespace in ("", key.namespace)
            and entry.body["metadata"]["uid"] not in uids
            # What came after the list was taken is younger than the list, not deleted.
            and (entry.moment <= before or _version(entry.body) <= int(resource_version))
        ]

    def _store(self, kind: Kind, key: Key, body: Manifest | None) -> None:
        """Keep a body, or none, and the index with it."""
        entry = self._entries[kind].pop(key, None)
        if body is not None:
            self._moment += 1
            self._entries[kind][key] = _Entry(self._moment, body)
        if not (indexer := self._indexers.get(kind)):
            return
        if entry and (index := indexer(entry.body)):
            found = self._indexed[kind, index]
            del found[key]
            if not found:
                del self._indexed[kind, index]
        if body is not None and (index := indexer(body)):
            self._indexed.setdefault((kind, index), {})[key] = body


def _version(body: Manifest) -> int:
    return int(body["metadata"]["resourceVersion"])


def _without_version(body: Manifest) -> Manifest:
    metadata = {k: v for k, v in body["metadata"].items() if k != "resourceVersion"}
    return {**body, "metadata": metadata}
