"""One pass for one WeatherApp: the place where the pure parts meet the API."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from weather_operator import render
from weather_operator.controller.children import Children, refused
from weather_operator.controller.diagnostics import Diagnostics, diagnostics_delay
from weather_operator.controller.status_writer import StatusWriter
from weather_operator.controller.workqueue import Priority
from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client
from weather_operator.kube.errors import RefusedError
from weather_operator.kube.resources import (
    DEPLOYMENT,
    GATEWAY,
    HTTP_ROUTE,
    INGRESS,
    NODE,
    REPLICA_SET,
    SERVICE,
    Key,
    Kind,
    Manifest,
)
from weather_operator.model import (
    WEATHER_APP,
    WEATHER_RELEASE,
    Release,
    WeatherApp,
    is_ours,
    parse_app,
)
from weather_operator.releases.catalogue import CatalogueError, release_for
from weather_operator.releases.pinning import pinned
from weather_operator.rollout.plan import Decision, Situation, Step, carry, decide
from weather_operator.rollout.revisions import Revision, revision_in
from weather_operator.rollout.state import progress, seconds_between
from weather_operator.status import blockers
from weather_operator.status.blockers import Blocker
from weather_operator.status.conditions import Observation, status
from weather_operator.status.url import Exposure, node_address

SETTLE_SECONDS = 0.15
"""How long the cluster's own controllers are given to answer our writes before a status is told."""

_LONGEST_LOOK_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a pass ended: whether all was said and done, or when to come again."""

    again_after: float | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What one pass has found: what the spec asks for, what to do about it, what was refused."""

    desired: Revision | None = None
    decision: Decision | None = None
    apply_errors: tuple[Blocker, ...] = ()


class Reconciler:
    """Brings an app's children, then its status, to what its spec says."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        status_writer: StatusWriter,
        *,
        asked: Collection[str] | None = None,
        now: Callable[[], str],
    ) -> None:
        """Take the editions of releases whose registry was asked; None where nobody asks."""
        self._client = client
        self._cache = cache
        self._status_writer = status_writer
        self._diagnostics = Diagnostics(client)
        self._asked = asked
        self._now = now
        self._changing: set[Key] = set()

    @property
    def changing(self) -> int:
        """How many apps are in a change: the more, the less is asked and told of each."""
        return len(self._changing)

    async def reconcile(self, key: Key, priority: Priority) -> Outcome:
        """Do what is due for one app. The same call again, at any time, does no harm.

        Raises ConflictError when the cache is behind, UnavailableError when nothing answers.
        """
        body = self._cache.get(WEATHER_APP, key)
        if body is None or "deletionTimestamp" in body["metadata"]:
            self._changing.discard(key)
            return Outcome()
        app, now = parse_app(body), self._now()
        try:
            release = release_for(app, self._cache.all(WEATHER_RELEASE))
        except CatalogueError as error:
            refusal = Blocker(reason=error.reason, message=error.message)
            return await self._tell(app, Findings(apply_errors=(refusal,)), now)
        image = self._pinned(app, release)
        manifests = dict(render.children(app, image or release))
        desired = revision_in(manifests[DEPLOYMENT]["spec"]["template"])
        if image is None or desired is None or app.suspend:
            return await self._tell(app, Findings(desired=desired), now)
        children = Children(
            self._client, self._cache, app, after_child_event=priority is Priority.CHILD
        )
        found = await self._carry_out(children, app, desired, manifests, now)
        return found if isinstance(found, Outcome) else await self._tell(app, found, now)

    async def _carry_out(
        self,
        children: Children,
        app: WeatherApp,
        desired: Revision,
        manifests: dict[Kind, Manifest],
        now: str,
    ) -> Findings | Outcome:
        """Write what is due; what came of it is told once the cluster has answered our writes."""
        try:
            decision = await self._decide(app, desired, now)
        except RefusedError as error:
            return Findings(desired=desired, apply_errors=(refused(REPLICA_SET, app.key, error),))
        manifests[DEPLOYMENT] = carry(manifests[DEPLOYMENT], decision)
        try:
            await children.bring(list(manifests.items()))
        except RefusedError:
            return Outcome()  # the namespace ends, and the app with it
        written = children.written
        await self._status_writer.record_drift(app, written.corrections)
        if written.anything and not written.apply_errors:
            return Outcome(again_after=SETTLE_SECONDS)
        return Findings(
            desired=desired, decision=decision, apply_errors=tuple(written.apply_errors)
        )

    async def _decide(self, app: WeatherApp, desired: Revision, now: str) -> Decision:
        deployment = self._owned(DEPLOYMENT, app)
        seen = Situation(
            app=app,
            desired=desired,
            live=revision_in(deployment["spec"]["template"]) if deployment else None,
            progress=progress(deployment, wanted=app.first_replicas),
            now=now,
        )
        while (decision := decide(seen)) is None:
            seen = replace(seen, held=await self._diagnostics.held(app, deployment))
        return decision

    def _pinned(self, app: WeatherApp, release: Release) -> Release | None:
        """Return the release with the image that pods are given, None while that is asked for."""
        asked = self._asked is None or release.told or release.uid_generation in self._asked
        return pinned(app, release, self._owned(DEPLOYMENT, app), awaited=not asked)

    async def _tell(self, app: WeatherApp, found: Findings, now: str) -> Outcome:
        shown = status(app, await self._observe(app, found, now), now=now)
        await self._status_writer.write_status(app, shown)
        if found.apply_errors and found.desired:
            return Outcome(failed=True)
        if found.decision and found.decision.step is Step.MARK_FAILED:
            return Outcome(again_after=0)
        if "rollout" not in shown or app.suspend:
            self._changing.discard(app.key)
            return Outcome()
        self._changing.add(app.key)
        return Outcome(
            again_after=_next_look(shown["rollout"], now, diagnostics_delay(self.changing))
        )

    async def _observe(self, app: WeatherApp, found: Findings, now: str) -> Observation:
        deployment = self._owned(DEPLOYMENT, app)
        pod_blockers = await self._diagnostics.pod_blockers(
            app, deployment, now, diagnostics_delay=diagnostics_delay(self.changing)
        )
        previous = app.status.get("blockers", ())
        return Observation(
            desired=found.desired,
            deployment=deployment,
            ways=self._ways(app),
            decision=found.decision,
            apply_errors=blockers.dated(found.apply_errors, previous, at=now),
            pod_blockers=blockers.dated(pod_blockers, previous, at=now),
        )

    def _ways(self, app: WeatherApp) -> Exposure:
        return Exposure(
            service=self._owned(SERVICE, app),
            ingress=self._owned(INGRESS, app),
            route=self._owned(HTTP_ROUTE, app),
            gateways=tuple(self._cache.get(GATEWAY, each) for each in app.gateways),
            node=node_address(self._cache.all(NODE)),
        )

    def _owned(self, kind: Kind, app: WeatherApp) -> Manifest | None:
        live = self._cache.get(kind, app.key)
        return live if live and is_ours(live, app) else None


def _next_look(change: Manifest, now: str, soonest: float) -> float:
    """Look soon at a young change, seldom at an old one, and at its deadline."""
    age = seconds_between(change["startedAt"], now)
    look = max(min(age, _LONGEST_LOOK_SECONDS), soonest)
    left = seconds_between(now, change["deadline"]) if "deadline" in change else look
    return min(look, left) if left > 0 else look
