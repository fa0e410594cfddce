"""The worker loop: takes keys from the queue, reconciles them, and decides what follows.

    queue.take → reconciler.reconcile → done | conflict | unavailable | error | bug → queue.done

Several passes go on at a time; the queue says how many, and that no two have the same key. A pass
that hangs while others overtake it is set aside, and another begins; where all of them take long
the API server has too much to do, and no more begin. A pass knows nothing of retries: it returns an
Outcome or raises, and `_reconcile` is the one place that says what each ending means.

| Ending | What follows |
|---|---|
| done | the failures are forgotten |
| done, but the change goes on at once | the key's next step, as urgent as this one |
| done, but the change takes its time | a look at it, when the outcome says |
| done, but something was refused | the key comes again as urgent as it was, later each time |
| conflict: the cache was behind | the same; only the debug log has it |
| unavailable: the API server cannot answer | the same, and not before the server allows it |
| error, or longer than a minute | the same, with a warning |
| error: the object cannot be read | the same, with a warning that names it |
| bug: anything else that was raised | the same, with a traceback; the other keys go on |
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable

from weather_operator.controller.reconciler import Outcome, Reconciler
from weather_operator.controller.workqueue import SETTLE_SECONDS, Work, WorkQueue
from weather_operator.kube.errors import ApiError, ConflictError, UnavailableError
from weather_operator.kube.resources import Key
from weather_operator.metrics import Metrics
from weather_operator.model.parsing import UnreadableError

log = logging.getLogger(__name__)

_RECONCILE_SECONDS = 60
_STUCK_SECONDS = 2 * _RECONCILE_SECONDS
_LONG_SECONDS = 3.0


class Controller:
    """Reconciles several keys at a time; nothing that goes wrong with one stops the others."""

    def __init__(
        self,
        queue: WorkQueue,
        reconciler: Reconciler,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._reconciler = reconciler
        self._metrics = metrics
        self._clock = clock
        self._last_end = self._clock()
        self._newest_ended = -math.inf
        self._long: dict[Key, asyncio.TimerHandle] = {}
        metrics.queue_depth.set_function(queue.__len__)
        metrics.queue_oldest_age.set_function(queue.oldest_age)

    async def run(self) -> None:
        """Work for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                work = await self._queue.take()
                group.create_task(self._work(work))

    def liveness_problem(self) -> str:
        """Describe what shows that the workers are stuck; empty while they are not.

        A reconcile ends after a minute whatever happens, also while the API does not answer.
        """
        idle = self._clock() - self._last_end
        if min(idle, self._queue.oldest_age()) < _STUCK_SECONDS:
            return ""
        return f"no reconcile has ended for {idle:.0f} s, and WeatherApps are due"

    async def _work(self, work: Work) -> None:
        began = self._clock()
        self._consider_later(work.key, began)
        try:
            await self._reconcile(work)
        finally:
            self._long.pop(work.key).cancel()
            self._queue.done(work.key)
            self._last_end = self._clock()
            self._newest_ended = max(self._newest_ended, began)

    def _consider_later(self, key: Key, began: float) -> None:
        loop = asyncio.get_running_loop()
        self._long[key] = loop.call_later(_LONG_SECONDS, self._consider, key, began)

    def _consider(self, key: Key, began: float) -> None:
        """Let another pass begin beside this one if one that began later has ended already."""
        if self._newest_ended > began:
            self._queue.set_aside(key)
        else:
            self._consider_later(key, began)

    async def _reconcile(self, work: Work) -> None:
        """Reconcile one key and decide, for every way in which that can end, what follows."""
        started = self._clock()
        result = "done"
        try:
            async with asyncio.timeout(_RECONCILE_SECONDS):
                outcome = await self._reconciler.reconcile(work.key, work.priority)
            self._requeue(work, outcome)
        except ConflictError as error:
            result = "conflict"
            delay = self._queue.add_rate_limited(work)
            log.debug("conflict", extra={**_about(work, error), "retry_seconds": delay})
        except UnavailableError as error:
            result = "unavailable"
            self._queue.add_rate_limited(work, at_least=error.retry_after)
            if error.status:
                log.warning("the API server cannot now", extra=_about(work, error))
        except (ApiError, TimeoutError) as error:
            result = "error"
            self._queue.add_rate_limited(work)
            log.warning("reconcile failed", extra=_about(work, error))
        except UnreadableError as error:
            result = "error"
            self._queue.add_rate_limited(work)
            log.warning("a WeatherApp cannot be read", extra=_about(work, error))
        except Exception:
            # A bug must not take the others' operator away; it is retried as seldom as a refusal.
            result = "bug"
            self._queue.add_rate_limited(work)
            log.exception("reconcile broke", extra={"app": str(work.key)})
        self._metrics.reconciles.labels(result).inc()
        self._metrics.reconcile_seconds.observe(self._clock() - started)

    def _requeue(self, work: Work, outcome: Outcome) -> None:
        if outcome.failed:
            self._queue.add_rate_limited(work)
            return
        if outcome.requeue_after is None:
            self._queue.forget(work.key)
            return
        self._queue.forget_failures(work.key)
        if outcome.requeue_after <= SETTLE_SECONDS:
            self._queue.add_next_step(work, delay=outcome.requeue_after)
        else:
            self._queue.add_look(work.key, delay=outcome.requeue_after)


def _about(work: Work, error: Exception) -> dict[str, str]:
    return {"app": str(work.key), "error": str(error)}
