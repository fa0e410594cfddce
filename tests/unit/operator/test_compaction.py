"""What bodies share, and how much memory an app costs."""

import gc
import json
import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.simulation import LONDON, Simulation
from weather_operator.controller.event_handlers import new_cache
from weather_operator.kube import compaction
from weather_operator.kube.compaction import compact
from weather_operator.kube.resources import Kind
from weather_operator.model import WATCHED

APPS = 40
KIB_PER_APP = 22
"""In the cache: the WeatherApp with its Deployment, Service and disruption budget."""

ALLOCATING = ("*/weather_operator/*", "*/json/*")

FIELDS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(st.sampled_from(["f:a", "f:b", 'k:{"uid":"1"}']), inner),
)


def body(uid: str, fields: dict[str, Any]) -> dict[str, Any]:
    entry = {"manager": "us", "operation": "Apply", "fieldsV1": fields}
    return {"metadata": {"name": uid, "uid": uid, "managedFields": [entry]}, "spec": {"a": ["x"]}}


@given(FIELDS)
def test_a_compact_body_is_equal(fields: dict[str, Any]) -> None:
    assert compact(body("1", fields)) == body("1", fields)
    assert compact({"metadata": {"name": "x"}}) == {"metadata": {"name": "x"}}


def test_equal_fields_of_different_objects_are_one() -> None:
    text = '{"f:spec":{"f:x":{}},"f:owners":{"k:{\\"uid\\":\\"%s\\"}":{}}}'
    one, two = (
        compact(body(uid, json.loads(text % uid)))["metadata"]["managedFields"][0]["fieldsV1"]
        for uid in ("1", "2")
    )
    assert one["f:spec"] is two["f:spec"]
    assert one["f:owners"] != two["f:owners"]


def spec_of(name: str, **more: Any) -> dict[str, Any]:
    probe = {"path": "/healthz", "ports": [1, 2], "seconds": 1}
    text = json.dumps({"host": f"{name}.example.com", "probe": probe, "paused": True, **more})
    return dict(compact({"metadata": {"name": name}, "spec": json.loads(text)})["spec"])


def test_equal_parts_of_specs_are_one_and_what_names_its_object_is_its_own() -> None:
    london, paris = spec_of("london"), spec_of("paris", paused=1)
    assert london["probe"] is paris["probe"]
    assert (london["host"], paris["host"]) == ("london.example.com", "paris.example.com")
    assert (london["paused"], paris["paused"]) == (True, 1)
    assert london["paused"] is not paris["paused"], "a truth is no number"


def test_parts_that_many_have_outlive_those_of_one() -> None:
    probe = spec_of("london")["probe"]
    for number in range(20_000):
        compact({"metadata": {"name": "x"}, "spec": {"address": f"10.0.{number}"}})
        if number % 1000 == 0:
            assert spec_of("paris")["probe"] is probe
    assert len(compaction._shared) < 5_000


async def test_an_app_costs_little_memory() -> None:
    simulation = await Simulation.of()
    for _ in range(5):
        simulation.seconds += 5
        await simulation.sync()
        await simulation.reconcile()
    documents: list[tuple[Kind, str]] = [
        (kind, json.dumps(found))
        for (kind, key), found in simulation.server.bodies().items()
        if kind in WATCHED and key == LONDON
    ]
    assert len(documents) == 4
    # Python's own table of interned strings may double in one of the rounds, by megabytes.
    kib = min(kib_per_app(documents), kib_per_app(documents))
    assert 8 < kib < KIB_PER_APP


def kib_per_app(documents: list[tuple[Kind, str]]) -> float:
    """Return how much each of some apps with these documents adds to what is allocated."""
    cache = new_cache()
    tracemalloc.start()
    try:
        for number in range(APPS):
            for kind, text in documents:
                found = json.loads(text.replace("london", f"city-{number}"))
                found["metadata"]["uid"] = f"{kind.name}-{number}"
                cache.put(kind, found)
        gc.collect()
        taken = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    # What other threads of this process take meanwhile is no app's.
    ours = [tracemalloc.Filter(inclusive=True, filename_pattern=each) for each in ALLOCATING]
    return sum(each.size for each in taken.filter_traces(ours).statistics("filename")) / 1024 / APPS


def test_what_has_not_changed_is_the_former_bodys_own() -> None:
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    former = compact(body("1", fields) | {"spec": {"ports": [80]}, "status": {"ready": 1}})
    again = body("1", fields) | {"spec": {"ports": [80]}, "status": {"ready": 2}}
    found = compact(again, former)
    assert found == again
    assert found["spec"] is former["spec"]
    assert found["metadata"] is former["metadata"]
    again["metadata"]["resourceVersion"] = "2"
    found = compact(again, former)
    assert found == again
    (entry,), (before,) = found["metadata"]["managedFields"], former["metadata"]["managedFields"]
    assert entry["fieldsV1"] is before["fieldsV1"]
