"""A WeatherApp from its creation to its deletion, as its user sees it."""

import json
from typing import Any

import pytest
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Operator, Site
from support.watching import watching

OWNED = ("deployment", "service", "poddisruptionbudget")


def container(site: Site) -> dict[str, Any]:
    template = site.get("deployment")["spec"]["template"]
    only: dict[str, Any] = template["spec"]["containers"][0]
    return only


def table(site: Site, *words: str) -> dict[str, str]:
    """The line that kubectl get prints, by its columns."""
    head, line = site.kubectl("get", "wa", site.name, *words).splitlines()
    starts = [head.index(name) for name in head.split()]
    ends = [*starts[1:], None]
    return {
        head[start:end].strip(): line[start:end].strip()
        for start, end in zip(starts, ends, strict=True)
    }


def test_a_created_app_becomes_ready_and_kubectl_shows_it(site: Site) -> None:
    site.apply(colour="yellow")
    site.kubectl("wait", "wa/london", "--for=condition=Ready", "--timeout=120s")
    shown = table(site, "-o", "wide")
    assert shown.pop("AGE").endswith("s")
    assert shown == {
        "NAME": "london",
        "CITY": "London",
        "VERSION": "1.0.0",
        "COLOUR": "yellow",
        "READY": "2/2",
        "STATUS": "Serving",
        "URL": f"http://london.{site.namespace}.svc/",
        "DESIRED": "1.0.0",
        "AUTOSCALING": "",
        "MESSAGE": "1.0.0 (yellow) serves with 2 pods",
        "IMAGE": "weather:1.0.0",
    }


def test_the_short_columns_are_the_seven_that_matter(site: Site) -> None:
    site.apply()
    site.wait_for("Serving")
    assert list(table(site)) == [
        "NAME", "CITY", "VERSION", "COLOUR", "READY", "STATUS", "URL", "AGE",
    ]  # fmt: skip
    assert "weatherapp.weather.quantspark.io/london" in site.kubectl("get", "all")


