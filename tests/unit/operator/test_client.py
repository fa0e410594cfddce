import pytest
from weather_operator.kube.client import path_of
from weather_operator.kube.resources import DEPLOYMENT, NODE, Key
from weather_operator.model import WEATHER_APP


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (path_of(NODE, Key(name="n")), "/api/v1/nodes/n"),
        (path_of(DEPLOYMENT, Key(name="")), "/apis/apps/v1/deployments"),
        (
            path_of(DEPLOYMENT, Key(namespace="a", name="b")),
            "/apis/apps/v1/namespaces/a/deployments/b",
        ),
        (
            path_of(WEATHER_APP, Key(namespace="a", name="b"), "status"),
            "/apis/weather.quantspark.io/v1/namespaces/a/weatherapps/b/status",
        ),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert path == expected
