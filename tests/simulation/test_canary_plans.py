"""Generated releases with what people and chance do to them, and an operator that is killed.

Each plan comes from a seed. It is played once undisturbed, then with the operator's process ended
before or after one of its writes: the end is the same, and `Oracle` has nothing to object.
"""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from support.fake_api_server import Request
from support.simulation import CANARY, LONDON, KilledError, Simulation
from support.trials import (
    BAD,
    CHECKS,
    DARK,
    GATEWAY,
    GOOD,
    Analyst,
    annotate,
    revision_of,
    rollout,
    status,
    weight_in,
)
from weather_operator.controller.reconciler import Outcome
from weather_operator.kube.resources import DEPLOYMENT, HTTP_ROUTE, Manifest
from weather_operator.model import (
    ABORT_ANNOTATION,
    APPROVE_ANNOTATION,
    PROMOTE_ANNOTATION,
    WEATHER_APP,
    WeatherApp,
)
from weather_operator.model.parsing import parse_app
from weather_operator.rollout.interval import AnalysisTarget, Verdict
from weather_operator.rollout.traffic import canary_size
from weather_operator.rollout.trial import PROMOTING, TRYING, trial_before

SEEDS = range(40)
KILLS = 3
"""At how many of its writes, by chance, the operator of a plan is killed."""

PASSES = 150
_FEW_PASSES = 3
PATTERNS = {"good": [GOOD], "late": [DARK, DARK, GOOD], "bad": [BAD], "dark": [DARK]}
SUCCESS = {"name": "success", "successRate": {"minPercent": 99}}
PROBE = {"name": "page", "probe": {"path": "/weather.json"}}


@dataclass
class Plan:
    """A release: what is asked for, how each step's intervals come out, and what else happens.

    An event happens once, as soon as the status says its phase and step. Pods come with every
    `slowness`th pass.
    """

    spec: Manifest
    patterns: dict[int, str]
    events: dict[tuple[str, int], str]
    slowness: int


def plan_of(seed: int) -> Plan:
    chance = random.Random(seed)
    steps = []
    for weight in sorted(chance.sample([5, 10, 25, 50, 75, 100], chance.randint(1, 3))):
        approval = chance.random() < 0.4
        steps.append(
            {"weight": weight, "durationSeconds": chance.choice([0, 20]), "approval": approval}
        )
    strategy: Manifest = {"type": "Canary", "canary": {"steps": steps}}
    is_blue_green = chance.random() < 0.25
    if is_blue_green:
        fields = {"approval": chance.random() < 0.5, "retainSeconds": chance.choice([0, 20])}
        strategy = {"type": "BlueGreen", "blueGreen": fields}
    settings: Manifest = {"strategy": strategy}
    if chance.random() < 0.6:
        checks = [SUCCESS, PROBE] if chance.random() < 0.3 else [SUCCESS]
        on_unknown = chance.choice(["Hold", "Hold", "Abort"])
        settings["analysis"] = {**CHECKS, "checks": checks, "onUnknown": on_unknown}
    spec: Manifest = {
        "colour": chance.choice(["green"] * 5 + ["red"]),
        "replicas": chance.choice([1, 2, 4, 8]),
        "rollout": settings,
    }
    if chance.random() < 0.75:
        spec |= GATEWAY
    if chance.random() < 0.25:
        spec["autoscaling"] = {"minReplicas": spec["replicas"], "maxReplicas": 12}
    number = 1 if is_blue_green else len(steps)
    names = chance.choices(list(PATTERNS), weights=[6, 2, 1, 1], k=number + 1)
    events = {
        ("AwaitingApproval", step): chance.choice(["approve", "approve", "approve late"])
        for step in range(number + 1)
    }
    for _ in range(chance.choice([0, 1, 1, 2])):
        phase = chance.choice(["Preparing", "Shifting", "Analysing", "AwaitingApproval", PROMOTING])
        step = {"Preparing": 0, PROMOTING: number}.get(phase, chance.randint(1, number))
        events[phase, step] = chance.choice([each for each in EVENTS if "approve" not in each])
    return Plan(spec, dict(enumerate(names)), events, chance.choice([1, 1, 2, 5]))


