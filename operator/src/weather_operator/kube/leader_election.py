"""Leader election by a Lease: of all operators of one name, one acts."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime

from weather_operator.kube.client import Client
from weather_operator.kube.errors import ApiError, ConflictError
from weather_operator.kube.resources import LEASE, Key, Manifest

log = logging.getLogger(__name__)

DURATION_SECONDS = 15
RENEW_DEADLINE_SECONDS = 10
RETRY_SECONDS = 2


class LeaseLostError(Exception):
    """Another process may lead now: this one must stop acting at once."""


class Lease:
    """This process's part in the election.

    Whether another's Lease ran out is judged by our own clock since it was last seen to change,
    never by the times written in it: clocks of machines differ.
    """

    def __init__(
        self,
        client: Client,
        key: Key,
        identity: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._key = key
        self._identity = identity
        self._clock = clock
        self._held: Manifest | None = None
        self._renewed: float | None = None
        self._seen = ""
        self._seen_at = 0.0
        self._seen_seconds = 0.0

    async def acquire(self) -> None:
        """Wait, without limit, until this process is the leader."""
        said: str | None = None
        while True:
            why = ""
            try:
                async with asyncio.timeout(RENEW_DEADLINE_SECONDS):
                    if await self._try():
                        break
            except (ApiError, TimeoutError) as error:
                why = str(error)
            if why != said:
                cause = {"error": why} if why else {}
                log.info("waiting for the lease", extra={"lease": str(self._key), **cause})
                said = why
            await self._until_it_may_be_free()
        log.info("leading", extra={"lease": str(self._key), "identity": self._identity})

    async def keep(self) -> None:
        """Renew for ever. Raises LeaseLostError once it is another's or was not renewed in time."""
        self._renewed = self._clock()
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            left = self._renewed + RENEW_DEADLINE_SECONDS - self._clock()
            try:
                async with asyncio.timeout(max(left, 0)):
                    holds = await self._try()
            except (ApiError, TimeoutError) as error:
                if self._clock() - self._renewed < RENEW_DEADLINE_SECONDS:
                    continue
                # It may be another's by now: there is nothing to give back.
                self._held = None
                raise LeaseLostError(f"not renewed for {RENEW_DEADLINE_SECONDS} s") from error
            if not holds:
                raise LeaseLostError("another process took it")
            self._renewed = self._clock()

    def liveness_problem(self) -> str:
        """Say what shows that the renewal is stuck, nothing while it is not."""
        if self._renewed is None or self._clock() - self._renewed < DURATION_SECONDS:
            return ""
        return "the lease ran out without being noticed"

    async def release(self) -> None:
        """Give the Lease back, so that the next leader need not wait until it runs out."""
        held = self._held
        if held is None:
            return
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                while held and held["spec"].get("holderIdentity") == self._identity:
                    held = await self._give_back(held)
            if held is None:
                log.info("the lease is given back", extra={"lease": str(self._key)})
        except (ApiError, TimeoutError) as error:
            log.warning("the lease was not given back", extra={"error": str(error)})

    async def _give_back(self, held: Manifest) -> Manifest | None:
        """Return None, or the Lease as it is: a renewal that was broken off may have been done."""
        try:
            await self._write(held, holder="", seconds=1)
        except ConflictError:
            return await self._client.get(LEASE, self._key)
        return None

    async def _until_it_may_be_free(self) -> None:
        """Return when the Lease was given back or ran out, or when a look at it cannot harm."""
        try:
            async with (
                asyncio.timeout(self._left()) as deadline,
                aclosing(self._client.follow(LEASE, self._key, since=self._seen)) as states,
            ):
                async for lease in states:
                    if lease is None or self._may_take(lease):
                        return
                    deadline.reschedule(asyncio.get_running_loop().time() + self._left())
        except TimeoutError:
            return
        except ApiError as error:
            log.debug("the lease cannot be followed", extra={"error": error.message})
        await asyncio.sleep(RETRY_SECONDS)

    def _left(self) -> float:
        return max(self._seen_at + self._seen_seconds - self._clock(), RETRY_SECONDS)

    async def _try(self) -> bool:
        """Take or renew the Lease; return whether it is ours now."""
        try:
            if self._held:
                await self._write(self._held, holder=self._identity, seconds=DURATION_SECONDS)
                return True
            found = await self._client.get(LEASE, self._key)
            if found is None:
                self._held = await self._client.create(LEASE, self._manifest())
                return True
            if not self._may_take(found):
                return False
            await self._write(found, holder=self._identity, seconds=DURATION_SECONDS)
        except ConflictError:
            # Somebody wrote meanwhile. Who, the next look tells; held by us it was until now.
            self._held = None
            found = await self._client.get(LEASE, self._key)
            if found and found["spec"].get("holderIdentity") == self._identity:
                self._held = found
            return self._held is not None
        return True

    def _may_take(self, found: Manifest) -> bool:
        spec, version = found["spec"], found["metadata"]["resourceVersion"]
        if version != self._seen:
            self._seen, self._seen_at = version, self._clock()
            self._seen_seconds = spec.get("leaseDurationSeconds", DURATION_SECONDS)
        # The same identity is our own pod before its container was restarted.
        if spec.get("holderIdentity") in (None, "", self._identity):
            return True
        return self._clock() - self._seen_at >= self._seen_seconds

    async def _write(self, lease: Manifest, *, holder: str, seconds: int) -> None:
        before = lease["spec"]
        spec = {**before, "holderIdentity": holder, "leaseDurationSeconds": seconds}
        spec["renewTime"] = _now()
        if holder and before.get("holderIdentity") != holder:
            spec["acquireTime"] = spec["renewTime"]
            spec["leaseTransitions"] = before.get("leaseTransitions", 0) + 1
        body = {**lease, "spec": spec}
        answer = await self._client.replace(LEASE, self._key, body)
        self._held = answer if holder else None

    def _manifest(self) -> Manifest:
        now = _now()
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": {"name": self._key.name, "namespace": self._key.namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": DURATION_SECONDS,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        }


def _now() -> str:
    """The API takes exactly six decimals, on a whole second too."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
