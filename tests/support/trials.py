"""Trials in the simulation: their specs, what must hold at every write, and a played analyst."""

import json
from collections.abc import Callable
from typing import Any

from support.fake_api_server import Request
from support.simulation import CANARY, LONDON, Simulation
from weather_operator.kube.resources import DEPLOYMENT, HTTP_ROUTE, INGRESS, Key, Manifest
from weather_operator.model import CHILDREN, WEATHER_APP
from weather_operator.rollout.interval import AnalysisTarget, CheckResult, Interval, Verdict

GATEWAY: Manifest = {"gateway": {"parentRefs": [{"name": "public"}], "path": "/"}}
ALB: Manifest = {"gateway": None, "ingress": {"className": "alb"}}
STEPS = [{"weight": 10}, {"weight": 50, "durationSeconds": 60}]
AUTOSCALED: Manifest = {"autoscaling": {"minReplicas": 4, "maxReplicas": 9}}


def canary(*steps: Manifest, colour: str = "green", **spec: Any) -> Manifest:
    """A spec that tries a colour in these steps behind a Gateway."""
    strategy = {"type": "Canary", "canary": {"steps": list(steps) or STEPS}}
    rollout = {"strategy": strategy, **spec.pop("rollout", {})}
    return {"colour": colour, "replicas": 4, "rollout": rollout, **GATEWAY, **spec}


def blue_green(**fields: Any) -> Manifest:
    rollout = {"strategy": {"type": "BlueGreen", "blueGreen": fields}}
    return {"colour": "green", "replicas": 4, "rollout": rollout, **GATEWAY}


def weight_in(route: Manifest | None) -> int:
    """What an HTTPRoute or an Ingress declares for the canary."""
    if route is None:
        return 0
    annotations = route["metadata"].get("annotations", {})
    if action := annotations.get(f"alb.ingress.kubernetes.io/actions.{LONDON.name}"):
        groups = json.loads(action)["forwardConfig"]["targetGroups"]
        return sum(each["weight"] for each in groups if each["serviceName"] == CANARY.name)
    refs = route["spec"]["rules"][0].get("backendRefs", ())
    return sum(each["weight"] for each in refs if each["name"] == CANARY.name)


class Watched:
    """What must hold at every write of a trial, whatever is going on."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.weights = [0]
        self.phases: list[str] = []
        before, after = simulation.server.before, simulation.server.after

        def check(request: Request) -> None:
            before(request)
            self.check(request)

        def note(request: Request) -> None:
            self.note()
            after(request)

        simulation.server.before, simulation.server.after = check, note

    def available(self, key: Key) -> int:
        body = self.simulation.server.body(DEPLOYMENT, key) or {}
        number: int = body.get("status", {}).get("availableReplicas", 0)
        return number

    def route(self) -> Manifest | None:
        server = self.simulation.server
        return server.body(HTTP_ROUTE, LONDON) or server.body(INGRESS, LONDON)

    def check(self, request: Request) -> None:
        if request.verb == "delete" and request.key == CANARY:
            assert weight_in(self.route()) == 0, "pods go before their visitors"

    def note(self) -> None:
        weight = weight_in(self.route())
        if weight > self.weights[-1]:
            assert self.available(CANARY), "visitors come before the pods"
        if weight != self.weights[-1]:
            self.weights.append(weight)
        rollout = self.simulation.body(WEATHER_APP).get("status", {}).get("rollout", {})
        if "strategy" in rollout and rollout["phase"] != (self.phases or [""])[-1]:
            self.phases.append(rollout["phase"])


async def serving(**spec: Any) -> Simulation:
    """London in yellow, which serves, with the strategy of this spec."""
    simulation = await Simulation.of(**{**spec, "colour": "yellow"})
    await simulation.converge()
    assert simulation.ready() == "Serving" or "gateway" in spec
    return simulation


def status(simulation: Simulation) -> Manifest:
    found: Manifest = simulation.body(WEATHER_APP).get("status", {})
    return found


def rollout(simulation: Simulation) -> Manifest:
    found: Manifest = status(simulation).get("rollout", {})
    return found


def revision_of(simulation: Simulation, key: Key = LONDON) -> str:
    template = (simulation.server.body(DEPLOYMENT, key) or {})["spec"]["template"]
    name: str = template["metadata"]["annotations"]["weather.quantspark.io/revision"]
    return name


async def until(simulation: Simulation, test: Callable[[], bool], passes: int = 60) -> None:
    for _ in range(passes):
        if test():
            return
        outcome = await simulation.reconcile()
        simulation.turn()
        simulation.wait(outcome)
    raise AssertionError(f"it never came: {status(simulation).get('conditions')}")


async def run_passes(simulation: Simulation, number: int, *, seconds: float = 1) -> None:
    """Do passes so many seconds apart, after each of which the cluster's controllers act."""
    for _ in range(number):
        await simulation.reconcile()
        simulation.turn()
        simulation.seconds += seconds


