"""A few plans of the campaign and a few planted bugs to catch; `make campaign` plays all."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from campaign.hunt import hunt
from campaign.plans import Act, Plan, Step, generate
from campaign.play import Result, play
from campaign.scenes import with_scenes
from campaign.stage import stage
from support.operator import Operator
from weather_cluster.clusters import Cluster

SEEDS = (1, 2, 3, 4)
TIMEOUT_SECONDS = 400

BUGS = (
    "a foreign object is adopted",
    "a suspended app is changed",
    "what a conflict was about is forgotten",
)
"""`make campaign BUGS=1` plants all."""

Play = Callable[[range, Sequence[Plan]], list[Result]]


@pytest.fixture
def deserted(plane: Cluster, _operator: Operator) -> Cluster:
    """The control plane without the operator: two of different Leases would both lead."""
    _operator.log.touch()
    _operator.stop()
    return plane


@pytest.fixture
def playing(deserted: Cluster, tmp_path: Path) -> Iterator[Play]:
    """Plays plans side by side, with an operator of their own.

    The runs need numbers that no other test has.
    """
    with ExitStack() as stack:

        def played(runs: range, plans: Sequence[Plan]) -> list[Result]:
            here = stack.enter_context(stage(deserted, tmp_path, {}, runs=runs))
            with ThreadPoolExecutor(len(plans)) as pool:
                results = [pool.submit(play, here, plan, timeout=TIMEOUT_SECONDS) for plan in plans]
                return [each.result() for each in results]

        yield played


@pytest.mark.timeout(900)  # it waits until all has come to rest, again and again
def test_plans_end_as_predicted_whatever_happens_meanwhile(playing: Play) -> None:
    results = playing(range(101, 105), [with_scenes(generate(seed)) for seed in SEEDS])
    assert {each.plan.seed: each.failures for each in results} == dict.fromkeys(SEEDS, ())


@pytest.mark.timeout(900)
def test_planted_bugs_are_caught_by_what_every_plan_ends_in(deserted: Cluster) -> None:
    plans = [with_scenes(Plan(seed=1, steps=()))]
    caught = hunt(deserted, BUGS, plans, number=len(BUGS), timeout=TIMEOUT_SECONDS, first_run=201)
    assert [name for name, found in caught.items() if found is None] == []


@pytest.mark.timeout(900)
def test_a_plan_that_breaks_off_fails_alone_and_says_where(playing: Play) -> None:
    spec = {"city": "London", "version": "1", "rollout": {}}
    apply = Step(act=Act.APPLY, about="london", value=spec)
    refused = Step(act=Act.APPLY, about="paris", value={**spec, "replicas": "many"})
    broken, whole = Plan(seed=901, steps=(apply, refused)), Plan(seed=902, steps=(apply,))
    found = playing(range(301, 303), [broken, whole])
    assert [len(each.failures) for each in found] == [1, 0]
    (said,) = found[0].failures
    assert said.startswith("seed 901 broke off (AssertionError: PATCH")
    assert "step 2 of 2, apply paris" in said
    log = Path(said.rpartition("log: ")[2])
    assert "replicas" in log.read_text()
    log.unlink()
