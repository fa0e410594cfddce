"""One call for all who want the same at once."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Flights(Generic[K, V]):
    """Calls under way, by key. A call goes on when nobody waits for it any more, until `close`."""

    def __init__(self) -> None:
        self._tasks: dict[K, asyncio.Task[V]] = {}

    def join(self, key: K, call: Callable[[], Coroutine[Any, Any, V]]) -> asyncio.Future[V]:
        """Return the future answer of the call that is under way, or is started now.

        Cancelling the future leaves the call alone.
        """
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(call())
            task.add_done_callback(lambda done: self._land(key, done))
        return asyncio.shield(task)

    async def close(self) -> None:
        """End the calls that are under way."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _land(self, key: K, task: asyncio.Task[V]) -> None:
        del self._tasks[key]
