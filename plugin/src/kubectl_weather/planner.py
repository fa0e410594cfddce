"""A plan is made by the operator's own pure parts, and tried out by the API server.

The WeatherApp comes as an apply would leave it. What the operator would then want of each child is
rendered and decided here as it does it, and applied under its name by server-side dry run: so
defaults, admission and the fields of others are as they will be.
"""

from collections.abc import Sequence
from dataclasses import replace

from weather_operator import render
from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    HTTP_ROUTE,
    POD,
    REPLICA_SET,
    Kind,
    Manifest,
)
from weather_operator.model import (
    CHILDREN,
    FIELD_MANAGER,
    WEATHER_RELEASE,
    WeatherApp,
    is_ours,
    parse_app,
)
from weather_operator.releases.catalogue import CatalogueError, release_for
from weather_operator.releases.pinning import pinned
from weather_operator.rollout.plan import Decision, Situation, carry, decide
from weather_operator.rollout.revisions import Revision, held, revision_in
from weather_operator.rollout.state import progress

from kubectl_weather import plan
from kubectl_weather.client import Client
from kubectl_weather.errors import ForbiddenError, NotServedError, PluginError
from kubectl_weather.model import children_labels
from kubectl_weather.plan import CHANGED, CREATED, DELETED, REFUSED, UNCHANGED, Child, Plan

_FOREIGN = "there is one that is not of this WeatherApp: delete it or rename the WeatherApp"


class Planner:
    """Plans for WeatherApps with one catalogue; `releases` would be applied with them."""

    def __init__(self, client: Client, releases: Sequence[Manifest] = ()) -> None:
        self._client = client
        named = {each["metadata"]["name"]: each for each in client.list(WEATHER_RELEASE)}
        named |= {each["metadata"]["name"]: each for each in releases}
        self._catalogue = list(named.values())

    def plan(self, body: Manifest) -> Plan:
        """Return what would follow from this WeatherApp. Raises PluginError."""
        body["metadata"].setdefault("resourceVersion", "0")  # one that is not there yet has none
        app = parse_app(body)
        live = self._read(app)
        try:
            release = release_for(app, self._catalogue)
        except CatalogueError as error:
            raise PluginError(f"{app.key.name} cannot be rolled out: {error}") from None
        image = pinned(app, release, _own(live, DEPLOYMENT, app), awaited=False) or release
        manifests = dict(render.children(app, image))
        desired = revision_in(manifests[DEPLOYMENT]["spec"]["template"])
        if desired is None:
            raise PluginError(f"{app.key.name} is rendered without a revision")  # never
        decision = None if app.suspend else self._decide(app, desired, live)
        if decision:
            manifests[DEPLOYMENT] = carry(manifests[DEPLOYMENT], decision)
        return self._tell(app, desired, decision, manifests, live)

    def _tell(
        self,
        app: WeatherApp,
        desired: Revision,
        decision: Decision | None,
        manifests: dict[Kind, Manifest],
        live: dict[Kind, Manifest],
    ) -> Plan:
        before = live.get(DEPLOYMENT)
        after, children = before, []
        for kind in CHILDREN:
            if app.suspend or not (kind in live or kind in manifests):
                continue
            child, answer = self._child(kind, app, manifests.get(kind), live.get(kind), live)
            children += [child] if child else []
            after = answer if kind is DEPLOYMENT else after
        carried = revision_in(after["spec"]["template"]) if after else None
        labels = children_labels(app.key.name)
        pods = self._client.list(POD, namespace=app.key.namespace, labels=labels)
        shown = carried or desired
        return Plan(
            namespace=app.key.namespace,
            name=app.key.name,
            version=desired.version,
            colour=desired.colour,
            template_version=shown.version,
            template_colour=shown.colour,
            notes=tuple(plan.notes(app, desired, decision)),
            children=tuple(children),
            replaced=plan.replaced(pods, before, after),
            min_available=plan.least(app, before, after),
        )

    def _child(
        self,
        kind: Kind,
        app: WeatherApp,
        manifest: Manifest | None,
        before: Manifest | None,
        live: dict[Kind, Manifest],
    ) -> tuple[Child | None, Manifest | None]:
        """Return what becomes of a child, and the child as it will be."""
        child = Child(kind=kind.name, name=app.key.name, fate=UNCHANGED)
        ours = before is not None and is_ours(before, app)
        if manifest is None:
            return (replace(child, fate=DELETED), None) if ours else (None, before)
        if before is not None and not ours:
            return replace(child, fate=REFUSED, why=_FOREIGN), before
        if (
            kind is DEPLOYMENT
            and (number := _replicas(app, before, AUTOSCALER in live)) is not None
        ):
            manifest = {**manifest, "spec": {**manifest["spec"], "replicas": number}}
        try:
            answer = self._client.dry_run_apply(kind, app.key, manifest, manager=FIELD_MANAGER)
        except ForbiddenError:
            raise
        except PluginError as error:
            return replace(child, fate=REFUSED, why=str(error)), before
        if before is None:
            return replace(child, fate=CREATED), answer
        changes = plan.edits(before, answer)
        return replace(child, fate=CHANGED if changes else UNCHANGED, edits=changes), answer

    def _decide(self, app: WeatherApp, desired: Revision, live: dict[Kind, Manifest]) -> Decision:
        deployment = _own(live, DEPLOYMENT, app)
        seen = Situation(
            app=app,
            desired=desired,
            live=revision_in(deployment["spec"]["template"]) if deployment else None,
            progress=progress(deployment, wanted=app.first_replicas),
            now=self._client.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        where = {"namespace": app.key.namespace, "labels": children_labels(app.key.name)}
        while (decision := decide(seen)) is None:
            sets = self._client.list(REPLICA_SET, **where) if deployment else []
            seen = replace(seen, held=held(sets, deployment) if deployment else ())
        return decision

    def _read(self, app: WeatherApp) -> dict[Kind, Manifest]:
        found = {}
        for kind in CHILDREN:
            try:
                body = self._client.find(kind, app.key)
            except NotServedError:
                if kind is not HTTP_ROUTE:
                    raise
                continue  # the Gateway API is not installed
            if body:
                found[kind] = body
        return found


def _own(live: dict[Kind, Manifest], kind: Kind, app: WeatherApp) -> Manifest | None:
    body = live.get(kind)
    return body if body and is_ours(body, app) else None


def _replicas(app: WeatherApp, before: Manifest | None, scaled: bool) -> int | None:
    """Return the number of pods that the operator would set, None where that is not its own."""
    if app.autoscaling is None:
        return app.first_replicas
    if scaled or (before and before["spec"]["replicas"] >= app.first_replicas):
        return None
    return app.first_replicas
