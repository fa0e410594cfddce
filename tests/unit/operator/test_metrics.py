from typing import Any

from support.manifests import app_body
from weather_operator.controller.event_handlers import new_cache
from weather_operator.kube.cache import Cache
from weather_operator.metrics import ConvergenceTimer, Metrics, WeatherAppCollector
from weather_operator.model import WEATHER_APP


def status(reason: str, *, ready: bool, **more: Any) -> dict[str, Any]:
    conditions = [
        {"type": "Ready", "status": str(ready), "reason": reason, "message": ""},
        {"type": "Stalled", "status": str(not ready), "reason": reason, "message": ""},
    ]
    return {"observedGeneration": 1, "conditions": conditions, **more}


def samples(cache: Cache) -> dict[str, float]:
    """The apps' lines of the exposition, by all that comes before their value."""
    metrics = Metrics()
    metrics.registry.register(WeatherAppCollector(cache))
    lines = metrics.exposition().decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines)
        if name.startswith("weather_app_")
    }


def test_each_app_has_its_series_and_a_series_goes_with_its_app() -> None:
    cache = new_cache()
    serving = status("Serving", ready=True, version="2.0.0", colour="green")
    cache.put(WEATHER_APP, app_body(status={**serving, "ready": "1/3"}))
    london = 'namespace="default"'
    assert samples(cache) == {
        'weather_app_info{colour="green",name="london",namespace="default",'
        'reason="Serving",version="2.0.0"}': 1,
        f'weather_app_replicas_desired{{name="london",{london}}}': 3,
        f'weather_app_replicas_ready{{name="london",{london}}}': 1,
        f'weather_app_ready{{name="london",{london}}}': 1,
        f'weather_app_stalled{{name="london",{london}}}': 0,
    }
    cache.remove(WEATHER_APP, app_body())
    assert samples(cache) == {}


def test_what_is_tried_has_its_step_weights_and_verdicts() -> None:
    cache = new_cache()
    tried = {
        "phase": "Analysing",
        "strategy": "Canary",
        "step": 1,
        "steps": 1,
        "revision": "r",
        "to": "2.0.0",
        "colour": "green",
        "image": "w:2",
        "startedAt": "1970-01-01T00:00:00Z",
        "setAt": "1970-01-01T00:10:00Z",
        "weight": {"desired": 10, "set": 10, "observed": 9.5, "requests": 400},
        "analysis": [{"name": "success", "verdict": "Unknown"}],
    }
    strategy = {
        "type": "Canary",
        "canary": {"steps": [{"weight": 10, "durationSeconds": 65}]},
    }
    check = {"name": "success", "successRate": {"minPercent": 99}}
    analysis = {"intervalSeconds": 10, "checks": [check]}
    body = app_body(
        status=status("Analysing", ready=False, rollout=tried),
        rollout={"strategy": strategy, "analysis": analysis},
    )
    cache.put(WEATHER_APP, body)
    london = 'name="london",namespace="default"'
    found = {name: value for name, value in samples(cache).items() if "canary" in name}
    assert found == {
        f"weather_app_canary_step{{{london}}}": 1,
        f"weather_app_canary_step_due_timestamp_seconds{{{london}}}": 670,
        f'weather_app_canary_weight_percent{{kind="wanted",{london}}}': 10,
        f'weather_app_canary_weight_percent{{kind="set",{london}}}': 10,
        f'weather_app_canary_weight_percent{{kind="observed",{london}}}': 9.5,
        f'weather_app_canary_check{{check="success",{london},verdict="Unknown"}}': 1,
    }
    half = {name: value for name, value in tried.items() if name != "image"}
    body = {**body, "metadata": {**body["metadata"], "resourceVersion": "11"}}
    cache.put(WEATHER_APP, {**body, "status": {**body["status"], "rollout": half}})
    assert not [name for name in samples(cache) if "canary" in name]


def test_an_app_without_a_status_counts_as_not_ready() -> None:
    cache = new_cache()
    cache.put(WEATHER_APP, app_body())
    series = samples(cache)
    assert series['weather_app_ready{name="london",namespace="default"}'] == 0
    assert series['weather_app_replicas_desired{name="london",namespace="default"}'] == 0


class Recording:
    """A ConvergenceTimer that gets events of London, and what it measured."""

    def __init__(self) -> None:
        self.now = 0.0
        self.measured: list[float] = []
        self._convergence = ConvergenceTimer(self.measured.append, clock=lambda: self.now)

    def event(self, at: float, event: str | None, *, generation: int, ready: int = 0) -> None:
        """`ready` is the generation of which the status says Ready."""
        self.now = at
        shown = {**status("Serving", ready=True), "observedGeneration": ready} if ready else {}
        self._convergence.on_event(event, app_body(generation=generation, status=shown))


def test_an_app_of_which_nobody_knows_what_it_says_hides_no_other() -> None:
    cache = new_cache()
    tried = dict.fromkeys(("phase", "strategy", "to", "revision", "colour", "image"), "x")
    unknown = {"ready": "all", "rollout": {**tried, "startedAt": "1970-01-01T00:00:00Z"}}
    unreadable = app_body(status=unknown, rollout={"strategy": {"type": "Canary"}})
    unreadable["metadata"]["name"] = "paris"
    cache.put(WEATHER_APP, unreadable)
    cache.put(WEATHER_APP, app_body(status={"ready": "1/3"}))
    found = samples(cache)
    assert found['weather_app_replicas_ready{name="london",namespace="default"}'] == 1
    assert found['weather_app_replicas_ready{name="paris",namespace="default"}'] == 0


def test_convergence_is_measured_from_the_last_change_until_ready_with_it() -> None:
    recording = Recording()
    recording.event(10, "ADDED", generation=1)
    recording.event(12, "MODIFIED", generation=1)
    recording.event(15, "MODIFIED", generation=1, ready=1)
    recording.event(20, "MODIFIED", generation=1, ready=1)
    recording.event(30, "MODIFIED", generation=2, ready=1)
    recording.event(33, "MODIFIED", generation=3, ready=1)
    recording.event(34, "MODIFIED", generation=3, ready=3)
    assert recording.measured == [5, 1]


def test_convergence_is_not_measured_of_what_began_before_the_watch_or_is_gone() -> None:
    recording = Recording()
    recording.event(0, None, generation=2, ready=1)
    recording.event(5, "MODIFIED", generation=2, ready=2)
    recording.event(6, "MODIFIED", generation=3, ready=2)
    recording.event(7, "DELETED", generation=3)
    recording.event(8, "ADDED", generation=3, ready=3)
    assert recording.measured == []
