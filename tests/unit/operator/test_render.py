import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.manifests import app_body
from weather_operator import render
from weather_operator.model import Release, WeatherApp
from weather_operator.model.parsing import parse_app
from weather_webapp.supervisor import START_SECONDS

YELLOW = Release(version="1.0.0", colour="yellow", image="weather:1.0.0")
GREEN = Release(version="2.0.0", colour="green", image="weather:2.0.0")


def app(**spec: Any) -> WeatherApp:
    return parse_app(app_body(**spec))


def container(app: WeatherApp, release: Release = YELLOW) -> dict[str, Any]:
    only: dict[str, Any] = render.pod_template(app, release)["spec"]["containers"][0]
    return only


AUTOSCALING = {
    "minReplicas": 2,
    "maxReplicas": 10,
    "targetCPUUtilizationPercentage": 70,
    "scaleDownStabilizationSeconds": 300,
}


def ingress(**spec: Any) -> dict[str, Any]:
    return {"className": "alb", "path": "/", **spec}


texts = st.text(min_size=1, max_size=10)
maps = st.dictionaries(texts, texts, max_size=3)
specs = st.fixed_dictionaries(
    {
        "city": texts,
        "replicas": st.integers(0, 9),
        "service": st.fixed_dictionaries(
            {"type": st.sampled_from(["ClusterIP", "NodePort"]), "port": st.integers(1, 99)},
            optional={"nodePort": st.integers(30000, 32767), "annotations": maps},
        ),
        "autoscaling": st.just(AUTOSCALING),
        "ingress": st.sampled_from([ingress(path="/x"), ingress(path="/x", host="w.example.com")]),
        "gateway": st.just({"path": "/x", "parentRefs": [{"name": "public"}]}),
        "pod": st.fixed_dictionaries(
            {}, optional={"labels": maps, "annotations": maps, "nodeSelector": maps}
        ),
    }
)


@given(specs)
def test_every_child_is_owned_labelled_and_named_after_the_app(spec: dict[str, Any]) -> None:
    rendered = render.children(app(**spec), YELLOW)
    assert len(rendered) == 6
    for kind, manifest in rendered:
        metadata = manifest["metadata"]
        assert (manifest["kind"], metadata["name"]) == (kind.name, "london")
        assert metadata["ownerReferences"][0]["uid"] == "app-1"
        assert metadata["ownerReferences"][0]["controller"] is True
        assert (
            metadata["labels"].items()
            >= {
                "app.kubernetes.io/name": "weather",
                "app.kubernetes.io/instance": "london",
                "app.kubernetes.io/component": "web",
                "app.kubernetes.io/managed-by": "weather-operator",
            }.items()
        )


@given(specs)
def test_labels_of_the_spec_are_those_of_every_child_and_of_no_pod(spec: dict[str, Any]) -> None:
    labels = {"team": "weather", "app.kubernetes.io/name": "of an older definition"}
    plain, labelled = app(**spec), app(**spec, labels=labels)
    for (_, before), (_, after) in zip(
        render.children(plain, YELLOW), render.children(labelled, YELLOW), strict=True
    ):
        metadata = before["metadata"]
        expected = {"team": "weather", **metadata["labels"]}
        assert after == {**before, "metadata": {**metadata, "labels": expected}}
    assert render.revision(labelled, YELLOW) == render.revision(plain, YELLOW)


@given(specs)
def test_rendering_is_the_same_every_time_and_plain_json(spec: dict[str, Any]) -> None:
    once = [manifest for _, manifest in render.children(app(**spec), YELLOW)]
    again = [manifest for _, manifest in render.children(app(**spec), YELLOW)]
    assert json.dumps(once) == json.dumps(again)


@given(specs)
def test_the_selector_matches_the_pods_and_is_all_that_others_select_by(
    spec: dict[str, Any],
) -> None:
    for release in (YELLOW, GREEN):
        (_, deployment), (_, service), (_, budget), *_ = render.children(app(**spec), release)
        wanted = {
            "app.kubernetes.io/name": "weather",
            "app.kubernetes.io/instance": "london",
            "weather.quantspark.io/track": "stable",
        }
        template = deployment["spec"]["template"]
        assert deployment["spec"]["selector"]["matchLabels"] == wanted
        assert service["spec"]["selector"] == wanted
        assert budget["spec"]["selector"]["matchLabels"] == wanted
        assert template["metadata"]["labels"].items() >= wanted.items()


NGINX = {"className": "nginx", "host": "london.example", "path": "/"}
ALB = {**NGINX, "className": "alb"}


@given(specs)
def test_only_the_deployment_knows_the_version(spec: dict[str, Any]) -> None:
    yellow, green = (render.children(app(**spec), release) for release in (YELLOW, GREEN))
    assert yellow[0] != green[0]
    assert yellow[1:] == green[1:]


def test_the_template_holds_no_number_of_pods(app: WeatherApp, release: Release) -> None:
    assert "replicas" not in render.deployment(app, release)["spec"]
    assert render.replicas(app)["spec"] == {"replicas": 2}


NLB = {
    "type": "LoadBalancer",
    "annotations": {"service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip"},
}
OLD_NLB = {
    "type": "LoadBalancer",
    "annotations": {"service.beta.kubernetes.io/aws-load-balancer-type": "nlb-ip"},
}
DRAIN = {"name": "DRAIN_SECONDS", "value": "9"}


