"""Leader election by a Lease: of all processes of one name, one acts.

`acquire` returns once the Lease is this process's; until then it looks at the Lease, and follows it
so as to notice at once when it is given back. `renew` then runs beside what the leader does, and
raises LeaseLostError where another process may lead: the leader must end then. `release` gives the
Lease back, so that the next one need not wait until it runs out.

Each look or write is one `_try_acquire_or_renew`. Every write carries the resourceVersion of the
Lease that was read, so of two processes that write at once one gets a conflict. Whether another's
Lease ran out is judged by our own clock since it was last observed to change, never by the times
written in it, since clocks of machines differ. Our own counts from when a write that succeeded was
sent: no other process can have observed it before. The clock goes on while the process is stopped
or the machine suspended, so `is_held` is right in the first moment after that too; whoever asks it
before each write has the rest of the Lease's time for the write to arrive.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime

from weather_operator.kube.client import Client
from weather_operator.kube.clock import boot_seconds
from weather_operator.kube.errors import ApiError, ConflictError
from weather_operator.kube.resources import LEASE, Key, Manifest

log = logging.getLogger(__name__)

LEASE_SECONDS = 15
RENEW_DEADLINE_SECONDS = 10
RETRY_SECONDS = 2
_TRY_SECONDS = 3
"""A first try that hangs must leave time for another, which has all that is left."""


class LeaseLostError(Exception):
    """Another process may lead now: this one must stop acting at once."""


class LeaderElector:
    """This process's part in the election; `identity` is how the Lease names it.

    The same identity again, after a restart in the same pod, leads at once. `on_history_lost` is
    called where the Lease is older than it was, or is gone: the API server was restored from a
    backup, unless somebody has just deleted it.
    """

    def __init__(
        self,
        client: Client,
        key: Key,
        identity: str,
        *,
        clock: Callable[[], float] = boot_seconds,
    ) -> None:
        self._client = client
        self._key = key
        self._identity = identity
        self._clock = clock
        self.on_history_lost: Callable[[], None] = lambda: None
        self._lease: Manifest | None = None
        """The Lease as we last wrote it, None while it is not ours."""
        self._renewed_at: float | None = None
        self._previous_holder = ""
        self._observed_version = ""
        self._observed_at = 0.0
        self._observed_seconds = 0.0

    async def acquire(self) -> None:
        """Wait, without limit, until this process is the leader."""
        logged: str | None = None
        while True:
            cause = ""
            try:
                async with asyncio.timeout(_TRY_SECONDS):
                    if await self._try_acquire_or_renew():
                        break
            except (ApiError, TimeoutError) as error:
                cause = str(error)
            if cause != logged:
                why = {"error": cause} if cause else {}
                log.info("waiting for the lease", extra={"lease": str(self._key), **why})
                logged = cause
            await self._wait_until_it_may_be_free()
        about = {"lease": str(self._key), "identity": self._identity}
        # Who has it still, when it is taken, has ended without giving it back.
        ran_out = {"not_given_back_by": self._previous_holder} if self._previous_holder else {}
        log.info("leading", extra={**about, **ran_out})

    async def renew(self) -> None:
        """Renew for ever. Raises LeaseLostError once it is another's or was not renewed in time."""
        cause = ""
        while True:
            slept_at = self._clock()
            await asyncio.sleep(RETRY_SECONDS if not cause else RETRY_SECONDS / 4)
            if not self.is_held():
                # It may be another's by now: there is nothing to give back.
                self._lease = None
                raise LeaseLostError(self._why_not_renewed(cause, self._clock() - slept_at))
            left = RENEW_DEADLINE_SECONDS - self._seconds_since_renewal()
            try:
                async with asyncio.timeout(left if cause else min(left, _TRY_SECONDS)):
                    is_ours = await self._try_acquire_or_renew()
                cause = ""
            except (ApiError, TimeoutError) as error:
                cause = str(error) or "no answer in time"
                continue
            if not is_ours:
                self._renewed_at = None
                raise LeaseLostError("another process took it")

    def is_held(self) -> bool:
        """Tell whether a write that is sent now is sent by the leader, whatever happened before."""
        renewed_at = self._renewed_at
        return renewed_at is not None and self._clock() - renewed_at < RENEW_DEADLINE_SECONDS

    async def release(self) -> None:
        """Give the Lease back if it is ours; that this fails is only logged."""
        lease = self._lease
        if lease is None:
            return
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                while lease and lease["spec"].get("holderIdentity") == self._identity:
                    lease = await self._give_back(lease)
            if lease is None:
                log.info("the lease is given back", extra={"lease": str(self._key)})
        except (ApiError, TimeoutError) as error:
            log.warning("the lease was not given back", extra={"error": str(error)})

    def liveness_problem(self) -> str:
        """Describe what shows that the renewal is stuck; empty while it is not."""
        if self._seconds_since_renewal() < LEASE_SECONDS:
            return ""
        return "the lease ran out without being noticed"

    def _why_not_renewed(self, cause: str, slept: float) -> str:
        if slept > RENEW_DEADLINE_SECONDS / 2:
            return f"the process, or its machine, stood still for {slept:.0f} s"
        return f"not renewed for {RENEW_DEADLINE_SECONDS} s: {cause}"

    def _seconds_since_renewal(self) -> float:
        return self._clock() - self._renewed_at if self._renewed_at is not None else 0

    async def _try_acquire_or_renew(self) -> bool:
        """Take or renew the Lease in one attempt; return whether it is ours now."""
        try:
            if self._lease:
                await self._write(self._lease, holder=self._identity, seconds=LEASE_SECONDS)
                return True
            live = await self._client.get(LEASE, self._key)
            if live is None:
                await self._create()
                return True
            if not self._may_take(live):
                return False
            await self._write(live, holder=self._identity, seconds=LEASE_SECONDS)
        except ConflictError:
            # Another wrote meanwhile, or we did and never saw the answer: the Lease says which.
            written, self._lease = self._lease, None
            live = await self._client.get(LEASE, self._key)
            if written and (live is None or _version(live) < _version(written)):
                self.on_history_lost()
            if live is None:
                await self._create()
                return True
            if live["spec"].get("holderIdentity") != self._identity:
                return False
            await self._write(live, holder=self._identity, seconds=LEASE_SECONDS)
        return True

    def _may_take(self, live: Manifest) -> bool:
        """Tell whether a Lease is nobody's, ours, or has not changed for as long as it lasts."""
        spec, version = live["spec"], live["metadata"]["resourceVersion"]
        if version != self._observed_version:
            self._observed_version, self._observed_at = version, self._clock()
            self._observed_seconds = spec.get("leaseDurationSeconds", LEASE_SECONDS)
        # The same identity is our own pod before its container was restarted.
        if spec.get("holderIdentity") in (None, "", self._identity):
            return True
        return self._clock() - self._observed_at >= self._observed_seconds

    async def _wait_until_it_may_be_free(self) -> None:
        """Return when the Lease was given back or ran out, or when a look at it cannot harm."""
        try:
            async with (
                asyncio.timeout(self._seconds_left()) as deadline,
                aclosing(
                    self._client.follow(LEASE, self._key, since=self._observed_version)
                ) as states,
            ):
                async for lease in states:
                    if lease is None or self._may_take(lease):
                        return
                    now = asyncio.get_running_loop().time()
                    deadline.reschedule(now + self._seconds_left())
        except TimeoutError:
            return
        except ApiError as error:
            log.debug("the lease cannot be followed", extra={"error": error.message})
        await asyncio.sleep(RETRY_SECONDS)

    def _seconds_left(self) -> float:
        return max(self._observed_at + self._observed_seconds - self._clock(), RETRY_SECONDS)

    async def _give_back(self, lease: Manifest) -> Manifest | None:
        """Return None, or the Lease as it is: a renewal that was broken off may have been done."""
        try:
            await self._write(lease, holder="", seconds=1)
        except ConflictError:
            return await self._client.get(LEASE, self._key)
        return None

    async def _write(self, lease: Manifest, *, holder: str, seconds: int) -> None:
        before = lease["spec"]
        spec = {**before, "holderIdentity": holder, "leaseDurationSeconds": seconds}
        spec["renewTime"] = _now()
        if holder and before.get("holderIdentity") != holder:
            spec["acquireTime"] = spec["renewTime"]
            spec["leaseTransitions"] = before.get("leaseTransitions", 0) + 1
        if self._renewed_at is None:
            self._previous_holder = before.get("holderIdentity") or ""
        sent_at = self._clock()
        answer = await self._client.replace(LEASE, self._key, {**lease, "spec": spec})
        self._lease = answer if holder else None
        self._renewed_at = sent_at if holder else None

    async def _create(self) -> None:
        sent_at, now = self._clock(), _now()
        manifest = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": {"name": self._key.name, "namespace": self._key.namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": LEASE_SECONDS,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        }
        self._lease = await self._client.create(LEASE, manifest)
        self._renewed_at = sent_at


def _version(lease: Manifest) -> int:
    return int(lease["metadata"]["resourceVersion"])


def _now() -> str:
    """The API takes exactly six decimals, on a whole second too."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
