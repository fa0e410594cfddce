import re

import pytest
from weather_operator.settings import SettingsError, from_environment


def test_nothing_set_gives_the_defaults() -> None:
    settings = from_environment({})
    assert settings.namespaces == ()
    assert (settings.pod_namespace, settings.lease_name) == ("default", "weather-operator")
    assert (settings.http_port, settings.workers, settings.resync_seconds) == (8080, 20, 600)
    assert settings.pod_name != from_environment({}).pod_name, "no two processes are one holder"


def test_the_environment_decides() -> None:
    settings = from_environment(
        {"WATCH_NAMESPACES": "a, b,,", "POD_NAME": "p", "LOG_LEVEL": "debug", "WORKERS": "3"}
    )
    assert settings.namespaces == ("a", "b")
    assert (settings.pod_name, settings.log_level, settings.workers) == ("p", "DEBUG", 3)


def test_a_variable_that_is_empty_counts_as_left_out() -> None:
    names = ("WATCH_NAMESPACES", "LOG_LEVEL", "LEASE_NAME", "HTTP_PORT", "INSECURE_REGISTRIES")
    empty = from_environment({"POD_NAME": "p", **dict.fromkeys(names, "")})
    assert empty == from_environment({"POD_NAME": "p"})


def test_what_is_listed_twice_counts_once() -> None:
    assert from_environment({"WATCH_NAMESPACES": "b,a,b"}).namespaces == ("b", "a")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WATCH_NAMESPACES", "*", "'*' is not the name of a namespace"),
        ("WATCH_NAMESPACES", "sites,My Sites", "'My Sites' is not the name of a namespace"),
        ("WATCH_NAMESPACES", "a" * 64, "is not the name of a namespace: give for example"),
        ("INSECURE_REGISTRIES", "http://registry:5000", "is not a registry: give for example"),
        ("INSECURE_REGISTRIES", "registry:5000/team", "'registry:5000/team' is not a registry"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)):
        from_environment({name: value})


@pytest.mark.parametrize("name", ["HTTP_PORT", "WORKERS", "RESYNC_SECONDS"])
@pytest.mark.parametrize("value", ["-1", "many", "1.5", "9999999", "9" * 5000, "٣"])
def test_a_number_that_cannot_be_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is '{value}': give a whole number from"):
        from_environment({name: value})


@pytest.mark.parametrize("value", ["0", "7", "99999", "1%", "100%"])
def test_the_bound_of_the_fleet_is_a_number_or_a_percentage(value: str) -> None:
    settings = from_environment({"MAX_CONCURRENT_ROLLOUTS": value})
    assert settings.max_concurrent_rollouts == value
    assert from_environment({}).max_concurrent_rollouts == "10%"


@pytest.mark.parametrize("value", ["-1", "0%", "101%", "many", "1.5", "100000", "%"])
def test_a_bound_that_cannot_be_is_refused_by_name(value: str) -> None:
    with pytest.raises(SettingsError, match=r"MAX_CONCURRENT_ROLLOUTS is .*: give a whole number"):
        from_environment({"MAX_CONCURRENT_ROLLOUTS": value})


def test_the_prometheus_server_is_an_address() -> None:
    url = "https://prometheus.example:9090/prefix"
    assert from_environment({"PROMETHEUS_URL": url}).prometheus_url == url
    assert from_environment({}).prometheus_url == ""


@pytest.mark.parametrize(
    "value",
    [
        "prometheus:9090",
        "ftp://a",
        "http://me@a",
        "http://a/?b=c",
        "http://a:99999",
        "http://a:port",
        "http://:9090",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused_by_name(value: str) -> None:
    with pytest.raises(SettingsError, match=r"PROMETHEUS_URL is .*: give an address"):
        from_environment({"PROMETHEUS_URL": value})