def test_the_children_are_owned_labelled_and_restricted(site: Site) -> None:
    site.apply()
    site.wait_for("Serving")
    uid = site.get()["metadata"]["uid"]
    for kind in OWNED:
        metadata = site.get(kind)["metadata"]
        (owner,) = metadata["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == (uid, True)
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "weather-operator"
        assert ("app.kubernetes.io/version" in metadata["labels"]) == (kind == "deployment")
    assert container(site)["securityContext"]["readOnlyRootFilesystem"] is True
    budget = site.get("poddisruptionbudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_the_pods_pass_the_restricted_pod_security_standard(site: Site) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    site.shell.kubectl("label", "namespace", site.namespace, label)
    site.apply()
    assert site.wait_for("Serving")["ready"] == "2/2"


def test_pods_spread_over_nodes_and_zones(site: Site) -> None:
    site.apply(replicas=3)
    site.wait_for("Serving")
    pods = site.shell.get("-n", site.namespace, "pods")["items"]
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 3


@pytest.mark.parametrize(
    ("before", "after"), [("yellow", "green"), ("green", "red"), ("red", "yellow")]
)
def test_the_version_shown_changes_when_the_rollout_is_complete(
    site: Site, before: str, after: str
) -> None:
    site.apply(colour=before)
    old = site.wait_for("Serving")
    site.apply(colour=after, pod={"annotations": {"test/ready-after": "3s"}})
    during = site.wait_for("RollingOut")
    assert (during["version"], during["colour"]) == (old["version"], before)
    assert during["desiredVersion"] != old["version"]
    assert during["rollout"]["from"] == old["version"]
    conditions = {each["type"]: each["status"] for each in during["conditions"]}
    assert (conditions["Available"], conditions["Reconciling"]) == ("True", "True")
    new = site.wait_for("Serving")
    assert new["colour"] == after
    assert new["image"] == f"weather:{new['version']}"
    assert "rollout" not in new
    assert container(site)["image"] == new["image"]


def test_no_pod_is_missing_in_an_upgrade(site: Site) -> None:
    site.apply(colour="yellow")
    site.wait_for("Serving")
    with watching(site, "deployment/london", show="{.status.availableReplicas}") as record:
        site.apply(colour="green")
        eventually(lambda: site.status().get("version") == "2.0.0")
        site.wait_for("Serving")
        eventually(lambda: len(record.lines()) > 3)  # else the upgrade was not seen
        counts = [int(line or 0) for line in record.lines()]
    assert min(counts) >= 2


def test_the_name_of_a_version_works_as_its_colour_does(site: Site) -> None:
    site.apply(version="2.0.0")
    assert site.wait_for("Serving")["colour"] == "green"
    generation = site.get("deployment")["metadata"]["generation"]
    site.apply(colour="green")
    site.wait_for("Serving")
    assert site.get("deployment")["metadata"]["generation"] == generation


def test_an_upgrade_leaves_service_and_budget_alone(site: Site) -> None:
    site.apply(colour="yellow")
    site.wait_for("Serving")
    kinds = ("service", "poddisruptionbudget")
    before = {kind: site.get(kind)["metadata"].get("managedFields") for kind in kinds}
    versions = [site.get("service")["metadata"]["resourceVersion"]]
    site.apply(colour="green")
    site.wait_for("Serving")
    assert [site.get("service")["metadata"]["resourceVersion"]] == versions
    assert before == {kind: site.get(kind)["metadata"].get("managedFields") for kind in kinds}


def test_scaling_restarts_no_pod_and_stays_available(site: Site) -> None:
    slow = {"annotations": {"test/ready-after": "5s"}}
    site.apply(replicas=2, pod=slow)
    site.wait_for("Serving")
    pods = set(site.kubectl("get", "pods", "-o", "name").split())
    site.apply(replicas=4, pod=slow)
    during = site.wait_for("Scaling")
    assert during["rollout"]["floor"] == 2
    available = next(each for each in during["conditions"] if each["type"] == "Available")
    assert available["status"] == "True"
    assert site.wait_for("Serving")["ready"] == "4/4"
    assert pods < set(site.kubectl("get", "pods", "-o", "name").split())


def test_kubectl_scale_scales_and_nothing_scales_it_back(site: Site) -> None:
    site.apply()
    site.wait_for("Serving")
    site.kubectl("scale", "wa/london", "--replicas=3")
    eventually(lambda: site.status().get("ready") == "3/3")
    assert site.get("deployment")["spec"]["replicas"] == 3


def test_zero_replicas_switch_the_site_off_and_that_is_ready(site: Site) -> None:
    site.apply()
    site.wait_for("Serving")
    site.apply(replicas=0)
    status = site.wait_for("ScaledToZero")
    assert site.condition("Ready")["status"] == "True"
    assert status["ready"] == "0/0"
    site.apply(replicas=1)
    assert site.wait_for("Serving")["ready"] == "1/1"


def test_the_managers_of_template_and_replicas_are_two(site: Site) -> None:
    site.apply()
    site.wait_for("Serving")
    body = json.loads(site.kubectl("get", "deploy/london", "-o", "json", "--show-managed-fields"))
    owners = {
        entry["manager"]: "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        for entry in body["metadata"]["managedFields"]
        if entry["operation"] == "Apply"
    }
    assert owners == {"weather-operator": False, "weather-operator-replicas": True}


def test_what_the_user_sets_reaches_the_pods(site: Site) -> None:
    site.apply(
        city="Łódź",
        weather={
            "provider": "openweathermap",
            "units": "imperial",
            "language": "en",
            "apiKeySecretRef": {"name": "keys", "key": "owm"},
        },
        resources={"requests": {"cpu": "0.1"}, "limits": {"cpu": "1", "memory": "0.25Gi"}},
        pod={
            "labels": {"team": "clouds"},
            "annotations": {"example.com/note": "x"},
            "env": [
                {"name": "OPENWEATHER_BASE_URL", "value": "http://weather.test"},
                {"name": "EMPTY", "value": ""},
                {"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ],
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "a", "operator": "Equal", "value": ""}],
            "imagePullSecrets": [{"name": "registry"}],
            "serviceAccountName": "default",
            "priorityClassName": "system-cluster-critical",
        },
        service={"annotations": {"example.com/a": "b"}},
    )
    site.wait_for("Serving")
    template = site.get("deployment")["spec"]["template"]
    environment = {each["name"]: each.get("value") for each in container(site)["env"]}
    assert environment["WEATHER_CITY"] == "Łódź"
    assert environment["WEATHER_UNITS"] == "imperial"
    assert environment["OPENWEATHER_API_KEY_FILE"] == "/var/run/secrets/weather/api-key"
    assert environment["OPENWEATHER_BASE_URL"] == "http://weather.test"
    volumes = {each["name"]: each for each in template["spec"]["volumes"]}
    secret = volumes["api-key"]["secret"]
    assert secret["items"] == [{"key": "owm", "path": "api-key"}]
    assert template["metadata"]["labels"]["team"] == "clouds"
    assert template["spec"]["tolerations"][0]["key"] == "a"
    assert container(site)["resources"] == {
        "requests": {"cpu": "100m", "memory": "64Mi"},
        "limits": {"cpu": "1", "memory": "256Mi"},
    }
    assert site.get("service")["metadata"]["annotations"]["example.com/a"] == "b"


def test_what_the_user_takes_away_goes(site: Site) -> None:
    site.apply(
        pod={
            "annotations": {"example.com/note": "x"},
            "nodeSelector": {"kubernetes.io/os": "linux"},
        },
        service={"annotations": {"example.com/a": "b", "example.com/c": "d"}},
        weather={"apiKeySecretRef": {"name": "keys"}},
    )
    site.wait_for("Serving")
    site.apply(service={"annotations": {"example.com/c": "d"}})
    site.wait_for("Serving")
    template = site.get("deployment")["spec"]["template"]
    assert "example.com/note" not in template["metadata"]["annotations"]
    assert "nodeSelector" not in template["spec"]
    assert [each["name"] for each in template["spec"]["volumes"]] == ["tmp"]
    assert site.get("service")["metadata"]["annotations"] == {"example.com/c": "d"}


def test_deletion_takes_the_children_along_without_the_operator(
    operator: Operator, site: Site
) -> None:
    site.apply()
    site.wait_for("Serving")
    operator.stop()
    site.kubectl("delete", "wa", "london", "--wait=true", "--timeout=60s")
    eventually(lambda: not any(site.find(kind) for kind in OWNED))


def test_a_new_app_of_the_same_name_gets_children_of_its_own(site: Site) -> None:
    site.apply()
    site.wait_for("Serving")
    old = {kind: site.get(kind)["metadata"]["uid"] for kind in OWNED}
    site.kubectl("delete", "wa", "london", "--wait=true")
    site.apply()
    site.wait_for("Serving")
    uid = site.get()["metadata"]["uid"]
    for kind in OWNED:
        metadata = site.get(kind)["metadata"]
        assert metadata["uid"] != old[kind]
        assert metadata["ownerReferences"][0]["uid"] == uid


def test_orphaned_children_are_taken_back_by_a_new_app(site: Site) -> None:
    site.apply()
    site.wait_for("Serving")
    old = site.get("deployment")["metadata"]["uid"]
    site.kubectl("delete", "wa", "london", "--cascade=orphan")
    site.apply()
    site.wait_for("Serving")
    metadata = site.get("deployment")["metadata"]
    assert metadata["uid"] == old
    assert metadata["ownerReferences"][0]["uid"] == site.get()["metadata"]["uid"]


def test_the_same_name_in_two_namespaces_is_two_sites(
    site: Site, shell: Shell, namespace: str
) -> None:
    other = Site(shell=shell, namespace=f"{namespace}-other")
    shell.kubectl("create", "namespace", other.namespace)
    site.apply(colour="yellow")
    other.apply(colour="red")
    assert site.wait_for("Serving")["colour"] == "yellow"
    assert other.wait_for("Serving")["colour"] == "red"
    shell.kubectl("delete", "namespace", other.namespace, "--wait=false")
    assert site.wait_for("Serving")["ready"] == "2/2"


def test_events_tell_what_came_of_a_wish(site: Site) -> None:
    site.apply(colour="yellow")
    site.wait_for("Serving")
    site.apply(colour="green")

    def told() -> bool:
        messages = {event["message"] for event in site.events("Serving")}
        return {"1.0.0 (yellow) serves with 2 pods", "2.0.0 (green) serves with 2 pods"} <= messages

    eventually(told)
    described = site.kubectl("describe", "wa", "london")
    assert "2.0.0 (green) serves with 2 pods" in described
    assert "<unknown>" not in described


def test_the_operator_writes_nothing_of_the_app_but_its_status(site: Site) -> None:
    site.apply()
    site.wait_for("Serving")
    body = json.loads(site.kubectl("get", "wa/london", "-o", "json", "--show-managed-fields"))
    ours = [
        (entry["operation"], entry.get("subresource"))
        for entry in body["metadata"]["managedFields"]
        if entry["manager"].startswith("weather-operator")
    ]
    assert ours == [("Apply", "status")]
    assert "finalizers" not in body["metadata"]
    assert (body["spec"]["city"], body["spec"]["colour"]) == ("London", "yellow")
    assert body["metadata"]["generation"] == 1
