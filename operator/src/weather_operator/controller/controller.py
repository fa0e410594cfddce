"""Workers take keys from the queue, reconcile them, and decide what each ending means."""

import asyncio
import logging
import time
from collections.abc import Callable

from weather_operator.controller.reconciler import Outcome, Reconciler
from weather_operator.controller.workqueue import Work, WorkQueue
from weather_operator.kube.errors import ApiError, ConflictError, UnavailableError
from weather_operator.metrics import Metrics

log = logging.getLogger(__name__)

_RECONCILE_SECONDS = 60
_STUCK_SECONDS = 2 * _RECONCILE_SECONDS


class Workers:
    """Reconciles several keys at a time; nothing that goes wrong with one stops the others."""

    def __init__(
        self,
        queue: WorkQueue,
        reconciler: Reconciler,
        metrics: Metrics,
        *,
        number: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._reconciler = reconciler
        self._metrics = metrics
        self._number = number
        self._clock = clock
        self._finished = self._clock()
        metrics.queue_depth.set_function(queue.__len__)
        metrics.queue_oldest_age.set_function(queue.oldest_age)

    async def run(self) -> None:
        """Work for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._number):
                group.create_task(self._work())

    def liveness_problem(self) -> str:
        """Say what shows that the workers are stuck, nothing while they are not.

        A reconcile ends after a minute whatever happens, also while the API does not answer.
        """
        idle = self._clock() - self._finished
        if min(idle, self._queue.oldest_age()) < _STUCK_SECONDS:
            return ""
        return f"no reconcile has ended for {idle:.0f} s, and WeatherApps are due"

    async def _work(self) -> None:
        while True:
            work = await self._queue.take()
            try:
                await self._reconcile(work)
            finally:
                self._queue.done(work.key)
                self._finished = self._clock()

    async def _reconcile(self, work: Work) -> None:
        """Reconcile one key and decide, for every way in which that can end, what comes next."""
        started = self._clock()
        result = "done"
        try:
            async with asyncio.timeout(_RECONCILE_SECONDS):
                self._settle(work, await self._reconciler.reconcile(work.key, work.priority))
        except ConflictError as error:
            result = "conflict"
            delay = self._queue.retry(work.key)
            log.debug("conflict", extra={**_about(work, error), "retry_seconds": delay})
        except UnavailableError as error:
            result = "unavailable"
            self._queue.retry(work.key, at_least=error.retry_after)
            if error.status:
                log.warning("the API server cannot now", extra=_about(work, error))
        except (ApiError, TimeoutError) as error:
            result = "error"
            self._queue.retry(work.key)
            log.warning("reconcile failed", extra=_about(work, error))
        except Exception:
            # A bug must not take the others' operator away; it is retried as seldom as a refusal.
            result = "bug"
            self._queue.retry(work.key)
            log.exception("reconcile broke", extra={"app": str(work.key)})
        self._metrics.reconciles.labels(result).inc()
        self._metrics.reconcile_seconds.observe(self._clock() - started)

    def _settle(self, work: Work, outcome: Outcome) -> None:
        if outcome.failed:
            self._queue.retry(work.key)
            return
        self._queue.succeed(work.key)
        if outcome.requeue_after is not None:
            self._queue.add(work.key, work.priority, delay=outcome.requeue_after)


def _about(work: Work, error: Exception) -> dict[str, str]:
    return {"app": str(work.key), "error": str(error)}
