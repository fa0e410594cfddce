"""A plan says what an apply then does: each is compared with the cluster afterwards."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Operator, Site, release, weather_app
from support.plugin import weather_error, weather_json

CRASHING = "8.6.0"


def plan(site: Site, tmp_path: Path, **spec: Any) -> Any:
    """What is planned for the site with this spec."""
    file = tmp_path / "app.json"
    file.write_text(json.dumps(weather_app(site.name, site.namespace, **spec)))
    (found,) = weather_json(site, "plan", "-f", str(file))
    return found


def fates(planned: Any) -> dict[str, str]:
    return {each["kind"]: each["fate"] for each in planned["children"]}


def pods(site: Site) -> set[str]:
    found = site.shell.get("-n", site.namespace, "pods")["items"]
    return {p["metadata"]["name"] for p in found if "deletionTimestamp" not in p["metadata"]}


def everything(site: Site) -> str:
    """All that there is, to the last version of it."""
    kinds = "weatherapps,deployments,services,poddisruptionbudgets,hpa,ingresses"
    return site.kubectl("get", kinds, "-o", "yaml", "--show-managed-fields")


def test_a_new_version_replaces_the_pods_that_the_plan_names(london: Site, tmp_path: Path) -> None:
    # The budget counts the pods a moment after these are ready.
    eventually(lambda: london.get("poddisruptionbudget")["status"]["currentHealthy"] == 2)
    before, there = everything(london), pods(london)
    planned = plan(london, tmp_path, colour="green")
    assert everything(london) == before, "a plan has written something"
    assert (planned["version"], planned["carried_version"]) == ("2.0.0", "2.0.0")
    assert set(planned["replaced"]) == there
    assert planned["floor"] == 2
    assert fates(planned) == {
        "Deployment": "changes",
        "Service": "stays",
        "PodDisruptionBudget": "stays",
    }
    edits = {each["path"]: each for each in planned["children"][0]["edits"]}
    image = edits["spec.template.spec.containers[web].image"]
    assert (image["before"], image["after"]) == ("weather:1.0.0", "weather:2.0.0")
    london.apply(colour="green")
    london.wait_for("Serving")
    assert not pods(london) & there
    template = london.get("deployment")["spec"]["template"]
    revision = "weather.quantspark.io/revision"
    assert (
        edits[f"spec.template.metadata.annotations.{revision}"]["after"]
        == template["metadata"]["annotations"][revision]
    )


def test_more_pods_autoscaling_and_an_ingress_replace_none(london: Site, tmp_path: Path) -> None:
    there = pods(london)
    planned = plan(london, tmp_path, replicas=3)
    assert planned["replaced"] == []
    (edit,) = planned["children"][0]["edits"]
    assert edit == {"path": "spec.replicas", "before": 2, "after": 3}
    spec = {
        "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
        "ingress": {"className": "nginx", "host": "london.example"},
    }
    planned = plan(london, tmp_path, **spec)
    assert fates(planned) == {
        "Deployment": "stays",
        "Service": "stays",
        "PodDisruptionBudget": "stays",
        "HorizontalPodAutoscaler": "is made",
        "Ingress": "is made",
    }
    london.apply(**spec)
    eventually(lambda: london.find("ingress"))
    assert fates(plan(london, tmp_path))["Ingress"] == "is deleted"
    assert pods(london) == there


def test_a_version_that_failed_and_a_paused_one_are_not_rolled_out(
    london: Site, tmp_path: Path
) -> None:
    paused = plan(london, tmp_path, colour="red", rollout={"paused": True})
    assert (paused["version"], paused["carried_version"]) == ("3.0.0", "1.0.0")
    assert paused["notes"] == [
        "spec.rollout.paused is true: the pods stay 1.0.0 (yellow) until kubectl weather resume"
    ]
    assert paused["replaced"] == []
    london.shell.apply(release(CRASHING, "slate", "crash:8"))
    try:
        short = {"progressDeadlineSeconds": 3}
        london.apply(version=CRASHING, rollout=short)
        london.wait_for("RolledBack")
        again = plan(london, tmp_path, version=CRASHING, rollout={"progressDeadlineSeconds": 9})
        assert again["carried_version"] == "1.0.0"
        assert "failed before" in again["notes"][0]
        assert again["replaced"] == []
        retried = plan(london, tmp_path, version=CRASHING, rollout={**short, "attempt": 1})
        assert (retried["carried_version"], len(retried["replaced"])) == (CRASHING, 2)
    finally:
        london.shell.kubectl("delete", "weatherrelease", CRASHING)


def test_a_plan_of_what_is_not_there_yet_and_of_a_foreign_service(
    operator: Operator, site: Site, tmp_path: Path
) -> None:
    site.kubectl("create", "service", "clusterip", "london", "--tcp=80")
    planned = plan(site, tmp_path)
    assert fates(planned) == {
        "Deployment": "is made",
        "Service": "is refused",
        "PodDisruptionBudget": "is made",
    }
    assert site.find("weatherapp") is None


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"version": "9.9.9"},
            "london cannot be rolled out: version 9.9.9 is not in the catalogue",
        ),
        ({"replicas": -1}, "replicas is -1: write a number from 0"),
        ({"colour": "Green"}, "write one word of at most 20 letters"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    shell: Shell, namespace: str, spec: dict[str, Any], words: str
) -> None:
    text = json.dumps(weather_app("london", namespace, **spec))
    assert words in weather_error(shell, "plan", "-f", "-", text=text)


def test_a_file_that_is_missing_or_has_no_site_is_one_sentence(shell: Shell) -> None:
    assert "nowhere.yaml" in weather_error(shell, "plan", "-f", "nowhere.yaml")
    text = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
    assert "there is no WeatherApp in -" in weather_error(shell, "plan", "-f", "-", text=text)


def test_without_a_cluster_or_rights_it_is_one_sentence(
    shell: Shell, nobody: Shell, namespace: str, tmp_path: Path
) -> None:
    text = json.dumps(weather_app("london", namespace))
    assert "forbidden" in weather_error(nobody, "plan", "-f", "-", text=text)
    lost = Shell(kubeconfig=tmp_path / "none", bin=shell.bin, host=shell.host)
    assert "connection refused" in weather_error(lost, "plan", "-f", "-", text=text)


def test_a_kustomization_is_planned_and_the_exit_code_says_whether_it_differs(site: Site) -> None:
    folder = ["-k", "examples/gitops/production", "-n", site.namespace]
    asked = ["kubectl", "weather", "plan", *folder, "--exit-code"]
    new = site.shell.run(*asked)
    assert new.returncode == 3, new.stdout + new.stderr
    assert "berlin" in new.stdout
    site.shell.kubectl("apply", *folder)
    berlin = Site(shell=site.shell, namespace=site.namespace, name="berlin")
    berlin.wait_for("Serving")
    same = site.shell.run(*asked)
    assert same.returncode == 0, same.stdout + same.stderr
    assert site.shell.run(*asked[:-1], "--output=json").returncode == 0