class Patterned(Analyst):
    """Gives the verdicts of a plan with every other look, each step's last one again and again."""

    def __init__(self, plan: Plan, epoch: str, given: dict[int, list[Verdict]]) -> None:
        super().__init__(epoch=epoch, requests=0)
        self.plan, self.given = plan, given
        self.looks = 0

    def next_verdict(self, trial: AnalysisTarget) -> Verdict | None:
        self.looks += 1
        if self.looks % 2:
            return None
        given = self.given.setdefault(trial.step, [])
        pattern = PATTERNS[self.plan.patterns[trial.step]]
        given.append(pattern[min(len(given), len(pattern) - 1)])
        return given[-1]


class Oracle:
    """What must hold at every write, whatever happens and whoever is killed."""

    def __init__(self, simulation: Simulation, plan: Plan) -> None:
        self.simulation, self.plan = simulation, plan
        self.weight, self.trial = 0, trial_before({})
        self.serves = revision_of(simulation)
        self.given: dict[int, list[Verdict]] = {}
        self.unserved = 0
        self.end = 0
        """The generation of the route since which the canary gets no visitors."""
        self.may_go_back = False
        """Whether something has happened after which steps are taken again."""
        before, after = simulation.server.before, simulation.server.after
        self._before, self._after = before, after
        simulation.server.before, simulation.server.after = self.check, self.note

    def check(self, request: Request) -> None:
        self._before(request)
        if request.verb == "delete" and request.key == CANARY:
            assert self.route_weight() == 0, "pods go before their visitors"
            assert self.is_end_taken_up(), "pods go before the gateway knows"

    def note(self, request: Request) -> None:
        app = parse_app(self.simulation.body(WEATHER_APP))
        trial = trial_before(app.status)
        weight = self.route_weight()
        if weight > self.weight:
            self.rises(app, weight)
        if weight == 0 < self.weight:
            self.end = self.simulation.body(HTTP_ROUTE)["metadata"]["generation"]
        if trial and trial.phase in TRYING:
            assert revision_of(self.simulation) == self.serves, "what serves was touched in a trial"
        if trial and self.trial and trial.step > self.trial.step:
            assert trial.step == self.trial.step + 1, "a step was left out"
            if self.trial.step > 0:
                self.goes_on(self.trial.step)
        if trial and trial.phase in TRYING:
            good = self.given.get(trial.step, []).count(GOOD)
            assert trial.passed <= good, "an interval counts twice"
        if trial and self.trial and trial.step < self.trial.step:
            assert self.may_go_back, f"step {self.trial.step} and then {trial.step}"
        self.weight, self.trial = weight, trial
        self._after(request)

    def end_pass(self) -> None:
        """Visitors are led to nobody for one pass at most, in which the status is written."""
        body = self.simulation.server.body(DEPLOYMENT, CANARY) or {}
        available = body.get("status", {}).get("availableReplicas", 0)
        is_unserved = self.route_weight() > 0 and not available
        self.unserved = self.unserved + 1 if is_unserved else 0
        assert self.unserved < 2, "visitors stay although the pods are lost"

    def rises(self, app: WeatherApp, weight: int) -> None:
        trial = trial_before(app.status)
        assert trial, "a weight rises without a trial"
        assert weight <= trial.weight, "a weight rises before the status says so"
        body = self.simulation.server.body(DEPLOYMENT, CANARY) or {}
        available = body.get("status", {}).get("availableReplicas", 0)
        assert available >= canary_size(app, weight, trial.stable), "visitors come before the pods"

    def goes_on(self, step: int) -> None:
        """A step is over: there was evidence for it, and who had to approve it did."""
        rollout_spec = self.simulation.body(WEATHER_APP)["spec"]["rollout"]
        annotations = self.simulation.body(WEATHER_APP)["metadata"].get("annotations", {})
        revision = rollout(self.simulation)["revision"]
        if annotations.get(PROMOTE_ANNOTATION) == revision:
            return
        if "analysis" in rollout_spec:
            assert self.plan.patterns[step] in ("good", "late"), "the unknown has raised a weight"
        steps = rollout_spec["strategy"].get("canary", {}).get("steps", [])
        if steps and steps[step - 1]["approval"]:
            assert annotations.get(APPROVE_ANNOTATION) == f"{revision}/{step}"

    def is_end_taken_up(self) -> bool:
        """Whether the gateway has seen the route in which the weight had fallen to 0."""
        route = self.simulation.server.body(HTTP_ROUTE, LONDON)
        parents = (route or {}).get("status", {}).get("parents", [])
        seen = [each["observedGeneration"] for parent in parents for each in parent["conditions"]]
        return not seen or max(seen) >= self.end

    def route_weight(self) -> int:
        return weight_in(self.simulation.server.body(HTTP_ROUTE, LONDON))


