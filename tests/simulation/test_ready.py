"""Random lives of a site: whatever changes when, it is called ready for what its spec asks alone.

Changes come in every phase of every strategy, several within a pass, and meet an operator that is
restarted or whose cache is behind.
"""

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.fake_api_server import Request
from support.simulation import LONDON, Simulation
from support.trials import annotate, nothing_left, rollout, status
from weather_operator import render
from weather_operator.controller.reconciler import Outcome
from weather_operator.controller.workqueue import Priority
from weather_operator.kube.errors import ConflictError
from weather_operator.kube.resources import DEPLOYMENT, HTTP_ROUTE, SERVICE, Key, Manifest
from weather_operator.model import (
    ABORT_ANNOTATION,
    APPROVE_ANNOTATION,
    WEATHER_APP,
    WEATHER_RELEASE,
)
from weather_operator.model.parsing import parse_app
from weather_operator.releases.catalogue import release_for
from weather_operator.rollout.revisions import revision_in
from weather_operator.status.conditions import condition

LIVES = 40
CHANGES = 16
PASSES = 150
PUBLIC: Manifest = {
    "parentRefs": [{"name": "public"}],
    "hostnames": ["london.example"],
    "path": "/",
}
STRATEGIES: list[Manifest] = [
    {"type": "RollingUpdate"},
    {"type": "Canary", "canary": {"steps": [{"weight": 10}, {"weight": 50, "approval": True}]}},
    {"type": "BlueGreen", "blueGreen": {"retainSeconds": 20}},
]


def unlike_spec(simulation: Simulation) -> list[str]:
    """What is not as the spec asks although the status says that the site is ready for it."""
    body = simulation.body(WEATHER_APP)
    said = body.get("status", {})
    is_ready = condition(said, "Ready").get("status") == "True"
    if not is_ready or said["observedGeneration"] != body["metadata"]["generation"]:
        return []
    app, bodies = parse_app(body), simulation.server.bodies()
    release = release_for(
        app, [each for (kind, _), each in bodies.items() if kind is WEATHER_RELEASE]
    )
    spec, has = simulation.body(DEPLOYMENT)["spec"], simulation.body(DEPLOYMENT)["status"]
    number, scaling = spec["replicas"], app.autoscaling
    least, most = (
        (scaling.min_replicas, scaling.max_replicas)
        if scaling
        else (app.first_replicas, app.first_replicas)
    )
    wrong = {
        "revision": revision_in(spec["template"]) != revision_in(render.pod_template(app, release)),
        "number of pods": not least <= number <= most,
        "available pods": has.get("availableReplicas", 0) != number,
        "paused": spec.get("paused", False),
        "canary": not nothing_left(simulation),
        "selector": simulation.body(SERVICE)["spec"]["selector"] != render.selector(app),
        "route": number > 0
        and bool(app.gateway)
        and not _is_taken_up(simulation.body(HTTP_ROUTE), app.path),
    }
    return [name for name, is_wrong in wrong.items() if is_wrong]


def _is_taken_up(route: Manifest, path: str) -> bool:
    generation = route["metadata"]["generation"]
    parents = route.get("status", {}).get("parents", [])
    conditions = [each for parent in parents for each in parent["conditions"]]
    is_observed = all(each["observedGeneration"] == generation for each in conditions)
    leads_to = route["spec"]["rules"][0]["matches"][0]["path"]["value"]
    return bool(conditions) and is_observed and leads_to == path


@dataclass
class Life:
    """A site, what its user asks for, and what chance makes of both."""

    simulation: Simulation
    chance: random.Random
    spec: Manifest
    story: list[str] = field(default_factory=list)
    is_cache_behind: bool = False

    def check(self, request: Request) -> None:
        if (request.kind, request.part) == (WEATHER_APP, "status") and not self.is_cache_behind:
            assert unlike_spec(self.simulation) == [], "\n".join(self.story)

    async def live(self) -> None:
        """Let the operator and the cluster do something, or nothing, between two changes."""
        for _ in range(self.chance.choice((0, 0, 1, 2, 3, 8, 25))):
            self.is_cache_behind = self.chance.random() < 0.15
            if not self.is_cache_behind:
                await self.simulation.sync()
            priority = self.chance.choice((Priority.RESYNC, Priority.CHILD))
            try:
                outcome = await self.simulation.reconciler.reconcile(LONDON, priority)
            except ConflictError:
                continue
            if self.chance.random() < 0.5:
                self.simulation.turn()
            self.simulation.wait(outcome)

    def change(self) -> None:
        change = self.chance.choice(CHANGE)
        self.story.append(f"{rollout(self.simulation).get('phase')}: {change.__name__}")
        change(self)
        self.simulation.change(**deepcopy(self.spec))

    async def end(self) -> None:
        """Take back what holds the site, say yes to whatever waits, and come to the end."""
        self.spec["rollout"].pop("paused", None)
        self.spec["rollout"]["attempt"] = 10
        annotate(self.simulation)  # also where a person had given it up
        self.spec["suspend"] = False
        if self.spec["colour"] == "red":  # which never works
            self.spec["colour"] = "green"
        self.simulation.change(**deepcopy(self.spec))
        for _ in range(PASSES):
            outcome, turned = await self.simulation.reconcile(), self.simulation.turn()
            self.simulation.wait(outcome)
            if rollout(self.simulation).get("phase") == "AwaitingApproval":
                _approve(self)
            elif outcome == Outcome() and not turned:
                break
        ready = condition(status(self.simulation), "Ready")
        assert ready["status"] == "True", "\n".join((*self.story, ready["message"]))