async def run_passes_alone(simulation: Simulation, number: int) -> None:
    """Do passes a second apart while the cluster's controllers do nothing."""
    for _ in range(number):
        await simulation.reconcile()
        simulation.seconds += 1


def phase_is(simulation: Simulation, *phases: str) -> Callable[[], bool]:
    return lambda: rollout(simulation).get("phase") in phases


async def in_trial(phase: str, **spec: Any) -> Simulation:
    """London, whose green is tried with this spec, once the trial is in a phase."""
    simulation = await serving(**spec)
    simulation.change(**spec)
    await until(simulation, phase_is(simulation, phase))
    return simulation


async def at_second_step() -> Simulation:
    """London, whose green canary is analysed at its second and last step."""
    simulation = await serving(**canary())
    simulation.change(**canary())
    await until(simulation, lambda: rollout(simulation).get("step") == 2)
    await until(simulation, phase_is(simulation, "Analysing"))
    return simulation


def annotate(simulation: Simulation, **annotations: str) -> None:
    metadata = simulation.body(WEATHER_APP)["metadata"]
    simulation.server.edit(WEATHER_APP, LONDON, metadata={**metadata, "annotations": annotations})


def nothing_left(simulation: Simulation) -> bool:
    return not any(simulation.server.body(kind, CANARY) for kind in CHILDREN)


def without_none(spec: Manifest) -> Manifest:
    return {name: value for name, value in spec.items() if value is not None}


class Analyst:
    """Gives one complete interval with each look after the first, as the verdicts come."""

    def __init__(
        self,
        *verdicts: Verdict,
        epoch: str = "one",
        share: float | None = 9.5,
        requests: int = 400,
    ) -> None:
        self.verdicts, self.epoch = list(verdicts), epoch
        self.share, self.requests = share, requests
        self.number = 0
        self.trial: AnalysisTarget | None = None
        self.interval: Interval | None = None

    def watch(self, trial: AnalysisTarget) -> None:
        known, self.trial = self.trial, trial
        if known is None or (known.step, known.since) != (trial.step, trial.since):
            self.interval = None
        elif verdict := self.next_verdict(trial):
            self.number += 1
            result = CheckResult(name="success", verdict=verdict, value=1, threshold=2)
            self.interval = Interval(
                epoch=self.epoch,
                number=self.number,
                revision=trial.revision,
                step=trial.step,
                since=trial.since,
                results=(result,),
                share=self.share,
                requests=self.requests,
            )

    def next_verdict(self, trial: AnalysisTarget) -> Verdict | None:
        """How the interval that is over came out, None where it is not over."""
        return self.verdicts.pop(0) if self.verdicts else None

    def forget(self, key: Key) -> None:
        self.trial = self.interval = None

    def latest(self, key: Key) -> Interval | None:
        return self.interval


CHECKS = {"intervalSeconds": 10, "checks": [{"name": "success", "successRate": {"minPercent": 99}}]}
GOOD, BAD, DARK = Verdict.PASSED, Verdict.FAILED, Verdict.UNKNOWN


async def analysed(analyst: Analyst, *, passes: int = 40, **fields: Any) -> Simulation:
    """London after so many looks at the trial of a step that takes three good intervals."""
    steps = {"weight": 10, "durationSeconds": 30}
    spec = canary(steps, rollout={"analysis": {**CHECKS, **fields}})
    simulation = await Simulation.of(**{**spec, "colour": "yellow"})
    simulation.analyst = lambda _: analyst
    simulation.restart()
    await simulation.converge()
    simulation.change(**spec)
    await run_passes(simulation, passes, seconds=10)
    return simulation