class Play:
    """A plan that is played to its end."""

    def __init__(self, plan: Plan, simulation: Simulation) -> None:
        self.plan, self.simulation = plan, simulation
        self.oracle = Oracle(simulation, plan)
        self.events = dict(plan.events)
        self.epochs = itertools.count(1)
        self.later: list[tuple[int, str]] = []
        self.passes = 0

    @classmethod
    async def of(cls, plan: Plan) -> "Play":
        simulation = await Simulation.of(**{**plan.spec, "colour": "yellow"})
        await simulation.converge()
        play = cls(plan, simulation)
        play.begin_process()
        simulation.change(**plan.spec)
        simulation.server.writes.clear()
        return play

    def begin_process(self) -> None:
        """Begin a process that knows nothing of the one before."""
        analyst = Patterned(self.plan, f"epoch-{next(self.epochs)}", self.oracle.given)
        self.simulation.analyst = lambda _: analyst
        self.simulation.restart()

    async def to_the_end(self) -> Manifest:
        """Play until nothing follows any more, and return all objects."""
        simulation = self.simulation
        for self.passes in range(PASSES):
            self.let_happen()
            known = len(simulation.server.writes)
            try:
                outcome = await simulation.reconcile()
            except KilledError:
                self.begin_process()
                continue
            self.oracle.end_pass()
            is_turn = self.passes % self.plan.slowness == 0
            turned = simulation.turn() if is_turn else True
            is_silent = outcome == Outcome() or simulation.ready() == "AddressPending"
            quiet = is_silent and not turned and len(simulation.server.writes) == known
            if quiet and not self.later:
                break
            simulation.wait(outcome)
        return {name: _without_counts(body) for name, body in simulation.state().items()}

    def let_happen(self) -> None:
        for at, name in [each for each in self.later if each[0] <= self.passes]:
            self.later.remove((at, name))
            EVENTS[name](self)
        now = rollout(self.simulation)
        if name := self.events.pop((now.get("phase", ""), now.get("step", 0)), ""):
            EVENTS[name](self)


def _annotate(name: str, value: str) -> Callable[[Play], None]:
    def act(play: Play) -> None:
        now = rollout(play.simulation)
        annotate(play.simulation, **{name: value.format(**now)})

    return act


def _edit_weights(play: Play) -> None:
    server, route = play.simulation.server, play.simulation.server.body(HTTP_ROUTE, LONDON)
    if route is None:
        return
    rule = route["spec"]["rules"][0]
    refs = [{**each, "weight": 50} for each in rule["backendRefs"]]
    rules = [{**rule, "backendRefs": refs}]
    server.edit(HTTP_ROUTE, LONDON, spec={**route["spec"], "rules": rules})
    play.oracle.weight = play.oracle.route_weight()