def _colour(life: Life) -> None:
    life.spec["colour"] = life.chance.choice(("yellow", "green", "red"))


def _city(life: Life) -> None:
    life.spec["city"] = life.chance.choice(("London", "Łódź", "東京"))


def _replicas(life: Life) -> None:
    life.spec["replicas"] = life.chance.choice((0, 1, 3, 6))


def _autoscaling(life: Life) -> None:
    life.spec.pop("autoscaling", None)
    if life.chance.random() < 0.6:
        least, most = life.chance.choice(((2, 6), (5, 9), (1, 2)))
        life.spec["autoscaling"] = {"minReplicas": least, "maxReplicas": most}


def _gateway(life: Life) -> None:
    if life.spec.pop("gateway", None) is None:
        life.spec["gateway"] = {**PUBLIC}


def _path(life: Life) -> None:
    if gateway := life.spec.get("gateway"):
        life.spec["gateway"] = {**gateway, "path": life.chance.choice(("/", "/a", "/b"))}


def _strategy(life: Life) -> None:
    life.spec["rollout"]["strategy"] = life.chance.choice(STRATEGIES)


def _pause(life: Life) -> None:
    life.spec["rollout"]["paused"] = not life.spec["rollout"].get("paused", False)


def _suspend(life: Life) -> None:
    life.spec["suspend"] = not life.spec.get("suspend", False)


def _attempt(life: Life) -> None:
    life.spec["rollout"]["attempt"] = life.chance.randint(1, 9)


def _release(life: Life) -> None:
    key = Key(name="2.0.0")
    body = life.simulation.server.body(WEATHER_RELEASE, key)
    assert body
    image = life.chance.choice(("weather:2.0.0", "weather:2.0.1"))
    life.simulation.server.edit(WEATHER_RELEASE, key, spec={**body["spec"], "image": image})


def _restart(life: Life) -> None:
    life.simulation.restart()


def _approve(life: Life) -> None:
    tried = rollout(life.simulation)
    at = life.simulation.seconds  # said anew, not left from an earlier trial
    value = f"{tried.get('revision', 'none')}/{tried.get('step', 1)}@{at:.0f}"
    annotate(life.simulation, **{APPROVE_ANNOTATION: value})


def _give_up(life: Life) -> None:
    tried = rollout(life.simulation).get("revision", "none")
    annotate(life.simulation, **{ABORT_ANNOTATION: tried})


CHANGE: list[Callable[[Life], Any]] = [
    *(_colour, _colour, _city, _replicas, _autoscaling, _autoscaling, _gateway, _path, _path),
    *(_strategy, _pause, _suspend, _attempt, _release, _restart, _approve, _give_up),
]


@pytest.mark.parametrize("seed", range(LIVES))
async def test_a_site_is_ready_for_what_its_spec_asks_alone(seed: int) -> None:
    chance = random.Random(seed)
    spec: Manifest = {"colour": "yellow", "replicas": 3, "rollout": {}}
    spec["rollout"]["strategy"] = chance.choice(STRATEGIES)
    if chance.random() < 0.7:
        spec["gateway"] = {**PUBLIC}
    life = Life(simulation=await Simulation.of(**deepcopy(spec)), chance=chance, spec=spec)
    life.simulation.turns_of_rollout = chance.choice((0, 2))
    life.simulation.server.after = life.check
    await life.simulation.converge()
    for _ in range(CHANGES):
        await life.live()
        life.change()
    life.is_cache_behind = False
    await life.end()
