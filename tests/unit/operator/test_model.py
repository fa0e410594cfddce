"""What objects say under a definition that is older than the operator, and what cannot be read."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from support.operator import crd_schema
from weather_operator.kube.resources import Manifest
from weather_operator.model.parsing import UnreadableError, parse_app, parse_release

SCHEMA = crd_schema("WeatherApp")["properties"]["spec"]
METADATA = {"name": "london", "namespace": "default", "uid": "u", "generation": 1}
LEAST: Manifest = {
    "city": "London",
    "colour": "green",
    "autoscaling": {"maxReplicas": 5},
    "ingress": {"className": "nginx"},
    "gateway": {"parentRefs": [{"name": "web"}]},
    "weather": {"apiKeySecretRef": {"name": "key"}},
}
"""Each object that a user may leave out is there, and in it no more than has to be."""


def app(spec: Manifest) -> Any:
    metadata = {**METADATA, "resourceVersion": "1"}
    return parse_app({"metadata": metadata, "spec": spec})


def filled(value: Any, schema: dict[str, Any]) -> Any:
    """The value with the schema's defaults, as the API server fills them in."""
    if not isinstance(value, dict):
        return value
    result = dict(value)
    for name, part in schema.get("properties", {}).items():
        if name not in result and "default" in part:
            result[name] = copy.deepcopy(part["default"])
        if name in result:
            result[name] = filled(result[name], part)
    return result


def with_defaults() -> Manifest:
    spec: Manifest = filled(LEAST, SCHEMA)
    return spec


def paths(value: Any, schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[Any]:
    """The paths of all that the schema fills in."""
    for name, part in schema.get("properties", {}).items():
        if isinstance(value, dict) and name in value:
            if "default" in part and (*path, name) != ("weather",):
                yield (*path, name)
            yield from paths(value[name], part, (*path, name))


DEFAULTED = list(paths(with_defaults(), SCHEMA))


def test_what_is_left_out_has_the_schemas_defaults() -> None:
    assert len(DEFAULTED) > 25
    assert app(LEAST) == app(with_defaults())


@pytest.mark.parametrize("path", DEFAULTED, ids=".".join)
def test_a_definition_that_lacks_one_default_costs_nothing(path: tuple[str, ...]) -> None:
    spec = copy.deepcopy(with_defaults())
    inner = spec
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    assert app(spec) == app(with_defaults())


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"colour": "green"}, "WeatherApp default/london cannot be read, KeyError: 'city'"),
        ({**LEAST, "rollout": "fast"}, "WeatherApp default/london cannot be read"),
        ({**LEAST, "autoscaling": {}}, "KeyError: 'maxReplicas'"),
    ],
)
def test_what_no_default_helps_against_is_named(spec: Manifest, words: str) -> None:
    with pytest.raises(UnreadableError, match="definitions that belong to this operator") as error:
        app(spec)
    assert words in str(error.value)


def test_a_release_without_an_image_is_named() -> None:
    body = {"metadata": {"name": "2.0.0", "uid": "r"}, "spec": {"version": "2.0.0"}}
    with pytest.raises(UnreadableError, match=r"WeatherRelease 2\.0\.0 cannot be read"):
        parse_release(body)