def _lose_pods(play: Play) -> None:
    play.oracle.may_go_back = True
    body = play.simulation.server.body(DEPLOYMENT, CANARY)
    if body and "status" in body:
        lost = {**body["status"], "availableReplicas": 0, "readyReplicas": 0}
        play.simulation.server.edit(DEPLOYMENT, CANARY, status=lost)


def _delete_canary(play: Play) -> None:
    play.oracle.may_go_back = True
    if play.simulation.server.body(DEPLOYMENT, CANARY):
        play.simulation.server.remove(DEPLOYMENT, CANARY)


def _scale_canary(play: Play) -> None:
    play.oracle.may_go_back = True
    body = play.simulation.server.body(DEPLOYMENT, CANARY)
    if body:
        spec = {**body["spec"], "replicas": 0}
        play.simulation.server.edit(DEPLOYMENT, CANARY, spec=spec)
        play.simulation.turn()


def _lose_status(play: Play) -> None:
    play.oracle.may_go_back = True
    before = status(play.simulation)
    kept = {name: value for name, value in before.items() if name != "rollout"}
    play.simulation.server.edit(WEATHER_APP, LONDON, status=kept)


def _apply_spec(**fields: Any) -> Callable[[Play], None]:
    def act(play: Play) -> None:
        play.oracle.may_go_back = True
        play.simulation.change(**{**play.plan.spec, **fields})

    return act


def _pause(play: Play) -> None:
    spec = play.plan.spec
    play.simulation.change(**{**spec, "rollout": {**spec["rollout"], "paused": True}})
    play.later.append((play.passes + _FEW_PASSES, "resume"))


def _plain(play: Play) -> None:
    play.oracle.may_go_back = True
    play.simulation.change(**{**play.plan.spec, "rollout": {}})


EVENTS: dict[str, Callable[[Play], None]] = {
    "approve": _annotate(APPROVE_ANNOTATION, "{revision}/{step}"),
    "approve late": _annotate(APPROVE_ANNOTATION, "0123456789ab/{step}"),
    "abort": _annotate(ABORT_ANNOTATION, "{revision}"),
    "promote": _annotate(PROMOTE_ANNOTATION, "{revision}"),
    "weights are edited": _edit_weights,
    "pods are lost": _lose_pods,
    "the canary is deleted": _delete_canary,
    "the canary is scaled to none": _scale_canary,
    "the status is lost": _lose_status,
    "what serves is wished": _apply_spec(colour="yellow"),
    "what fails is wished": _apply_spec(colour="red"),
    "the strategy is taken away": _plain,
    "pause": _pause,
    "resume": _apply_spec(),
}


def _without_counts(value: Any) -> Any:
    """Leave out how many intervals it took."""
    if isinstance(value, dict):
        counts = ("intervals", "analysis", "observed", "requests", "reached")
        return {k: _without_counts(v) for k, v in value.items() if k not in counts}
    return [_without_counts(each) for each in value] if isinstance(value, list) else value


async def killed(plan: Plan, number: int, *, before: bool) -> Manifest:
    """Play a plan to its end with a process that ends at this write."""
    play = await Play.of(plan)
    server = play.simulation.server
    killed = False
    check, note = server.before, server.after

    def kill(request: Request) -> None:
        nonlocal killed
        if not killed and request.is_write and len(server.writes) == number:
            killed = True
            raise KilledError

    def kill_before(request: Request) -> None:
        check(request)
        if before:
            kill(request)

    def kill_after(request: Request) -> None:
        note(request)
        if not before:
            kill(request)

    server.before, server.after = kill_before, kill_after
    return await play.to_the_end()


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_release_ends_the_same_wherever_the_operator_is_killed(seed: int) -> None:
    play = await Play.of(plan_of(seed))
    end = await play.to_the_end()
    writes = len(play.simulation.server.writes)
    chance = random.Random(-seed)
    for number in chance.sample(range(1, writes), min(KILLS, writes - 1)):
        before = chance.random() < 0.5
        where = f"killed {'before' if before else 'after'} write {number} of {writes}"
        assert await killed(plan_of(seed), number, before=before) == end, where
