"""The API server in memory does as the real one: the same applies give the same objects."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kubernetes.aio import client, config
from support.fake_api_server import FakeApiServer
from support.manifests import app_body
from support.operator import Operator
from support.server_side_apply import paths
from weather_cluster.clusters import Cluster
from weather_operator.kube.client import Client
from weather_operator.kube.connection import Connection
from weather_operator.kube.errors import ApiError
from weather_operator.kube.resources import DEPLOYMENT, Key, Kind, Manifest
from weather_operator.model import WEATHER_APP

CONFIG_MAP = Kind(api_version="v1", name="ConfigMap", plural="configmaps")
_NAMES = iter(f"case-{number}" for number in range(1_000_000))

Step = dict[str, Any]
"""The arguments of one apply, with the manifest's fields but its name."""


@pytest.fixture(autouse=True)
def _alone(_operator: Operator) -> None:
    """No operator writes a status, or children, of what is applied here."""
    _operator.stop()


@asynccontextmanager
async def real(cluster: Cluster) -> AsyncIterator[Client]:
    configuration = client.Configuration()
    await config.load_kube_config(
        config_file=str(cluster.kubeconfig), client_configuration=configuration
    )  # type: ignore[no-untyped-call] # the library's own
    connection = Connection(configuration, user_agent="test", observe=lambda *_: None)
    try:
        yield Client(connection)
    finally:
        await connection.close()


def shown(body: Manifest) -> Manifest:
    """An object apart from its times, uid and versions, and from what is empty."""
    metadata = dict(body["metadata"])
    for name in ("uid", "resourceVersion", "creationTimestamp"):
        metadata.pop(name, None)
    if body["kind"] == "ConfigMap":
        metadata.pop("generation", None)
    owners = {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): set(
            paths(entry["fieldsV1"])
        )
        for entry in metadata.pop("managedFields", ())
    }
    whole: Manifest = _whole({**body, "metadata": metadata})
    return {**whole, "owners": owners}


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _whole(v) for k, v in value.items() if v not in (None, {}, [])}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


async def outcomes(api: Client, kind: Kind, key: Key, steps: Sequence[Step]) -> list[Any]:
    """What each step gave: the object and whether it was written, or the error."""
    found: list[Any] = []
    version = ""
    for step in steps:
        fields = dict(step.pop("manifest"))
        metadata = {"name": key.name, "namespace": key.namespace, **fields.pop("metadata", {})}
        manifest = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
        try:
            body = await api.apply(kind, {**manifest, **fields}, **step)
            if not version:
                # What a schema fills in as a new object's status is stored with the next write.
                body = await api.apply(kind, {**manifest, **fields}, **step)
        except ApiError as error:
            found.append((type(error), error.status))
            continue
        found.append((shown(body), body["metadata"]["resourceVersion"] != version))
        version = body["metadata"]["resourceVersion"]
    return found


def copies(steps: Sequence[Step]) -> list[Step]:
    return [dict(step) for step in steps]


async def assert_same(cluster: Cluster, kind: Kind, key: Key, steps: Sequence[Step]) -> None:
    async with real(cluster) as api:
        expected = await outcomes(api, kind, key, copies(steps))
    found = await outcomes(FakeApiServer(), kind, key, copies(steps))
    for step, of_fake, of_real in zip(steps, found, expected, strict=True):
        assert of_fake == of_real, step


letters = st.sampled_from("ab")
numbers = st.sampled_from(["1", "2"])
maps = st.dictionaries(letters, numbers, min_size=1, max_size=2)
env = st.dictionaries(letters, numbers, min_size=1, max_size=2).map(
    lambda found: [{"name": name, "value": value} for name, value in found.items()]
)
conditions = st.dictionaries(letters, numbers, min_size=1, max_size=2).map(
    lambda found: [
        {
            "type": name,
            "status": "True",
            "reason": f"R{value}",
            "message": value,
            "lastTransitionTime": "2026-01-01T10:00:00Z",
        }
        for name, value in found.items()
    ]
)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


