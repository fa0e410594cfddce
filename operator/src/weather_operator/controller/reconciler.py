"""One pass for one WeatherApp: the place where the pure parts meet the API.

    observe → plan → apply → status

`_observe` takes from the cache all that is known of the app. `rollout.plan` says what is to be
done; ReplicaSets and pods are read only where it asks for them. `Children` writes what differs;
after a write the pass ends, and the next one, a moment later, sees what the cluster made of it.
Where nothing had to be written `Diagnostics` finds why pods are missing, `status` turns all of it
into the status, and the `StatusWriter` writes that where it is new.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from weather_operator.controller import next_look
from weather_operator.controller.analyst import Analyst
from weather_operator.controller.children import Children, apply_error, refresh
from weather_operator.controller.diagnostics import Diagnostics, diagnostics_delay
from weather_operator.controller.fleet import Fleet
from weather_operator.controller.repairs import Repairs
from weather_operator.controller.status_writer import StatusWriter
from weather_operator.controller.workqueue import SETTLE_SECONDS, Priority
from weather_operator.kube.cache import Cache
from weather_operator.kube.client import Client
from weather_operator.kube.errors import ApiError, RefusedError, UnavailableError
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    GATEWAY,
    HTTP_ROUTE,
    INGRESS,
    NODE,
    POD,
    REPLICA_SET,
    SERVICE,
    Key,
    Kind,
    Manifest,
)
from weather_operator.model import CHILDREN, WEATHER_APP, WEATHER_RELEASE, Blocker, WeatherApp
from weather_operator.model.parsing import parse_app
from weather_operator.releases.catalogue import CatalogueError, release_for
from weather_operator.releases.lookups import Lookups
from weather_operator.releases.pinning import pinned
from weather_operator.render import Track, child_name, is_ours
from weather_operator.render.labels import is_managed
from weather_operator.rollout.interval import AnalysisTarget
from weather_operator.rollout.known_release import known_release
from weather_operator.rollout.observed import ChildKey, Observed
from weather_operator.rollout.plan import Plan, no_action, plan
from weather_operator.rollout.trial import PREPARING, PROMOTING, TRYING, trial_before
from weather_operator.status.blockers import dated, of_canarys_end, of_image
from weather_operator.status.conditions import status
from weather_operator.status.conflicts import conflicts
from weather_operator.status.traffic import share_blockers
from weather_operator.status.url import lost_nodes, node_address, url

log = logging.getLogger(__name__)

_EARLY_SECONDS = 20.0
"""Within so many nodes that heard nothing of the API server have told it how their pods are."""
_NEVER_MISSED = (
    (DEPLOYMENT, Track.STABLE),
    (DEPLOYMENT, Track.CANARY),
    (SERVICE, Track.CANARY),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a pass ended: whether all was said and done, or when to come again."""

    requeue_after: float | None = None
    failed: bool = False


