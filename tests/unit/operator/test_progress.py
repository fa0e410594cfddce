from typing import Any

import pytest
from support.manifests import app_body, deployment
from weather_operator import render
from weather_operator.model import Release
from weather_operator.model.parsing import parse_app
from weather_operator.rollout.progress import min_available, progress_of


@pytest.mark.parametrize(
    ("desired", "unavailable", "surge", "expected"),
    [
        (3, 0, 1, 3),
        (3, 1, 1, 2),
        (3, "50%", 1, 2),
        (10, "25%", 1, 8),
        (1, 1, 1, 1),
        (2, 5, "25%", 1),
        (2, "100%", 1, 1),
        (0, 0, 1, 0),
        # Without a surge an old pod goes before a new one comes.
        (1, 1, 0, 0),
        (1, "50%", "0%", 0),
        (3, 9, 0, 1),
        (2, "100%", "0%", 1),
        (3, "10%", 0, 2),
        (0, 1, 0, 0),
    ],
)
def test_the_minimum_is_what_the_deployments_controller_keeps(
    desired: int, unavailable: int | str, surge: int | str, expected: int
) -> None:
    rollout = {"maxUnavailable": unavailable, "maxSurge": surge}
    app = parse_app(app_body(replicas=desired, rollout=rollout))
    assert min_available(desired, app.rollout) == expected
    release = Release(version="1.0.0", colour="yellow", image="weather:1.0.0")
    strategy = render.deployment(app, release)["spec"]["strategy"]["rollingUpdate"]
    assert _least_available(desired, strategy) == expected


def _least_available(desired: int, strategy: dict[str, Any]) -> int:
    """What the Deployment's controller keeps by the strategy: a surge is rounded up, what may be
    missing down, and where both come to none one pod may be missing.
    """
    surge, missing = strategy["maxSurge"], strategy["maxUnavailable"]
    if isinstance(surge, str):
        surge = -(-desired * int(surge[:-1]) // 100)
    if isinstance(missing, str):
        missing = desired * int(missing[:-1]) // 100
    return max(desired - (missing or (0 if surge else 1)), 0)


def test_while_the_load_decides_the_fewest_pods_keep_one() -> None:
    autoscaling = {
        "minReplicas": 2,
        "maxReplicas": 9,
        "targetCPUUtilizationPercentage": 70,
        "scaleDownStabilizationSeconds": 300,
    }
    app = parse_app(app_body(autoscaling=autoscaling, rollout={"maxUnavailable": 4}))
    release = Release(version="1.0.0", colour="yellow", image="weather:1.0.0")
    strategy = render.deployment(app, release)["spec"]["strategy"]["rollingUpdate"]
    assert strategy["maxUnavailable"] == 1


def test_a_deployment_that_is_not_there_has_none_of_its_pods() -> None:
    found = progress_of(None, desired=3)
    assert (found.desired, found.replicas, found.observed) == (3, 0, False)


def test_a_deployment_is_complete_once_all_pods_are_new_and_available() -> None:
    assert progress_of(deployment(), desired=9).complete
    for behind in ({"replicas": 3}, {"available": 1}, {"updated": 1}, {"observed": False}):
        assert not progress_of(deployment(**behind), desired=9).complete
