import ast
from pathlib import Path
from typing import Any

import pytest
from campaign.bugs import BUGS
from campaign.minimise import minimised
from campaign.plans import BROKEN, FAULTS, Act, Plan, Step, generate
from campaign.predictions import predict
from campaign.scenes import with_scenes


def plan(*steps: Step) -> Plan:
    return Plan(seed=0, steps=steps)


def app(name: str = "london", **spec: Any) -> Step:
    whole = {"city": "London", "version": "1", "rollout": {}, **spec}
    return Step(act=Act.APPLY, about=name, value=whole)


def test_a_seed_always_makes_the_same_plan() -> None:
    assert generate(17) == generate(17)
    assert generate(17).steps != generate(18).steps


def test_every_act_comes_in_some_plan() -> None:
    seen = {step.act for seed in range(150) for step in with_scenes(generate(seed)).steps}
    assert seen == set(Act)


@pytest.mark.parametrize(
    ("spec", "more", "reasons"),
    [
        ({}, (), {"Serving"}),
        ({"replicas": 0}, (), {"ScaledToZero"}),
        ({"ingress": {}}, (), {"AddressPending"}),
        ({"suspend": True}, (Step(act=Act.DELETE_RELEASE, about="1"),), {"Suspended"}),
        ({}, (Step(act=Act.DELETE_RELEASE, about="1"),), {"UnknownVersion"}),
        (
            {},
            (Step(act=Act.SET_IMAGE, about="1", value=BROKEN),),
            {"RolledBack", "ProgressDeadlineExceeded", "Waiting"},
        ),
        ({}, (Step(act=Act.ADD_SQUATTER, about="london"),), {"NameConflict"}),
        ({}, (Step(act=Act.ADD_SQUATTER, about="paris"),), {"Serving"}),
        (
            {},
            (
                Step(act=Act.ADD_SQUATTER, about="london"),
                Step(act=Act.DROP_SQUATTER, about="london"),
            ),
            {"Serving"},
        ),
    ],
)
def test_an_end_follows_from_the_last_spec_and_what_is_there(
    spec: dict[str, Any], more: tuple[Step, ...], reasons: set[str]
) -> None:
    found = predict(plan(app(replicas=3), app(**spec), *more))
    assert found.apps["london"].reasons == reasons


def test_an_app_that_is_deleted_has_no_end() -> None:
    assert predict(plan(app(), Step(act=Act.DELETE, about="london"))).apps == {}


def test_only_what_a_spec_determines_is_compared_with_a_clean_start() -> None:
    ends = predict(
        plan(
            app("plain"),
            app("paused", rollout={"paused": True}),
            app("suspended", suspend=True),
            app("scaled", autoscaling={"maxReplicas": 2}),
        )
    ).apps
    assert {name for name, end in ends.items() if end.is_determined} == {"plain", "scaled"}
    assert {name for name, end in ends.items() if end.number_is_free} == {"scaled"}


def test_a_failing_plan_is_made_as_small_as_it_can_be() -> None:
    steps = [Step(act=Act.KILL, about=str(number)) for number in range(30)]
    needed = {"7", "21"}

    def still_fails(tried: Plan) -> bool:
        return needed <= {step.about for step in tried.steps}

    small = minimised(plan(*steps), still_fails, seconds=60)
    assert {step.about for step in small.steps} == needed


@pytest.mark.parametrize("name", BUGS)
def test_every_planted_bug_is_a_change_of_the_operators_source(name: str, tmp_path: Path) -> None:
    environment = BUGS[name].planted(tmp_path)
    ast.parse((Path(environment["PYTHONPATH"]) / "weather_operator" / BUGS[name].file).read_text())


def test_every_plan_ends_in_the_same_scenes_at_rest_and_each_is_answered_for() -> None:
    steps = with_scenes(generate(3)).steps
    settled = [step.act for step in steps].index(Act.SETTLE)
    assert not [step for step in steps[settled:] if step.act in FAULTS and step.act != Act.REFUSE]
    assert steps[-1].act is Act.AWAIT, "what was done last is to be answered"
    ends = predict(with_scenes(plan())).apps
    assert {name: end.reasons for name, end in ends.items() if not end.is_determined} == {
        "failing": {"RolledBack", "ProgressDeadlineExceeded", "Waiting"},
        "suspended": {"Suspended"},
        "taken": {"NameConflict"},
    }
