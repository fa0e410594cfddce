"""What is remembered, within bounds."""

from collections import OrderedDict
from collections.abc import Collection
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps at most `limit` values; the one that was longest unused makes room for a new one.

    A key among the `pinned` stays.
    """

    def __init__(self, limit: int, pinned: Collection[K] = ()) -> None:
        self._limit = limit
        self._pinned = pinned
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """Return the value, which is then the one used last, or None."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Remember the value, as the one used last."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            del self._values[next(key for key in self._values if key not in self._pinned)]

    def drop(self, key: K) -> None:
        """Forget the value, if there is one."""
        self._values.pop(key, None)


class Memory(Generic[K, V]):
    """Two memories in one: what is of no worth never pushes out what is of worth."""

    def __init__(self, limit: int, pinned: Collection[K] = ()) -> None:
        self._worthy = Recent[K, V](limit, pinned)
        self._rest = Recent[K, V](limit)

    def __len__(self) -> int:
        return len(self._worthy) + len(self._rest)

    def get(self, key: K) -> V | None:
        """Return what is remembered, or None."""
        worthy = self._worthy.get(key)
        return self._rest.get(key) if worthy is None else worthy

    def put(self, key: K, value: V, *, worthy: bool) -> None:
        """Remember the value in the place of what was there."""
        kept, other = (self._worthy, self._rest) if worthy else (self._rest, self._worthy)
        other.drop(key)
        kept.put(key, value)