# The real one refuses what leaves an empty list behind in an object of a schema; we declare all or
# nothing of a pod, and of a status always its conditions.
pods = st.fixed_dictionaries({"env": env, "labels": maps})
specs = optional(replicas=st.integers(1, 3), pod=pods)
parts = optional(metadata=optional(labels=maps, annotations=maps), spec=specs)
managers = st.sampled_from(["one", "two"])
applies = st.fixed_dictionaries(
    {"manifest": parts, "manager": managers, "force": st.booleans(), "subresource": st.just("")}
)
report = st.fixed_dictionaries({"conditions": conditions}, optional={"ready": numbers})
reports = st.fixed_dictionaries(
    {
        "manifest": st.fixed_dictionaries({"status": report}),
        "manager": managers,
        "force": st.just(True),
        "subresource": st.just("status"),
    }
)
few = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def base() -> Step:
    """The whole app with the schema's defaults, as its user applies it."""
    return {
        "manifest": {"spec": app_body()["spec"]},
        "manager": "user",
        "force": True,
        "subresource": "",
    }


@few
@given(st.lists(applies | reports, min_size=1, max_size=6))
async def test_applies_to_a_weather_app(
    control_plane: Cluster, namespace: str, steps: list[Step]
) -> None:
    key = Key(namespace=namespace, name=next(_NAMES))
    await assert_same(control_plane, WEATHER_APP, key, [base(), *steps])


@few
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "manifest": optional(data=maps, metadata=optional(labels=maps)),
                "manager": managers,
                "force": st.booleans(),
                "subresource": st.just(""),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
async def test_applies_to_a_config_map(
    control_plane: Cluster, namespace: str, steps: list[Step]
) -> None:
    await assert_same(control_plane, CONFIG_MAP, Key(namespace=namespace, name=next(_NAMES)), steps)


async def test_what_a_write_takes_for_granted(control_plane: Cluster, namespace: str) -> None:
    async with real(control_plane) as api:
        expected = await preconditions(api, Key(namespace=namespace, name=next(_NAMES)))
    assert await preconditions(FakeApiServer(), Key(namespace=namespace, name="a")) == expected


async def preconditions(api: Client, key: Key) -> list[Any]:
    """How writes end that are about an object which is not there, is another, or has changed."""
    identity = {"name": key.name, "namespace": key.namespace}
    head = {"apiVersion": "weather.quantspark.io/v1", "kind": "WeatherApp"}
    spec = app_body()["spec"]
    found: list[Any] = []

    async def attempt(metadata: Manifest, subresource: str = "", **fields: Any) -> Manifest:
        manifest = {**head, "metadata": {**identity, **metadata}, **fields}
        try:
            body = await api.apply(
                WEATHER_APP, manifest, manager="one", force=True, subresource=subresource
            )
        except ApiError as error:
            found.append((type(error).__name__, error.status))
            return {}
        found.append("written")
        return body

    other = "00000000-0000-0000-0000-000000000000"
    await attempt({"uid": other}, spec=spec)
    await attempt({}, "status", status={"ready": "0/1"})
    body = await attempt({}, spec=spec)
    old = body["metadata"]["resourceVersion"]
    await attempt({"resourceVersion": old}, "status", status={"ready": "0/1"})
    await attempt({"resourceVersion": old}, "status", status={"ready": "1/1"})
    await attempt({"uid": other}, "status", status={"ready": "1/1"})
    await attempt({"uid": other}, spec=spec)
    await attempt({"uid": body["metadata"]["uid"]}, spec={**spec, "city": "Paris"})
    await attempt({"resourceVersion": old}, spec=spec)
    # Of a name of its own: where an operator runs it makes the app's.
    named = {**identity, "name": f"{key.name}-alone"}
    kind = {"apiVersion": "apps/v1", "kind": "Deployment"}
    alone = {**kind, "metadata": named, "spec": {"replicas": 2}}
    for call in (
        api.apply(DEPLOYMENT, alone, manager="one", force=True),
        api.create(WEATHER_APP, {**head, "metadata": identity, "spec": spec}),
        api.replace(WEATHER_APP, key, {**body, "spec": spec}),
        api.delete(WEATHER_APP, key, uid=other),
        api.delete(WEATHER_APP, key, uid=body["metadata"]["uid"]),
        api.delete(WEATHER_APP, key, uid=other),
        api.get(WEATHER_APP, key),
    ):
        try:
            found.append(await call)
        except ApiError as error:
            found.append((type(error).__name__, error.status))
    return found
