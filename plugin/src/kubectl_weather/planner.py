"""What an apply of a WeatherApp would do, by the operator's own plan and the API server's dry run.

The WeatherApp comes as an apply would leave it. `rollout.plan`, which the operator carries out,
says what it writes then; each of these writes is tried out as a server-side dry run by its field
manager, so that defaults, admission and the fields of others are as they will be.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    EVENT,
    HTTP_ROUTE,
    POD,
    REPLICA_SET,
    Key,
    Kind,
    Manifest,
    scaled_deployment,
)
from weather_operator.model import CHILDREN, FIELD_MANAGER, WEATHER_RELEASE, Blocker, WeatherApp
from weather_operator.model.parsing import parse_app
from weather_operator.releases.catalogue import CatalogueError, release_for
from weather_operator.releases.pinning import pinned
from weather_operator.render import Track, child_name, is_ours
from weather_operator.rollout import plan as rollout
from weather_operator.rollout.observed import ChildKey, Observed
from weather_operator.rollout.plan import Write
from weather_operator.status.pods import of_pods, unexplained, with_events

from kubectl_weather import preview
from kubectl_weather.errors import ForbiddenError, NotServedError, PluginError
from kubectl_weather.model import children_labels
from kubectl_weather.preview import (
    CHANGED,
    CREATED,
    DELETED,
    RECREATED,
    REFUSED,
    UNCHANGED,
    Child,
    Preview,
)

_FOREIGN = "there is one that is not of this WeatherApp: delete it or rename the WeatherApp"


class Cluster(Protocol):
    """What a planner reads of a cluster, and the dry run; `client.Client` is one."""

    @property
    def now(self) -> datetime:
        """The time by the server's clock."""

    def find(self, kind: Kind, key: Key) -> Manifest | None:
        """Return an object, None where there is none."""

    def list(
        self, kind: Kind, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[Manifest]:
        """Return the objects of a kind."""

    def dry_run_apply(self, kind: Kind, key: Key, manifest: Manifest, *, manager: str) -> Manifest:
        """Return what an object would be after this apply."""


class Planner:
    """Previews of WeatherApps with one catalogue; `releases` would be applied with them."""

    def __init__(self, cluster: Cluster, releases: Sequence[Manifest] = ()) -> None:
        self._cluster = cluster
        named = {each["metadata"]["name"]: each for each in cluster.list(WEATHER_RELEASE)}
        named |= {each["metadata"]["name"]: each for each in releases}
        self._catalogue = list(named.values())

    def preview(self, body: Manifest) -> Preview:
        """Return what would follow from this WeatherApp. Raises PluginError."""
        body["metadata"].setdefault("resourceVersion", "0")  # one that is not there yet has none
        app = parse_app(body)
        observed = self._observe(app)
        plan = self._plan(observed)
        if plan.desired is None:
            raise PluginError(f"{app.key.name} is rendered without a revision")  # never
        children, after = self._children(observed, plan.writes)
        before = observed.child(DEPLOYMENT)
        template = preview.revision_of(after) or plan.desired
        labels = children_labels(app.key.name)
        pods = self._cluster.list(POD, namespace=app.key.namespace, labels=labels)
        return Preview(
            namespace=app.key.namespace,
            name=app.key.name,
            version=plan.desired.version,
            colour=plan.desired.colour,
            template_version=template.version,
            template_colour=template.colour,
            notes=tuple(preview.notes(app, plan)),
            children=children,
            replaced=preview.replaced(pods, before, after),
            min_available=preview.least_available(app, before, after),
            says_first=plan.decision is not None and plan.decision.action.only_says,
        )

    def _observe(self, app: WeatherApp) -> Observed:
        """Return what the operator would observe; the routes' addresses play no part in a plan."""
        observed = Observed(
            app=app,
            now=self._cluster.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            children=self._live_children(app),
            autoscalers=self._foreign_autoscalers(app),
        )
        try:
            release = release_for(app, self._catalogue)
        except CatalogueError as error:
            raise PluginError(f"{app.key.name} cannot be rolled out: {error}") from None
        image = pinned(app, release, observed.child(DEPLOYMENT), awaited=False)
        return replace(observed, release=image or release)

    def _live_children(self, app: WeatherApp) -> dict[ChildKey, Manifest]:
        found: dict[ChildKey, Manifest] = {}
        for kind in CHILDREN:
            for name in (child_name(app, track) for track in Track):
                try:
                    body = self._cluster.find(kind, Key(namespace=app.key.namespace, name=name))
                except NotServedError:
                    if kind is not HTTP_ROUTE:
                        raise
                    continue  # the Gateway API is not installed
                if body:
                    found[kind, name] = body
        return found

    def _foreign_autoscalers(self, app: WeatherApp) -> tuple[Manifest, ...]:
        found = self._cluster.list(AUTOSCALER, namespace=app.key.namespace)
        own = [Key(namespace=app.key.namespace, name=child_name(app, track)) for track in Track]
        return tuple(
            each for each in found if scaled_deployment(each) in own and not is_ours(each, app)
        )

    def _plan(self, observed: Observed) -> rollout.Plan:
        key = observed.app.key
        where = {"namespace": key.namespace, "labels": children_labels(key.name)}
        while (plan := rollout.plan(observed)) is None:
            if observed.replica_sets is None:
                replica_sets = self._cluster.list(REPLICA_SET, **where)
                observed = replace(observed, replica_sets=replica_sets)
            else:
                pods = self._cluster.list(POD, **where)
                observed = replace(observed, pod_blockers=self._pod_blockers(observed, pods))
        return plan

    def _pod_blockers(self, observed: Observed, pods: Sequence[Manifest]) -> tuple[Blocker, ...]:
        found, pod = of_pods(pods, observed), unexplained(pods)
        if pod is None:
            return found
        metadata = pod["metadata"]
        fields = f"involvedObject.uid={metadata['uid']},type=Warning"
        events = self._cluster.list(EVENT, namespace=metadata["namespace"], fields=fields)
        return with_events(found, pod, events, observed)

    def _children(
        self, observed: Observed, writes: Sequence[Write]
    ) -> tuple[tuple[Child, ...], Manifest | None]:
        """Return what becomes of each child, and the Deployment as it will be."""
        after = observed.child(DEPLOYMENT)
        children = []
        for kind, name in _children_of(writes):
            own = [each for each in writes if (each.kind, each.name) == (kind, name)]
            if kind is AUTOSCALER and after is None:
                # There is nothing to scale: it goes, and comes with its Deployment.
                own = [each for each in own if each.manifest is None]
            if not own:
                continue
            child, body = self._child(observed, own)
            children.append(child)
            is_deployment = (kind, name) == (DEPLOYMENT, child_name(observed.app))
            if is_deployment and child.fate != REFUSED:
                after = body
        return tuple(children), after

    def _child(self, observed: Observed, writes: Sequence[Write]) -> tuple[Child, Manifest | None]:
        """Return what the writes of one child make of it, and the child as it will be."""
        kind, name = writes[0].kind, writes[0].name
        before = observed.children.get((kind, name))
        child = Child(kind=kind.name, name=name, fate=DELETED)
        applies = [each for each in writes if each.manifest]
        if not applies:
            return child, None
        if before and not is_ours(before, observed.app):
            return replace(child, fate=REFUSED, why=_FOREIGN), before
        try:
            after = self._dry_run(observed.app, applies)
        except ForbiddenError:
            raise
        except PluginError as error:
            return replace(child, fate=REFUSED, why=str(error)), before
        if before is None:
            return replace(child, fate=CREATED), after
        edits = preview.edits(before, after)
        if len(applies) < len(writes):
            return replace(child, fate=RECREATED, edits=edits), after
        return replace(child, fate=CHANGED if edits else UNCHANGED, edits=edits), after

    def _dry_run(self, app: WeatherApp, applies: Sequence[Write]) -> Manifest:
        """Return a child after these applies.

        A dry run leaves nothing that the next one could build upon. So the number of pods, which
        has a manager of its own, goes with the Deployment's manifest; and of a Service that gives
        up its load balancer in between that step is tried out and the last one is laid over it.
        """
        steps = [each.manifest for each in applies if each.manifest if _is_main(each)]
        replicas = [each.manifest for each in applies if each.manifest if not _is_main(each)]
        manager = FIELD_MANAGER if steps else applies[0].manager
        first, *later = steps or replicas
        for each in replicas:
            first = _merged(first, each)
        key = Key(namespace=app.key.namespace, name=applies[0].name)
        after = self._cluster.dry_run_apply(applies[0].kind, key, first, manager=manager)
        for each in later:
            after = _merged(after, each)
        return after


def _children_of(writes: Sequence[Write]) -> list[ChildKey]:
    """Return the children that are written, in the order in which people think of them."""
    found = dict.fromkeys((each.kind, each.name) for each in writes)
    return sorted(found, key=lambda child: (CHILDREN.index(child[0]), child[1]))


def _is_main(write: Write) -> bool:
    return write.manager == FIELD_MANAGER


def _merged(below: Manifest, above: Manifest) -> Manifest:
    """Return an object with another laid over it, field by field; lists are replaced whole."""
    merged = dict(below)
    for name, value in above.items():
        known = merged.get(name)
        if isinstance(value, dict) and isinstance(known, dict):
            merged[name] = _merged(known, value)
        else:
            merged[name] = value
    return merged
