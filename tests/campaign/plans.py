"""Plans: what users, other controllers, a cluster and chance do to a few sites, made from a seed.

A plan is pure data. Each of its steps stands for itself (an apply carries the whole spec), so that
a plan from which steps were dropped is a plan too, and what it has to end in can be told from the
steps that are left (`predictions`).
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

Spec = Mapping[str, Any]

RELEASES = ("1", "2", "3")
"""The releases of a plan's users, of its own: no other plan changes them."""

GOOD, OTHER, BROKEN = "weather:good", "weather:other", "weather-broken:1"
"""Images. Of the last one no pod gets ready, by its own containers' fault."""

NOTE = "example.com/note"
"""An annotation that is nothing to the operator."""

MOST_EDITS = 2
"""How often one child is edited: what is changed again and again is put back ever later."""


class Act(StrEnum):
    """What a step does."""

    APPLY = "apply"
    DELETE = "delete"
    EDIT = "edit a child"
    DELETE_CHILD = "delete a child"
    SCALE_CHILD = "scale the Deployment"
    ADD_AUTOSCALER = "add an autoscaler"
    DROP_AUTOSCALER = "drop the autoscaler"
    ADD_BUDGET = "add a budget"
    DROP_BUDGET = "drop the budget"
    ADD_SQUATTER = "take the name"
    DROP_SQUATTER = "free the name"
    SET_IMAGE = "set a release's image"
    DELETE_RELEASE = "delete a release"
    ANNOTATE = "annotate a child"
    AWAIT = "let the operator come to rest"
    SETTLE = "end all faults and let the operator come to rest"
    REFUSE = "refuse requests"
    LOSE = "lose answers"
    RESET = "break connections"
    SLOW = "delay requests"
    KILL = "kill the operator"
    STOP = "stop the operator"
    DOUBLE = "start a second operator"
    RESTART = "restart a component"


RESTS = (Act.AWAIT, Act.SETTLE)

