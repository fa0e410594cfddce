"""A few plans of the campaign and a planted bug to catch; `make campaign` plays all."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from campaign.bugs import BUGS
from campaign.plans import Act, Plan, Step, generate
from campaign.play import Result, play
from campaign.stage import stage
from support.operator import Operator
from weather_cluster.clusters import Cluster

SEEDS = (1, 2, 3, 4)
PATIENCE_SECONDS = 200

Play = Callable[[range, Sequence[Plan], dict[str, str]], list[Result]]


@pytest.fixture
def playing(plane: Cluster, _operator: Operator, tmp_path: Path) -> Iterator[Play]:
    """Plays the plans of some seeds side by side, with an operator of this environment.

    The runs need numbers that no other test has.
    """
    # Two operators of different Leases would both lead.
    _operator.log.touch()
    _operator.stop()
    with ExitStack() as stack:

        def played(runs: range, plans: Sequence[Plan], environment: dict[str, str]) -> list[Result]:
            here = stack.enter_context(stage(plane, tmp_path, environment, runs=runs))
            with ThreadPoolExecutor(len(plans)) as pool:
                results = [
                    pool.submit(play, here, plan, patience=PATIENCE_SECONDS) for plan in plans
                ]
                return [each.result() for each in results]

        yield played


def test_plans_end_as_predicted_whatever_happens_meanwhile(playing: Play) -> None:
    results = playing(range(101, 105), [generate(seed) for seed in SEEDS], {})
    assert {each.plan.seed: each.failures for each in results} == dict.fromkeys(SEEDS, ())


def test_a_planted_bug_is_caught(playing: Play, tmp_path: Path) -> None:
    bug = BUGS["a foreign object is adopted"]
    (found,) = playing(range(201, 202), [generate(5)], bug.planted(tmp_path / "planted"))
    assert found.failures


def test_a_plan_that_breaks_off_fails_alone_and_says_where(playing: Play) -> None:
    spec = {"city": "London", "version": "1", "rollout": {}}
    apply = Step(act=Act.APPLY, about="london", value=spec)
    refused = Step(act=Act.APPLY, about="paris", value={**spec, "replicas": "many"})
    broken, whole = Plan(seed=901, steps=(apply, refused)), Plan(seed=902, steps=(apply,))
    found = playing(range(301, 303), [broken, whole], {})
    assert [len(each.failures) for each in found] == [1, 0]
    (said,) = found[0].failures
    assert said.startswith("seed 901 broke off (AssertionError: PATCH")
    assert "step 2 of 2, apply paris" in said
    log = Path(said.rpartition("log: ")[2])
    assert "replicas" in log.read_text()
    log.unlink()
