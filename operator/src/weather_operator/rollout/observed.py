"""What one pass knows of an app, before it decides anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from weather_operator.kube.resources import DEPLOYMENT, Kind, Manifest
from weather_operator.model import Blocker, Release, WeatherApp
from weather_operator.render import Track, child_name, is_ours
from weather_operator.rollout.interval import Interval
from weather_operator.rollout.progress import Progress, progress_of
from weather_operator.rollout.revisions import Revision, revision_in
from weather_operator.rollout.trial import TRYING, trial_before


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """The readiness gates of a load balancer: whether they are promised, and who has to wait.

    `missing` are the pods of the live revision that came without although they were promised.
    """

    promised: bool
    missing: tuple[str, ...] = ()


ChildKey = tuple[Kind, str]
"""A child is known by its kind and its name: the two tracks differ in the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that a plan and a status are made from; nothing else is read for them.

    `now` is the time in RFC 3339. `release` is None where the spec names none that there is;
    `is_digest_pending` while a registry is being asked which image it means. `children` are as the
    API has them, somebody else's of the same name among them. `replica_sets` is None while they
    have not been read: most plans do without. `gateways` are in the order in which the app names
    them, None for one that is not there; `node_address` is where NodePorts answer, and `lost_nodes`
    are the names of those that are not ready, as far as nodes may be read. `apply_errors` came from
    the catalogue or the API. `pod_blockers` were found at the pods, None while those have not been
    read: a plan needs them only to condemn a revision. `autoscalers` and
    `disruption_budgets` are somebody else's, of the same pods on either track; `conflicts` is what
    others do to the app's objects, and the site bears. `waits_for` says which others are first
    where the app's own spec does not ask for the rollout. `interval` is the newest complete one of
    the app's analysis, None while there is none; `is_analysed` whether anybody analyses. `is_early`
    says that pods are read for a moment only: the API server may have been away before, and what
    nodes had said of them until then condemns nothing yet.

    `live` is the revision that the Deployment has now, and `progress` how far it is. `tried` and
    `canary_progress` are the same of the canary's.
    """

    app: WeatherApp
    now: str
    release: Release | None = None
    is_digest_pending: bool = False
    children: Mapping[ChildKey, Manifest] = field(default_factory=dict)
    replica_sets: Sequence[Manifest] | None = None
    gateways: tuple[Manifest | None, ...] = ()
    node_address: str | None = None
    lost_nodes: frozenset[str] = frozenset()
    apply_errors: tuple[Blocker, ...] = ()
    pod_blockers: tuple[Blocker, ...] | None = None
    autoscalers: tuple[Manifest, ...] = ()
    disruption_budgets: tuple[Manifest, ...] = ()
    conflicts: tuple[Blocker, ...] = ()
    waits_for: str = ""
    interval: Interval | None = None
    is_analysed: bool = False
    is_early: bool = False
    gates: Gates | None = None
    live: Revision | None = field(init=False)
    progress: Progress = field(init=False)
    tried: Revision | None = field(init=False)
    canary_progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        deployment = self.child(DEPLOYMENT)
        live = revision_in(deployment["spec"]["template"]) if deployment else None
        object.__setattr__(self, "live", live)
        progress = progress_of(deployment, desired=self.app.first_replicas)
        object.__setattr__(self, "progress", progress)
        canary = self.child(DEPLOYMENT, child_name(self.app, Track.CANARY))
        tried = revision_in(canary["spec"]["template"]) if canary else None
        object.__setattr__(self, "tried", tried)
        object.__setattr__(self, "canary_progress", progress_of(canary, desired=0))

    @property
    def judged(self) -> Revision | None:
        """The revision that pods speak for or against: the one that is tried, else the live one."""
        is_tried = self.progress.complete or self.awaits_tried
        return self.tried if self.tried and is_tried else self.live

    @property
    def awaits_tried(self) -> bool:
        """Whether a trial waits for its own pods, whatever becomes of those that serve."""
        if self.tried is None or self.canary_progress.complete:
            return False
        trial = trial_before(self.app.status)
        return self.progress.complete or (trial is not None and trial.phase in TRYING)

    @property
    def evidence(self) -> tuple[Blocker, ...]:
        """What the judged revision's own containers show against it."""
        return tuple(each for each in self.pod_blockers or () if each.condemns)

    def is_scaled_by_others(self, track: Track = Track.STABLE) -> bool:
        """Tell whether somebody else's autoscaler sets the number of a track's pods."""
        name = child_name(self.app, track)
        return any(each["spec"]["scaleTargetRef"]["name"] == name for each in self.autoscalers)

    def child(self, kind: Kind, name: str | None = None) -> Manifest | None:
        """Return a child that is the app's own; without a name, the one on the stable track."""
        live = self.children.get((kind, name or child_name(self.app)))
        return live if live and is_ours(live, self.app) else None
