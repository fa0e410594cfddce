import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.server_side_apply import fields_of
from weather_operator.kube.apply import Cause, Difference, difference
from weather_operator.model import Release, WeatherApp
from weather_operator.render import children

MANAGER = "weather-operator"


def applied(manifest: dict[str, Any]) -> dict[str, Any]:
    """The live object after the manifest was applied, and nothing else happened."""
    live = copy.deepcopy(manifest)
    declared = {name: value for name, value in manifest.items() if name in ("metadata", "spec")}
    declared["metadata"] = {
        name: value
        for name, value in manifest["metadata"].items()
        if name not in ("name", "namespace")
    }
    entry = {"manager": MANAGER, "operation": "Apply", "fieldsV1": fields_of(declared)}
    live["metadata"] |= {"uid": "1", "resourceVersion": "7", "managedFields": [entry]}
    return live


def owned(live: dict[str, Any], *path: str) -> dict[str, Any]:
    """The record of our fields at a path."""
    fields: dict[str, Any] = live["metadata"]["managedFields"][0]["fieldsV1"]
    for step in path:
        fields = fields[step]
    return fields


def compare(manifest: dict[str, Any], live: dict[str, Any]) -> Difference:
    return difference(manifest, live, manager=MANAGER)


def causes(found: Difference) -> dict[Cause, tuple[str, ...]]:
    return {cause: paths for cause in Cause if (paths := found.paths(cause))}


@pytest.fixture
def manifest(app: WeatherApp, release: Release) -> dict[str, Any]:
    (_, deployment), *_ = children(app, release)
    return deployment


def web(live: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = live["spec"]["template"]["spec"]["containers"][0]
    return container


WEB = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"web"}')


def test_what_was_applied_does_not_differ(app: WeatherApp, release: Release) -> None:
    for _, manifest in children(app, release):
        assert not compare(manifest, applied(manifest))


def test_what_the_server_adds_does_not_differ(manifest: dict[str, Any]) -> None:
    live = applied(manifest)
    live["status"] = {"replicas": 2}
    live["spec"]["replicas"] = 2
    web(live)["imagePullPolicy"] = "IfNotPresent"
    web(live)["env"].append({"name": "INJECTED", "value": "1"})
    live["spec"]["template"]["spec"]["containers"].append({"name": "sidecar"})
    live["metadata"]["labels"]["team"] = "clouds"
    assert not compare(manifest, live)


def test_what_the_server_drops_because_it_is_empty_does_not_differ(
    manifest: dict[str, Any],
) -> None:
    manifest["spec"]["minReadySeconds"] = 0
    live = applied(manifest)
    del live["spec"]["paused"]
    del live["spec"]["minReadySeconds"]
    assert not compare(manifest, live)


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("0.5", "500m", True),
        (1, "1", True),
        ("1", "1000m", True),
        ("1024Mi", "1Gi", True),
        ("1000M", "1G", True),
        ("1e3", "1k", True),
        ("0.1", "100m", True),
        ("100u", "1m", True),
        ("1.0001", "1001m", True),
        ("100u", "2m", False),
        ("64Mi", "64M", False),
        ("1", "2", False),
    ],
)
def test_quantities_are_compared_by_their_value(
    manifest: dict[str, Any], ours: Any, theirs: str, same: bool
) -> None:
    web(manifest)["resources"] = {"limits": {"memory": ours}}
    live = applied(manifest)
    web(live)["resources"] = {"limits": {"memory": theirs}}
    assert bool(compare(manifest, live)) is not same


def test_a_value_that_looks_like_a_quantity_elsewhere_is_compared_as_it_is(
    manifest: dict[str, Any],
) -> None:
    web(manifest)["env"] = [{"name": "RATE", "value": "1"}]
    live = applied(manifest)
    web(live)["env"] = [{"name": "RATE", "value": "1.0"}]
    assert compare(manifest, live)


def test_a_newly_declared_value_is_outdated(manifest: dict[str, Any]) -> None:
    live = applied(manifest)
    web(manifest)["image"] = "weather:2.0.0"
    found = compare(manifest, live)
    assert causes(found) == {Cause.OUTDATED: ("spec.template.spec.containers[web].image",)}


def test_a_field_that_another_took_and_changed_is_edited(manifest: dict[str, Any]) -> None:
    live = applied(manifest)
    web(live)["image"] = "other:1"
    del owned(live, *WEB)["f:image"]
    found = compare(manifest, live)
    assert causes(found) == {Cause.EDITED: ("spec.template.spec.containers[web].image",)}