class Reconciler:
    """Brings an app's children, then its status, to what its spec says."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        status_writer: StatusWriter,
        *,
        lookups: Lookups | None = None,
        fleet: Fleet | None = None,
        analyst: Analyst | None = None,
        now: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the `lookups` of releases' images; None: nobody asks a registry.

        Without a `fleet` no rollout waits for others. Without an `analyst` a revision that is tried
        is judged by whether its pods are available alone.
        """
        self._client = client
        self._cache = cache
        self._status_writer = status_writer
        self._diagnostics = Diagnostics(client, clock=clock)
        self._lookups = lookups
        self._fleet = fleet
        self._analyst = analyst
        self._now = now
        self._repairs = Repairs(clock)
        self._clock = clock
        self._began_at = clock()
        self._rolling_out: set[Key] = set()

    @property
    def rolling_out(self) -> int:
        """How many apps are in a change: the more, the less is read and written of each."""
        return len(self._rolling_out)

    async def reconcile(self, key: Key, priority: Priority) -> Outcome:
        """Do what is due for one app. The same call again, at any time, does no harm.

        Raises ConflictError when the cache is behind, UnavailableError when nothing answers.
        """
        body = self._cache.get(WEATHER_APP, key)
        if body is None or "deletionTimestamp" in body["metadata"]:
            self._rolling_out.discard(key)
            self._repairs.forget(key)
            if self._analyst:
                self._analyst.forget(key)
            return Outcome()
        observed = await self._observe(parse_app(body))
        observed, planned = await self._plan(observed)
        children = Children(
            self._client,
            self._cache,
            self._repairs,
            observed.app,
            after_child_event=priority is Priority.CHILD,
        )
        try:
            written = await children.apply_all(planned.writes)
        except RefusedError:
            return Outcome()  # the namespace ends, and the app with it
        await self._status_writer.record_drift(observed.app, written.drift)
        if written.is_outdated:
            return Outcome(requeue_after=0)
        if written.anything and not written.apply_errors:
            return Outcome(requeue_after=SETTLE_SECONDS)
        if written.anything:
            observed, planned = await self._plan(await self._observe(observed.app))
        elif await self._finds_routes(observed):
            return Outcome(requeue_after=0)
        observed = replace(
            observed,
            apply_errors=(*observed.apply_errors, *written.apply_errors),
            conflicts=tuple(written.overridden),
        )
        outcome = await self._finish(observed, planned)
        return _sooner(outcome, written.retry_after)

    async def _observe(self, app: WeatherApp) -> Observed:
        """Put together what the cache knows of an app, and its Deployment in any case."""
        try:
            await self._find_children(app)
        except (RefusedError, UnavailableError) as error:
            refused = _blocker_or_raise(DEPLOYMENT, app, error)
            return Observed(app=app, now=self._now(), apply_errors=(refused,))
        children = self._children(app)
        observed = Observed(
            app=app,
            now=self._now(),
            children=children,
            gateways=tuple(self._cache.get(GATEWAY, each) for each in app.gateways),
            node_address=node_address(self._cache.all(NODE)),
            lost_nodes=lost_nodes(self._cache.all(NODE)),
            interval=self._analyst.latest(app.key) if self._analyst else None,
            is_analysed=self._analyst is not None,
            is_early=self._clock() - self._began_at < _EARLY_SECONDS,
            autoscalers=tuple(
                each
                for track in Track
                for each in self._foreign(app, AUTOSCALER, _child_of(app, track))
            ),
            disruption_budgets=self._foreign(app, DISRUPTION_BUDGET, _namespace_of(app)),
        )
        observed = replace(observed, gates=await self._diagnostics.gates(observed))
        try:
            release = release_for(app, self._cache.all(WEATHER_RELEASE))
        except CatalogueError as error:
            unknown = Blocker(reason=error.reason, message=error.message)
            known = known_release(app, observed.live)
            return replace(observed, release=known, apply_errors=(unknown,))
        is_looked_up = (
            self._lookups is None
            or release.is_resolved
            or release.uid_generation in self._lookups.done
        )
        image = pinned(app, release, observed.child(DEPLOYMENT), awaited=not is_looked_up)
        observed = replace(observed, release=image or release, is_digest_pending=image is None)
        return replace(observed, waits_for=self._fleet.waits_for(observed) if self._fleet else "")

    async def _find_children(self, app: WeatherApp) -> None:
        """Look for a Deployment that the cache does not follow although it has been made before.

        Where none is there the newest template is written whatever failed, and the autoscaler and
        the number of pods begin anew: nothing to conclude from a label that somebody took away.
        Nor is there from that of a canary's Service, for want of which it would lose its visitors.
        """
        has_autoscaler = self._cache.get(AUTOSCALER, app.key) is not None
        was_made = {
            Track.STABLE: app.status.get("observedGeneration", -1) > 0 or has_autoscaler,
            Track.CANARY: trial_before(app.status) is not None,
        }
        for kind, track in _NEVER_MISSED:
            key = _child_of(app, track)
            live = self._cache.get(kind, key)
            if was_made[track] and not (live and is_managed(live)):
                await refresh(self._client, self._cache, app, kind, key)

    async def _finds_routes(self, observed: Observed) -> bool:
        """Find routes that a new spec asks for no longer, and that the cache does not follow.

        Nothing that is applied would find them, and they would lead to the site for ever. Where
        the way to a Service has not changed there were none.
        """
        app, found = observed.app, False
        if app.status.get("observedGeneration", -1) in (-1, app.generation):
            return False
        if not (app.ingress or app.gateway) and app.status.get("url") == url(observed):
            return False
        for kind, asked_for in ((INGRESS, app.ingress), (HTTP_ROUTE, app.gateway)):
            if asked_for or self._cache.get(kind, app.key):
                continue
            try:
                await refresh(self._client, self._cache, app, kind, app.key)
            except ApiError as error:
                if not error.status:
                    raise
                # What most apps never use, and what a cluster may lack, must not hinder them.
                log.debug("a route cannot be looked for", extra={"error": error.message})
            found |= self._cache.get(kind, app.key) is not None
        return found

    def _children(self, app: WeatherApp) -> dict[ChildKey, Manifest]:
        found: dict[ChildKey, Manifest] = {}
        for name in (child_name(app, track) for track in Track):
            key = Key(namespace=app.key.namespace, name=name)
            for kind in CHILDREN:
                if live := self._cache.get(kind, key):
                    found[kind, name] = live
        return found

    def _foreign(self, app: WeatherApp, kind: Kind, index: Key) -> tuple[Manifest, ...]:
        """Return somebody else's objects of a kind that concern the app's pods."""
        found = self._cache.indexed(kind, index)
        return tuple(each for each in found if not is_ours(each, app))

    async def _plan(self, observed: Observed) -> tuple[Observed, Plan]:
        """Return the plan, and all that was read for it; it waits where that is refused."""
        try:
            while (planned := plan(observed)) is None:
                observed = await self._diagnostics.complete(observed)
        except (RefusedError, UnavailableError) as error:
            refused = _blocker_or_raise(REPLICA_SET, observed.app, error)
            return replace(observed, apply_errors=(refused,)), no_action(observed)
        return observed, planned

    async def _finish(self, observed: Observed, planned: Plan) -> Outcome:
        """Write the status, and say when to look again."""
        app, delay = observed.app, diagnostics_delay(self.rolling_out)
        pod_blockers = observed.pod_blockers
        if pod_blockers is None:
            try:
                pod_blockers = await self._diagnostics.pod_blockers(observed, delay=delay)
                if observed.progress.complete and planned.rollout is None:
                    pod_blockers = await self._diagnostics.address_blockers(observed)
            except (RefusedError, UnavailableError) as error:
                pod_blockers = (_blocker_or_raise(POD, app, error),)
        missing = planned.decision.missing_image if planned.decision else None
        if missing and missing.is_news and self._lookups and observed.release:
            self._lookups.ask_again(observed.release.uid_generation)
        pod_blockers = (
            *of_image(missing),
            *of_canarys_end(observed, planned.rollout),
            *pod_blockers,
            *share_blockers(observed, planned.rollout),
        )
        previous = app.status.get("blockers", ())
        observed = replace(
            observed,
            apply_errors=dated(observed.apply_errors, previous, at=observed.now),
            pod_blockers=dated(pod_blockers, previous, at=observed.now),
            conflicts=dated(conflicts(observed), previous, at=observed.now),
        )
        found = status(observed, planned)
        await self._status_writer.write_status(app, found)
        self._watch(observed, planned)
        if any(each.object for each in observed.apply_errors):
            return Outcome(failed=True)  # of the catalogue's errors we hear when they end
        if planned.decision and planned.decision.action.only_says:
            return Outcome(requeue_after=0)
        if planned.rollout is None or app.suspend:
            self._rolling_out.discard(app.key)
            return Outcome(requeue_after=next_look.at_rest(planned, found, observed.now))
        self._rolling_out.add(app.key)
        soonest = diagnostics_delay(self.rolling_out)
        return Outcome(requeue_after=next_look.while_changing(observed, planned, soonest))

    def _watch(self, observed: Observed, planned: Plan) -> None:
        """Have the revision analysed that is tried, until it serves, and no other."""
        if self._analyst is None:
            return
        app, rollout = observed.app, planned.rollout
        trial, analysis = rollout.trial if rollout else None, app.rollout.analysis
        is_watched = trial and trial.phase in (*TRYING, PROMOTING) and trial.phase != PREPARING
        if not (rollout and trial and analysis and is_watched):
            self._analyst.forget(app.key)
            return
        target = AnalysisTarget(
            app=app,
            analysis=analysis,
            revision=rollout.target.revision,
            step=trial.step,
            since=trial.set_at or "",
        )
        self._analyst.watch(target)


def _blocker_or_raise(kind: Kind, app: WeatherApp, error: ApiError) -> Blocker:
    """Return what cannot be read as a blocker; raise where nothing answers at all."""
    if not error.status:
        raise error
    return apply_error(kind, app.key.name, error)


def _sooner(outcome: Outcome, seconds: float | None) -> Outcome:
    """Return the outcome with another look after so many seconds, unless one comes before."""
    if seconds is None or outcome.failed:
        return outcome
    return replace(outcome, requeue_after=min(outcome.requeue_after or seconds, seconds))


def _child_of(app: WeatherApp, track: Track) -> Key:
    return Key(namespace=app.key.namespace, name=child_name(app, track))


def _namespace_of(app: WeatherApp) -> Key:
    return Key(namespace=app.key.namespace, name="")
