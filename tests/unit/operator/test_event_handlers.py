"""How soon an event of a child is looked at."""

from support.manifests import deployment
from weather_operator.controller.event_handlers import delay_of
from weather_operator.controller.workqueue import SETTLE_SECONDS
from weather_operator.kube.resources import DEPLOYMENT

HALF = deployment(replicas=3, updated=1, available=2)


def test_progress_is_looked_at_once_a_second_and_more_seldom_while_many_apps_roll_out() -> None:
    further = deployment(replicas=3, updated=2, available=2)
    delays = [delay_of(DEPLOYMENT, HALF, further, rolling_out=number) for number in (1, 10, 500)]
    assert delays == [1, 1, 50]


def test_an_end_and_what_may_need_a_repair_are_looked_at_soon_whatever_else_goes_on() -> None:
    assert delay_of(DEPLOYMENT, HALF, deployment(), rolling_out=500) < SETTLE_SECONDS
    edited = deployment(replicas=3, updated=1, available=2)
    edited["metadata"]["generation"] += 1
    assert delay_of(DEPLOYMENT, HALF, edited, rolling_out=500) == SETTLE_SECONDS
    assert delay_of(DEPLOYMENT, None, HALF, rolling_out=500) == SETTLE_SECONDS