def test_a_field_that_another_took_unchanged_is_taken_back(manifest: dict[str, Any]) -> None:
    live = applied(manifest)
    del owned(live, *WEB)["f:image"]
    found = compare(manifest, live)
    assert causes(found) == {Cause.UNOWNED: ("spec.template.spec.containers[web].image",)}


def test_a_field_that_another_took_away_is_missing(manifest: dict[str, Any]) -> None:
    live = applied(manifest)
    del live["metadata"]["labels"]["app.kubernetes.io/component"]
    del owned(live, "f:metadata", "f:labels")["f:app.kubernetes.io/component"]
    del web(live)["livenessProbe"]
    del owned(live, *WEB)["f:livenessProbe"]
    assert set(compare(manifest, live).paths(Cause.MISSING)) == {
        "metadata.labels.app.kubernetes.io/component",
        "spec.template.spec.containers[web].livenessProbe",
    }


def test_an_item_of_a_list_that_another_took_away_is_missing(manifest: dict[str, Any]) -> None:
    live = applied(manifest)
    web(live)["env"] = web(live)["env"][1:]
    del owned(live, *WEB, "f:env")['k:{"name":"WEATHER_CITY"}']
    found = compare(manifest, live)
    assert found.paths(Cause.MISSING) == ("spec.template.spec.containers[web].env[WEATHER_CITY]",)


def test_what_we_declare_no_longer_is_left_over(manifest: dict[str, Any]) -> None:
    live = applied(manifest)
    del manifest["metadata"]["labels"]["app.kubernetes.io/component"]
    web(manifest)["env"] = web(manifest)["env"][1:]
    assert set(compare(manifest, live).paths(Cause.LEFTOVER)) == {
        "metadata.labels.app.kubernetes.io/component",
        "spec.template.spec.containers[web].env[WEATHER_CITY]",
    }


def test_an_atomic_value_is_compared_whole(manifest: dict[str, Any]) -> None:
    manifest["spec"]["template"]["spec"]["nodeSelector"] = {"a": "b"}
    live = applied(manifest)
    live["spec"]["template"]["spec"]["nodeSelector"] = {"a": "b", "c": "d"}
    owned(live, "f:spec", "f:template", "f:spec")["f:nodeSelector"] = {}
    found = compare(manifest, live)
    assert causes(found) == {Cause.OUTDATED: ("spec.template.spec.nodeSelector",)}


def test_an_object_that_we_never_applied_differs_although_it_looks_the_same(
    manifest: dict[str, Any],
) -> None:
    live = applied(manifest)
    live["metadata"]["managedFields"][0]["manager"] = "somebody"
    assert compare(manifest, live).paths(Cause.UNOWNED)


def test_an_update_by_our_name_is_not_an_apply(manifest: dict[str, Any]) -> None:
    live = applied(manifest)
    live["metadata"]["managedFields"][0]["operation"] = "Update"
    assert compare(manifest, live)


def test_each_manager_and_subresource_has_fields_of_its_own() -> None:
    status = {"status": {"ready": "2/2"}, "metadata": {"name": "london"}}
    entry = {
        "manager": MANAGER,
        "operation": "Apply",
        "subresource": "status",
        "fieldsV1": fields_of({"status": status["status"]}),
    }
    live = {"metadata": {"name": "london", "managedFields": [entry]}, "status": {"ready": "2/2"}}
    assert not difference(status, live, manager=MANAGER, subresource="status")
    assert difference(status, live, manager=MANAGER)
    assert difference(status, live, manager="other", subresource="status")


scalars = st.one_of(st.integers(1, 5), st.text("abc", min_size=1, max_size=3), st.just(True))
trees = st.recursive(
    scalars,
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, min_size=1, max_size=3),
    max_leaves=12,
)
specs = st.dictionaries(st.sampled_from("abcd"), trees, min_size=1, max_size=4)


def manifest_of(spec: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "x", "labels": {"l": "1"}}, "spec": spec}


@given(specs)
def test_any_manifest_equals_what_it_made(spec: dict[str, Any]) -> None:
    assert not compare(manifest_of(spec), applied(manifest_of(spec)))


@given(specs, specs)
def test_a_difference_is_found_exactly_where_there_is_one(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    # JSON tells true from 1, as the API does; Python's == does not.
    differs = json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True)
    if before == after:
        differs = False
    assert bool(compare(manifest_of(after), applied(manifest_of(before)))) is differs
