"""What bodies share, and how much memory an app costs."""

import json
import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.simulation import LONDON, Simulation
from weather_operator.controller.event_handlers import new_cache
from weather_operator.kube.compaction import compact
from weather_operator.kube.resources import Kind
from weather_operator.model import WATCHED

APPS = 200
KIB_PER_APP = 35
"""In the cache: the WeatherApp with its Deployment, Service and disruption budget."""

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
    cache = new_cache()
    tracemalloc.start()
    try:
        for number in range(APPS):
            for kind, text in documents:
                found = json.loads(text.replace("london", f"city-{number}"))
                found["metadata"]["uid"] = f"{kind.name}-{number}"
                cache.put(kind, found)
        kib = tracemalloc.get_traced_memory()[0] / 1024 / APPS
    finally:
        tracemalloc.stop()
    assert kib < KIB_PER_APP