@pytest.mark.parametrize(
    ("spec", "drain", "grace", "ready", "deadline"),
    [
        ({}, None, 30, 5, 120),
        ({"ingress": NGINX}, None, 30, 5, 120),
        ({"service": {"type": "LoadBalancer"}}, None, 30, 5, 120),
        ({"service": {**NLB, "type": "NodePort"}}, None, 30, 5, 120),
        ({"ingress": ALB}, "30", 60, 20, 135),
        ({"ingress": ALB, "service": NLB}, "90", 120, 210, 325),
        ({"service": NLB}, "90", 120, 210, 325),
        ({"service": OLD_NLB}, "90", 120, 210, 325),
        ({"service": NLB, "rollout": {"minReadySeconds": 100}}, "90", 120, 210, 230),
        ({"ingress": ALB, "rollout": {"minReadySeconds": 45}}, "30", 60, 45, 120),
        ({"ingress": ALB, "rollout": {"progressDeadlineSeconds": 10}}, "30", 60, 20, 25),
        ({"ingress": ALB, "pod": {"env": [DRAIN]}}, "9", 60, 20, 135),
    ],
)
def test_pods_come_and_go_as_slowly_as_what_sends_to_them_learns_of_it(
    spec: dict[str, Any], drain: str | None, grace: int, ready: int, deadline: int
) -> None:
    deployment = render.deployment(app(**spec), YELLOW)
    pod = deployment["spec"]["template"]["spec"]
    environment = pod["containers"][0]["env"]
    given = [each["value"] for each in environment if each["name"] == "DRAIN_SECONDS"]
    assert given == ([drain] if drain else [])
    assert pod["terminationGracePeriodSeconds"] == grace
    assert deployment["spec"]["minReadySeconds"] == ready
    assert deployment["spec"]["progressDeadlineSeconds"] == deadline


def test_nothing_but_the_template_changes_the_revision() -> None:
    def revision(release: Release = YELLOW, **spec: Any) -> str | None:
        return render.revision_of(render.deployment(app(**spec), release))

    assert revision() == revision(replicas=9) == revision(service={"type": "NodePort", "port": 1})
    assert revision() == revision(autoscaling=AUTOSCALING) == revision(ingress=NGINX)
    revisions = {
        revision(),
        revision(GREEN),
        revision(city="Paris"),
        revision(pod={"env": [{"name": "A", "value": "b"}]}),
        revision(pod={"annotations": {"a": "b"}}),
        revision(ingress=ingress(path="/london")),
    }
    assert len(revisions) == 6


def test_the_template_of_this_release_stays_as_it_is() -> None:
    # Another hash restarts every pod of every cluster when the operator is upgraded.
    deployment = render.deployment(app(), YELLOW)
    assert render.revision_of(deployment) == "e1bf82d8494f"


def test_the_users_labels_never_replace_ours() -> None:
    labels = {"app.kubernetes.io/instance": "evil", "team": "clouds"}
    template = render.pod_template(app(pod={"labels": labels}), YELLOW)
    assert template["metadata"]["labels"]["app.kubernetes.io/instance"] == "london"
    assert template["metadata"]["labels"]["team"] == "clouds"


def test_a_name_that_is_empty_counts_as_left_out() -> None:
    empty = app(pod={"serviceAccountName": "", "priorityClassName": ""})
    assert render.pod_template(empty, YELLOW) == render.pod_template(app(), YELLOW)


def test_the_pod_is_restricted() -> None:
    spec = render.pod_template(app(), YELLOW)["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(app())["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [each["name"] for each in container(app())["volumeMounts"]] == ["tmp"]


def test_no_upgrade_takes_a_serving_pod_away_first() -> None:
    strategy = render.deployment(app(), YELLOW)["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_the_probes_ask_where_the_app_answers() -> None:
    web = container(app())
    assert web["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert web["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert web["ports"] == [
        {"name": "http", "containerPort": 8080, "protocol": "TCP"},
        {"name": "metrics", "containerPort": 9090, "protocol": "TCP"},
    ]


def test_a_page_that_is_slow_to_start_is_the_probes_business() -> None:
    probe = container(app())["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < START_SECONDS


def test_a_key_is_mounted_whole_as_a_file_and_only_where_there_is_one() -> None:
    assert "api-key" not in json.dumps(container(app()))
    weather = {**app_body()["spec"]["weather"], "apiKeySecretRef": {"name": "keys", "key": "owm"}}
    with_key = app(weather=weather)
    mount = container(with_key)["volumeMounts"][1]
    assert mount == {
        "name": "api-key",
        "mountPath": "/var/run/secrets/weather",
        "readOnly": True,
    }
    (_, volume) = render.pod_template(with_key, YELLOW)["spec"]["volumes"]
    assert volume["secret"] == {
        "secretName": "keys",
        "items": [{"key": "owm", "path": "api-key"}],
    }


@pytest.mark.parametrize("port", [None, 30080])
def test_the_node_port_is_declared_only_where_the_user_chose_it(port: int | None) -> None:
    spec = {"type": "NodePort", "port": 80, **({"nodePort": port} if port else {})}
    (declared,) = render.service(app(service=spec))["spec"]["ports"]
    assert declared.get("nodePort") == port