FAULTS = frozenset(
    {Act.REFUSE, Act.LOSE, Act.RESET, Act.SLOW, Act.KILL, Act.STOP, Act.DOUBLE, Act.RESTART}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that is done `after` so many seconds.

    `about` is an app, a release or a component; `kind` the plural of the child, or of what requests
    are about; `value` what is to be: a spec, a patch, a number, an image, seconds, a status, or for
    how many renewals of the Lease the operator has to be at rest.
    """

    act: Act
    about: str = ""
    kind: str = ""
    value: Any = None
    times: int = 0
    after: float = 0.0

    def __str__(self) -> str:
        words = (self.act, self.about, self.kind, self.value, self.times and f"{self.times} times")
        return " ".join(str(word) for word in words if word not in ("", None, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What happens to `apps`, which are made by the first steps, in this order."""

    seed: int
    steps: tuple[Step, ...]

    @property
    def faults(self) -> int:
        """How many of the steps are faults."""
        return sum(step.act in FAULTS for step in self.steps)

    @property
    def longest_stop(self) -> float:
        """For how many seconds an operator stands still, or is away, at most."""
        away = {Act.KILL: 5.0, Act.DOUBLE: 5.0, Act.RESTART: 10.0}
        return max(
            (step.value if step.act is Act.STOP else away.get(step.act, 0.0))
            for step in (*self.steps, Step(act=Act.APPLY))
        )


def generate(seed: int) -> Plan:
    """Return the plan of a seed, the same one at each call."""
    return _Generator(random.Random(seed)).plan(seed)


@dataclass(slots=True)
class _App:
    """What a user has asked for; no spec where there is no app."""

    spec: dict[str, Any] | None = None
    attempt: int = 0
    edits: dict[str, int] = field(default_factory=dict)


class _Generator:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._apps = {f"app-{n}": _App() for n in range(chance.randint(4, 8))}
        self._steps: list[Step] = []

    def plan(self, seed: int) -> Plan:
        names = [*self._apps]
        if self._chance.random() < 0.3:
            self._add(Act.ADD_SQUATTER, self._chance.choice(names))
        for name in names:
            self._apply(name)
        self._add(Act.AWAIT)
        for _ in range(self._chance.randint(14, 28)):
            self._chance.choices(
                (self._by_user, self._by_another, self._by_cluster, self._fault, self._rest),
                weights=(9, 6, 2, 8, 2),
            )[0]()
        return Plan(seed=seed, steps=tuple(self._steps))

    def _add(self, act: Act, about: str = "", **more: Any) -> None:
        after = round(self._chance.choice((0.0, 0.0, 0.1, 0.4, 1.0)) * self._chance.random(), 2)
        self._steps.append(Step(act=act, about=about, after=after, **more))

    # -- users --

    def _by_user(self) -> None:
        name = self._chance.choice([*self._apps])
        app = self._apps[name]
        if app.spec is not None and self._chance.random() < 0.15:
            app.spec, app.attempt = None, 0
            self._add(Act.DELETE, name)
            if self._chance.random() < 0.5:
                return
        self._apply(name)

    def _apply(self, name: str) -> None:
        app = self._apps[name]
        spec = dict(app.spec or {"city": "London", "version": "1", "rollout": {}})
        for _ in range(self._chance.randint(1, 2)):
            self._change(app, spec)
        app.spec = spec
        self._add(Act.APPLY, name, value=MappingProxyType(spec))

    def _change(self, app: _App, spec: dict[str, Any]) -> None:
        what = self._chance.choices(
            (
                "version",
                "replicas",
                "autoscaling",
                "service",
                "ingress",
                "pod",
                "paused",
                "suspend",
                "attempt",
            ),
            weights=(8, 4, 3, 2, 2, 2, 2, 1, 2),
        )[0]
        chance = self._chance
        if what == "version":
            spec["version"] = chance.choice(RELEASES)
        elif what == "replicas":
            spec["replicas"] = chance.choice((0, 1, 2, 3))
        elif what in spec and what in ("autoscaling", "service", "ingress", "pod", "suspend"):
            del spec[what]
        elif what == "autoscaling":
            low = chance.randint(1, 2)
            spec[what] = {"minReplicas": low, "maxReplicas": low + chance.randint(0, 2)}
        elif what == "service":
            spec[what] = {"type": chance.choice(("NodePort", "LoadBalancer")), "port": 8080}
        elif what == "ingress":
            spec[what] = {"className": "nginx", "host": f"{chance.choice('abc')}.example.com"}
        elif what == "pod":
            spec[what] = {"labels": {"team": chance.choice(("clouds", "winds"))}}
        elif what == "suspend":
            spec[what] = True
        elif what == "paused":
            spec["rollout"] = {**spec["rollout"], what: not spec["rollout"].get(what, False)}
        else:
            app.attempt += 1
            spec["rollout"] = {**spec["rollout"], what: app.attempt}

    # -- others --

    def _by_another(self) -> None:
        name = self._chance.choice([*self._apps])
        app = self._apps[name]
        act = self._chance.choice(
            (
                Act.EDIT,
                Act.EDIT,
                Act.EDIT,
                Act.DELETE_CHILD,
                Act.DELETE_CHILD,
                Act.SCALE_CHILD,
                Act.ADD_AUTOSCALER,
                Act.DROP_AUTOSCALER,
                Act.ADD_BUDGET,
                Act.DROP_BUDGET,
                Act.DROP_SQUATTER,
            )
        )
        if act not in (Act.EDIT, Act.DELETE_CHILD, Act.SCALE_CHILD):
            self._add(act, name)
            return
        kind = "deployments" if act is Act.SCALE_CHILD else self._chance.choice(_EDITED_KINDS)
        app.edits[kind] = app.edits.get(kind, 0) + 1
        # What is done to a child of a suspended app stays: its end cannot be told from its spec.
        if app.edits[kind] > MOST_EDITS:
            return
        if act is Act.EDIT:
            self._add(act, name, kind=kind, value=self._chance.choice(EDITS[kind]))
        elif act is Act.SCALE_CHILD:
            self._add(act, name, kind=kind, value=self._chance.randint(0, 4))
        else:
            self._add(act, name, kind=kind)

    # -- the cluster, and chance --

    def _rest(self) -> None:
        self._add(Act.AWAIT)

    def _by_cluster(self) -> None:
        release = self._chance.choice(RELEASES)
        if self._chance.random() < 0.25:
            self._add(Act.DELETE_RELEASE, release)
            if self._chance.random() < 0.8:
                self._add(Act.SET_IMAGE, release, value=GOOD)
            return
        image = self._chance.choice((GOOD, OTHER, BROKEN))
        self._add(Act.SET_IMAGE, release, value=image)

    def _fault(self) -> None:
        chance = self._chance
        act = chance.choices(
            (
                Act.REFUSE,
                Act.LOSE,
                Act.RESET,
                Act.SLOW,
                Act.KILL,
                Act.STOP,
                Act.DOUBLE,
                Act.RESTART,
            ),
            weights=(6, 4, 2, 3, 3, 1, 1, 0.3),
        )[0]
        kinds = ("", "weatherapps", "deployments", "services", "horizontalpodautoscalers")
        about_requests: dict[str, Any] = {
            "kind": chance.choice(kinds),
            "times": chance.randint(1, 6),
        }
        if act is Act.REFUSE:
            self._add(act, value=chance.choice((409, 422, 429, 500, 503)), **about_requests)
        elif act in (Act.LOSE, Act.RESET):
            self._add(act, **about_requests)
        elif act is Act.SLOW:
            self._add(act, value=round(chance.uniform(0.2, 2.0), 1), **about_requests)
        elif act is Act.STOP:
            self._add(act, value=chance.choice((5, 5, 7, 12, 20)))
        elif act is Act.RESTART:
            components = ("kube-apiserver", "etcd", "kube-controller-manager")
            self._add(act, chance.choice(components))
        else:
            self._add(act)


_LABEL = {"metadata": {"labels": {"app.kubernetes.io/component": "theirs"}}}
_UNLABELLED = {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
_UNOWNED: dict[str, Any] = {"metadata": {"ownerReferences": None}}

EDITS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "deployments": (
        {"spec": {"minReadySeconds": 2}},
        {"spec": {"template": {"metadata": {"labels": {"app.kubernetes.io/version": "0.0.0"}}}}},
        _LABEL,
        _UNOWNED,
    ),
    "services": (
        {"spec": {"selector": {"app.kubernetes.io/instance": "nobody"}}},
        _LABEL,
        _UNLABELLED,
        _UNOWNED,
    ),
    "poddisruptionbudgets": (_LABEL, _UNOWNED),
    "horizontalpodautoscalers": ({"spec": {"maxReplicas": 9}}, _LABEL),
    "ingresses": (_LABEL, _UNLABELLED),
}
"""Merge patches of fields that the operator declares: each is to be put back."""

_EDITED_KINDS = ("deployments", "deployments", "services", "services", *EDITS)
