"""How every plan ends: what matters most, done once more while everything else is at rest.

The faults of a plan hide as much as they show: an operator that is started again finds everything
out, and for a while nobody can say what it should know. So when they are over and it has come to
rest, a few apps of their own are touched once each. From then on no mistake has an excuse, and the
oracles allow none (`Run.rested_before`).
"""

import random
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from campaign.plans import BROKEN, EDITS, GOOD, OTHER, Act, Plan, Step

RENEWED, EDITED, TRIMMED, FAILING, SUSPENDED, SCALED, TAKEN = (
    "renewed",
    "edited",
    "trimmed",
    "failing",
    "suspended",
    "scaled",
    "taken",
)
"""The apps: named after what happens to them."""

GOES, FAILS = "4", "5"
"""Releases of theirs: one gets a new image, the other has a bad one."""

_REST_RENEWALS = 3
_DEADLINE_RENEWALS = 5
"""A rollout that hangs is silent until its deadline, and what was refused until it is tried again,
which no rest must be mistaken for."""


def with_scenes(plan: Plan) -> Plan:
    """Return the plan with the scenes of its seed at its end."""
    return Plan(seed=plan.seed, steps=(*plan.steps, *_scenes(random.Random(plan.seed))))


def _scenes(chance: random.Random) -> Iterator[Step]:
    yield Step(act=Act.SET_IMAGE, about=GOES, value=GOOD)
    yield Step(act=Act.SET_IMAGE, about=FAILS, value=BROKEN)
    yield Step(act=Act.ADD_SQUATTER, about=TAKEN)
    for name in (RENEWED, EDITED, FAILING, SUSPENDED, SCALED, TAKEN):
        yield _app(name)
    yield _app(TRIMMED, autoscaling={"minReplicas": 2, "maxReplicas": 3})
    yield Step(act=Act.SETTLE, value=_DEADLINE_RENEWALS)

    yield Step(act=Act.SET_IMAGE, about=GOES, value=OTHER)
    yield Step(act=Act.AWAIT, value=_REST_RENEWALS)

    yield _app(TRIMMED)
    yield _app(FAILING, version=FAILS)
    yield _app(SUSPENDED, version=FAILS, suspend=True)
    yield Step(act=Act.ADD_AUTOSCALER, about=SCALED)
    yield Step(act=Act.AWAIT, value=_DEADLINE_RENEWALS)

    # Repairs are refused, as if the operator's view were old: so it has to look again. The one of a
    # label, to which no controller of the cluster says anything from which it would know better; a
    # second one may be of the app that is edited next.
    yield Step(act=Act.REFUSE, kind="deployments", value=409, times=2)
    label = {"metadata": {"labels": {"app.kubernetes.io/version": "edited"}}}
    yield Step(act=Act.EDIT, about=FAILING, kind="deployments", value=label)
    kind = chance.choice(("services", "deployments", "poddisruptionbudgets"))
    yield Step(act=Act.EDIT, about=EDITED, kind=kind, value=chance.choice(EDITS[kind]))
    yield Step(act=Act.SCALE_CHILD, about=SCALED, kind="deployments", value=3)
    yield Step(act=Act.DELETE_CHILD, about=SUSPENDED, kind="poddisruptionbudgets")
    yield Step(
        act=Act.ANNOTATE, about=TRIMMED, kind=chance.choice(("services", "poddisruptionbudgets"))
    )
    yield Step(act=Act.AWAIT, value=_DEADLINE_RENEWALS)


def _app(name: str, **more: Any) -> Step:
    spec = {"city": "London", "version": GOES, "replicas": 2, "rollout": {}, **more}
    return Step(act=Act.APPLY, about=name, value=MappingProxyType(spec))
