"""What the API server lets a user write, in the words that it refuses the rest with."""

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

import pytest
from support.kubectl import Shell
from support.operator import crd_schema, release, weather_app

LONGEST = "a" * 50
REQUIRED = {"city": "London", "colour": "green"}


def refusal(shell: Shell, manifest: dict[str, Any]) -> str:
    """What kubectl prints for a manifest that must be refused."""
    run = shell.run("kubectl", "apply", "--dry-run=server", "-f", "-", text=json.dumps(manifest))
    assert run.returncode != 0, "it was accepted"
    return run.stderr


def accept(shell: Shell, manifest: dict[str, Any]) -> None:
    shell.kubectl("apply", "--dry-run=server", "-f", "-", text=json.dumps(manifest))


def app(**spec: Any) -> dict[str, Any]:
    """A WeatherApp with this spec and nothing else; None takes a required field away."""
    fields = {**REQUIRED, **spec}
    manifest = weather_app("london", "default")
    manifest["spec"] = {name: value for name, value in fields.items() if value is not None}
    return manifest


ARN = "arn:aws:acm:eu-west-2:123456789012:certificate/1"
LOAD_BALANCER_CLASS = "loadBalancerClass cannot change while type is LoadBalancer"
INSTANCE = {"alb.ingress.kubernetes.io/target-type": "instance"}


def scaling(**numbers: int) -> dict[str, Any]:
    return {"autoscaling": {"maxReplicas": 10, **numbers}}


def ingress(**fields: Any) -> dict[str, Any]:
    return {"ingress": {"className": "alb", **fields}}


def gateway(**fields: Any) -> dict[str, Any]:
    return {"gateway": {"parentRefs": [{"name": "public"}], **fields}}


def canary(*steps: dict[str, Any], **rollout: Any) -> dict[str, Any]:
    strategy = {"type": "Canary", "canary": {"steps": list(steps)}}
    return {"rollout": {"strategy": strategy, **rollout}}


def blue_green(**fields: Any) -> dict[str, Any]:
    return {"rollout": {"strategy": {"type": "BlueGreen", "blueGreen": fields}}}


def analysis(*checks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return canary({"weight": 10}, analysis={"checks": list(checks), **fields})


def check(**kinds: Any) -> dict[str, Any]:
    return analysis({"name": "one", **kinds})


def parent(**fields: Any) -> dict[str, Any]:
    return gateway(parentRefs=[{"name": "public", **fields}])


def pod(**fields: Any) -> dict[str, Any]:
    return {"pod": fields}


def toleration(**fields: Any) -> dict[str, Any]:
    return pod(tolerations=[fields])


def variable(**reference: Any) -> dict[str, Any]:
    return pod(env=[{"name": "A", "valueFrom": reference}])


PROBE = {"name": "page", "probe": {}}

NAMES = [
    ("a" * 51, "metadata.name has 51 characters: shorten it to at most 50"),
    ("lon.don", "must start with a letter and hold only a-z, 0-9 and '-'"),
    ("1london", "must start with a letter"),
]

SPECS: list[tuple[dict[str, Any], str]] = [
    ({"colour": None}, "give a colour (for example green) or a version (for example 2.0.0)"),
    ({"version": "2.0.0"}, "give either colour or version, not both"),
    ({"city": None}, "spec.city: Required value"),
    ({"city": ""}, "city must not be empty: write for example London"),
    ({"city": "  "}, "city must not be empty"),
    ({"city": " ,\u3000"}, "city must not be empty"),
    ({"city": "London\n"}, "city must be one line without control characters"),
    ({"city": "x" * 81}, "may not be more than 80"),
    ({"colour": "Green"}, '"Green" is not a colour: write one word of at most 20 letters a-z'),
    ({"colour": "g" * 21}, "is not a colour"),
    ({"colour": None, "version": "v1"}, '"v1" is not a version: write three numbers'),
    ({"colour": None, "version": "1.0"}, '"1.0" is not a version'),
    ({"colour": None, "version": "1.0.0-"}, "is not a version"),
    ({"replicas": -1}, "replicas is -1: write a number from 0 (switched off) to 1000"),
    ({"replicas": 1001}, "replicas is 1001"),
    ({"service": {"type": "External"}}, 'supported values: "ClusterIP"'),
    ({"service": {"nodePort": 30080}}, "nodePort needs type NodePort or LoadBalancer"),
    ({"service": {"type": "NodePort", "nodePort": 80}}, "nodePort 80 is outside 30000-32767"),
    ({"service": {"type": "NodePort", "nodePort": 32768}}, "nodePort 32768 is outside"),
    ({"service": {"port": 0}}, "port 0 is outside 1-65535"),
    ({"service": {"port": 65536}}, "port 65536 is outside 1-65535"),
    (
        {"service": {"annotations": {"weather.quantspark.io/x": "y"}}},
        "annotations under weather.quantspark.io/ belong to the operator",
    ),
    (
        {"service": {"externalTrafficPolicy": "Local"}},
        "externalTrafficPolicy needs type NodePort or LoadBalancer",
    ),
    (
        {"service": {"type": "NodePort", "externalTrafficPolicy": "Near"}},
        'supported values: "Cluster"',
    ),
    (
        {"service": {"type": "NodePort", "loadBalancerClass": "example.com/lb"}},
        "loadBalancerClass needs type LoadBalancer",
    ),
    (
        {"service": {"type": "LoadBalancer", "loadBalancerClass": "a b"}},
        '"a b" is not a class of load balancers: write for example service.k8s.aws/nlb',
    ),
    (
        {"service": {"annotations": {"my note": "x"}}},
        '"my note" is not the key of an annotation: write for example example.com/team',
    ),
    (
        {"service": {"type": "LoadBalancer", "loadBalancerClass": "a..b/lb"}},
        '"a..b/lb" is not a class of load balancers',
    ),
    ({"autoscaling": {}}, "spec.autoscaling.maxReplicas: Required value"),
    (scaling(minReplicas=11), "minReplicas (11) is above maxReplicas (10): lower the one"),
    (scaling(maxReplicas=1), "minReplicas (2) is above maxReplicas (1)"),
    (scaling(minReplicas=0), "minReplicas is 0: write at least 1; to switch the site off"),
    (scaling(maxReplicas=1001), "maxReplicas is 1001: write at most 1000"),
    (
        scaling(targetCPUUtilizationPercentage=0),
        "targetCPUUtilizationPercentage is 0: write a number from 1 to 1000",
    ),
    (
        scaling(scaleDownStabilizationSeconds=3601),
        "scaleDownStabilizationSeconds is 3601: write a number from 0 to 3600",
    ),
    (
        {**scaling(), "resources": {"requests": {"cpu": 0}}},
        "autoscaling counts the load in percent of what a pod requests",
    ),
    ({"ingress": {}}, "spec.ingress.className: Required value"),
    (ingress(className="A b"), '"A b" is not the name of an IngressClass: write for example alb'),
    (
        ingress(tls={"secretName": "cert"}),
        "class alb takes no certificate from a Secret, give tls.certificateArn instead",
    ),
    (
        ingress(className="nginx", tls={"certificateArn": ARN}),
        "certificateArn is for className alb alone: give tls.secretName",
    ),
    (ingress(tls={}), "give exactly one of tls.secretName and tls.certificateArn"),
    (
        ingress(tls={"secretName": "cert", "certificateArn": ARN}),
        "give exactly one of tls.secretName and tls.certificateArn",
    ),
    (ingress(className="nginx", tls={"secretName": "A_b"}), '"A_b" is not the name of a Secret'),
    (ingress(tls={"certificateArn": "arn:aws:s3:::x"}), "is not the ARN of a certificate"),
    (ingress(className="a..b"), '"a..b" is not the name of an IngressClass'),
    (ingress(className="nginx", tls={"secretName": "a..b"}), '"a..b" is not the name of a Secret'),
    (ingress(sslRedirect=True), "sslRedirect needs className alb and tls.certificateArn"),
    (
        ingress(className="nginx", tls={"secretName": "cert"}, sslRedirect=True),
        "sslRedirect needs className alb and tls.certificateArn: other classes redirect by",
    ),
    (ingress(host="10.0.0.1"), '"10.0.0.1" is not a host: write for example weather.example.com'),
    (ingress(host="a_b.example.com"), '"a_b.example.com" is not a host'),
    (ingress(path="london"), '"london" is not a path: write for example / or /london'),
    (ingress(path="/london/"), '"/london/" is not a path'),
    (ingress(path="/a//b"), '"/a//b" is not a path'),
    (ingress(path="/a/../b"), '"/a/../b" is not a path'),
    (
        ingress(annotations={"weather.quantspark.io/x": "y"}),
        "annotations under weather.quantspark.io/ belong to the operator",
    ),
    (
        ingress(annotations=INSTANCE),
        "target-type instance reaches the pods through a port of the nodes: set service.type",
    ),
    (ingress(annotations={"a/b/c": "y"}), '"a/b/c" is not the key of an annotation'),
    ({"gateway": {}}, "spec.gateway.parentRefs: Required value"),
    (gateway(parentRefs=[]), "parentRefs is empty: name at least one Gateway"),
    (gateway(parentRefs=[{}]), "spec.gateway.parentRefs[0].name: Required value"),
    (parent(name=""), '"" is not a name: it holds only a-z, 0-9, "-" and "."'),
    (parent(namespace="A_b"), '"A_b" is not the name of a namespace: it holds only a-z, 0-9 and'),
    (parent(sectionName=""), '"" is not a name'),
    (parent(port=0), "port 0 is outside 1-65535"),
    (
        gateway(parentRefs=[{"name": "a"}, {"name": "a"}]),
        "parentRefs names a Gateway more than once",
    ),
    (
        gateway(parentRefs=[{"name": "a", "sectionName": "https"}, {"name": "a"}]),
        "give each reference to it a sectionName of its own",
    ),
    (gateway(hostnames=["10.0.0.1"]), '"10.0.0.1" is not a host'),
    (gateway(hostnames=["a.b", "a.b"]), "Duplicate value"),
    (gateway(path="x"), '"x" is not a path'),
    (
        {**ingress(path="/a"), **gateway()},
        "ingress.path (/a) and gateway.path (/) differ: the site serves under one path",
    ),
    ({"weather": {"provider": "guess"}}, 'supported values: "auto"'),
    ({"weather": {"units": "miles"}}, 'supported values: "metric"'),
    ({"weather": {"language": "english"}}, 'Unsupported value: "english"'),
    ({"weather": {"apiKeySecretRef": {}}}, "spec.weather.apiKeySecretRef.name: Required value"),
    ({"weather": {"apiKeySecretRef": {"name": "A_b"}}}, '"A_b" is not the name of a Secret'),
    (
        {"weather": {"apiKeySecretRef": {"name": "keys", "key": "a/b"}}},
        '"a/b" is not a key of a Secret',
    ),
    ({"resources": {"requests": {"cpu": "much"}}}, '"much" is not an amount: write for example'),
    ({"resources": {"limits": {"memory": "-1Mi"}}}, '"-1Mi" is not an amount'),
    (
        {"resources": {"requests": {"memory": "1Gi"}}},
        "requests.memory (1Gi) is above limits.memory (192Mi): lower the one or raise the other",
    ),
    (
        {"resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}},
        "requests.cpu (2) is above limits.cpu (1500m)",
    ),
    ({"resources": {"requests": {"cpus": 1}}}, 'unknown field "spec.resources.requests.cpus"'),
    (
        {"pod": {"labels": {"app.kubernetes.io/name": "x"}}},
        "labels under app.kubernetes.io/ and weather.quantspark.io/ belong to the operator",
    ),
    (
        {"pod": {"annotations": {"weather.quantspark.io/revision": "x"}}},
        "annotations under weather.quantspark.io/ belong to the operator",
    ),
    ({"pod": {"env": [{"name": "WEATHER_CITY"}]}}, "WEATHER_CITY is set by the operator"),
    ({"pod": {"env": [{"name": "1A"}]}}, '"1A" is not the name of a variable'),
    ({"pod": {"env": [{"name": "A"}, {"name": "A"}]}}, "Duplicate value"),
    (
        {
            "pod": {
                "env": [
                    {
                        "name": "A",
                        "value": "x",
                        "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}},
                    }
                ]
            }
        },
        "give either value or valueFrom, not both",
    ),
    (
        {"pod": {"env": [{"name": "A", "valueFrom": {}}]}},
        "give exactly one of secretKeyRef and configMapKeyRef",
    ),
    (variable(secretKeyRef={"name": "", "key": "b"}), '"" is not the name of a Secret'),
    (variable(configMapKeyRef={"name": "A", "key": "b"}), '"A" is not a name'),
    (
        variable(secretKeyRef={"name": "a", "key": ".."}),
        '".." is not a key of a Secret or ConfigMap: it holds only letters, digits',
    ),
    ({"labels": {"my team": "x"}}, '"my team" is not the key of a label: write for example team'),
    ({"labels": {"team": "of us"}}, '"of us" is not the value of a label: it holds only letters'),
    (
        {"labels": {"app.kubernetes.io/name": "x"}},
        "labels under app.kubernetes.io/ and weather.quantspark.io/ belong to the operator",
    ),
    (pod(labels={"my team": "x"}), '"my team" is not the key of a label: write for example team'),
    (pod(labels={"team": "of us"}), '"of us" is not the value of a label: it holds only letters'),
    (pod(annotations={"": "x"}), '"" is not the key of an annotation'),
    (pod(nodeSelector={"a/b/c": "x"}), '"a/b/c" is not the key of a label'),
    (pod(nodeSelector={"disk": "-ssd"}), '"-ssd" is not the value of a label'),
    (pod(imagePullSecrets=[{"name": "A b"}]), '"A b" is not the name of a Secret'),
    (pod(serviceAccountName="A_b"), '"A_b" is not a name'),
    (pod(priorityClassName="A_b"), '"A_b" is not a name'),
    (toleration(effect="NoSchedule"), "a toleration without key is for every taint, and needs"),
    (toleration(key="a", operator="Exists", value="x"), "operator Exists takes no value: leave"),
    (toleration(key="a", tolerationSeconds=5), "tolerationSeconds needs effect NoExecute: set"),
    (toleration(key="a b", value="x"), '"a b" is not the key of a taint: write for example'),
    (toleration(key="a", value="x y"), '"x y" is not the value of a label'),
    ({"pod": {"tolerations": [{"operator": "Like"}]}}, 'supported values: "Equal"'),
    ({"servise": {}}, 'unknown field "spec.servise"'),
    (
        {"rollout": {"progressDeadlineSeconds": 5, "minReadySeconds": 5}},
        "progressDeadlineSeconds (5) must be above minReadySeconds (5)",
    ),
    (
        {"rollout": {"maxSurge": 0, "maxUnavailable": "0%"}},
        "maxSurge and maxUnavailable are both 0, so no pod could ever be replaced",
    ),
    ({"rollout": {"maxSurge": "0%"}}, "maxSurge and maxUnavailable are both 0"),
    ({"rollout": {"maxSurge": "many"}}, '"many" is not a number of pods: write for example 1'),
    ({"rollout": {"maxSurge": "3"}}, '"3" is not a number of pods'),
    ({"rollout": {"maxSurge": "00%"}}, '"00%" is not a number of pods'),
    ({"rollout": {"maxUnavailable": "101%"}}, '"101%" is not a number of pods'),
    ({"rollout": {"maxUnavailable": -1}}, '"-1" is not a number of pods'),
    ({"rollout": {"progressDeadlineSeconds": 0}}, "progressDeadlineSeconds is 0: write a number"),
    ({"rollout": {"minReadySeconds": -1}}, "minReadySeconds is -1: write a number from 0 to 3600"),
    ({"rollout": {"attempt": -1}}, "attempt is -1: write a number from 0 on"),
    ({"rollout": {"historyLimit": 0}}, "historyLimit is 0: write a number from 1 to 50"),
    ({"rollout": {"historyLimit": 51}}, "historyLimit is 51"),
    (
        {"rollout": {"windows": [{"start": "25:00", "end": "04:00"}]}},
        '"25:00" is no time of a day: write for example 09:00 or 22:30',
    ),
    ({"rollout": {"windows": [{"start": "22:00", "end": "4 am"}]}}, '"4 am" is no time of a day'),
    ({"rollout": {"strategy": {"type": "Slow"}}}, 'supported values: "RollingUpdate", "Canary"'),
    ({"rollout": {"strategy": {"type": "Canary"}}}, "strategy.type Canary has no steps: give"),
    (
        {"rollout": {"strategy": {"canary": {"steps": [{"weight": 10}]}}}},
        "canary is for strategy.type Canary, and this is RollingUpdate: change the type",
    ),
    (
        {"rollout": {"strategy": {"type": "RollingUpdate", "blueGreen": {}}}},
        "blueGreen is for strategy.type BlueGreen, and this is RollingUpdate: change the type",
    ),
    (canary(), "canary.steps is empty: give at least one"),
    (canary({"weight": 50}, {"weight": 10}), "the weights of canary.steps must rise"),
    (canary({"weight": 10}, {"weight": 10}), "the weights of canary.steps must rise"),
    (canary({"weight": 0}), "weight is 0: write a percentage from 1 to 100"),
    (canary({"weight": 101}), "weight is 101"),
    (canary({"weight": 1, "durationSeconds": 86401}), "durationSeconds is 86401: write a number"),
    (canary(*({"weight": weight} for weight in range(1, 22))), "must have at most 20 items"),
    (blue_green(replicas=0), "blueGreen.replicas is 0, which leaves no room for the new revision"),
    (blue_green(replicas="0%"), "blueGreen.replicas is 0%, which leaves no room"),
    (blue_green(retainSeconds=-1), "retainSeconds is -1: write a number from 0 to 86400"),
    (
        {"service": {"type": "LoadBalancer"}, **blue_green()},
        "BlueGreen behind a load balancer of the Service would switch before its targets",
    ),
    (
        {"replicas": 1, **canary({"weight": 10}, maxSurge=0, maxUnavailable=1)},
        "a canary comes beside the pods that serve, and maxSurge 0 lets none come beside a single",
    ),
    (
        {"rollout": {"analysis": {"checks": [PROBE]}}},
        "analysis needs a revision that is tried beside the one that serves",
    ),
    (
        {"rollout": {"strategy": {}, "analysis": {"checks": [PROBE]}}},
        "set strategy.type Canary or BlueGreen, or leave analysis out",
    ),
    (analysis(), "analysis.checks is empty: give at least one, or leave analysis out"),
    (analysis(PROBE, intervalSeconds=0), "intervalSeconds is 0: write a number from 1 to 3600"),
    (analysis(PROBE, minRequests=0), "minRequests is 0: write a number from 1 to 1000000"),
    (analysis(PROBE, failureLimit=0), "failureLimit is 0: write a number from 1 to 100"),
    (analysis({"name": "Page", "probe": {}}), '"Page" is not the name of a check: start with'),
    (check(), "the check one must have exactly one of successRate, latency, probe and"),
    (check(probe={}, successRate={"minPercent": 99}), "the check one must have exactly one of"),
    (check(successRate={}), "successRate has no bound: give minPercent, maxBelowStable or both"),
    (
        check(successRate={"minPercent": 100.5}),
        "this is no percentage: write a number from 0 to 100, for example 99.5",
    ),
    (check(latency={}), "latency has no bound: give maxMilliseconds, maxAboveStable or both"),
    (
        check(latency={"quantilePercent": 100, "maxMilliseconds": 1}),
        "this is no quantile: write a number above 0 and below 100, for example 95",
    ),
    (check(latency={"maxMilliseconds": 0}), "0 is no bound of a latency: write milliseconds from"),
    (check(probe={"path": "page"}), '"page" is not a path: write for example / or /weather.json'),
    (check(probe={"requests": 0}), "requests is 0: write a number from 1 to 1000"),
    (check(prometheus={"query": "up"}), "prometheus has no bound: give min, max or both"),
    (check(prometheus={"query": " ", "max": 1}), "prometheus.query is empty: write an expression"),
    (
        check(prometheus={"query": "up", "min": 2, "max": 1}),
        "prometheus.min is above max, so no value passes: lower the one or raise the other",
    ),
]


@pytest.mark.parametrize(("name", "words"), NAMES)
def test_a_bad_name_is_refused_in_words(shell: Shell, name: str, words: str) -> None:
    assert words in refusal(shell, weather_app(name, "default"))


@pytest.mark.parametrize(("spec", "words"), SPECS, ids=lambda value: json.dumps(value)[:60])
def test_a_bad_spec_is_refused_in_words(shell: Shell, spec: dict[str, Any], words: str) -> None:
    assert words in refusal(shell, app(**spec))


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"city": "x" * 80},
        {"city": "Łódź"},
        {"city": "St. John\u2019s, ca"},
        {"colour": "g" * 20},
        {"colour": None, "version": "10.20.30"},
        {"colour": None, "version": "1.0.0-rc.1"},
        {"replicas": 0},
        {"replicas": 1000},
        {"suspend": True},
        {"rollout": {"maxSurge": "25%", "maxUnavailable": "10%", "attempt": 7}},
        {"rollout": {"maxSurge": 0, "maxUnavailable": 1, "historyLimit": 1, "paused": True}},
        {"rollout": {"progressDeadlineSeconds": 1, "minReadySeconds": 0, "autoRollback": False}},
        {"service": {"type": "NodePort", "nodePort": 30000}},
        {"service": {"type": "LoadBalancer", "nodePort": 32767, "port": 65535}},
        {"service": {"annotations": {"example.com/x": "y"}, "port": 1}},
        {"service": {"type": "NodePort", "externalTrafficPolicy": "Local"}},
        {"service": {"type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb"}},
        {"service": {"type": "LoadBalancer", "loadBalancerClass": "mine"}},
        scaling(),
        scaling(minReplicas=10, targetCPUUtilizationPercentage=1, scaleDownStabilizationSeconds=0),
        scaling(minReplicas=1, maxReplicas=1000, targetCPUUtilizationPercentage=1000),
        {"replicas": 0, **scaling(scaleDownStabilizationSeconds=3600)},
        ingress(),
        ingress(host="*.example.com", path="/a/b-c_d.e~f", annotations={"example.com/x": "y"}),
        ingress(tls={"certificateArn": ARN}, sslRedirect=False),
        ingress(className="nginx", host="w.example.com", tls={"secretName": "cert"}),
        {"service": {"type": "NodePort"}, **ingress(annotations=INSTANCE)},
        gateway(),
        gateway(
            parentRefs=[{"name": "a", "namespace": "b", "sectionName": "https", "port": 443}],
            hostnames=["w.example.com", "*.example.org"],
        ),
        {**ingress(path="/a"), **gateway(path="/a")},
        {"weather": {"provider": "sample", "units": "imperial", "language": "en"}},
        {"weather": {"apiKeySecretRef": {"name": "my.keys", "key": "a_B.c-d"}}},
        {"resources": {"requests": {"cpu": 1, "memory": "192Mi"}, "limits": {"cpu": "1"}}},
        {"labels": {"example.com/Team_a": "", "team": "x"}},
        {"pod": {"labels": {"team": "x"}, "annotations": {"example.com/a": "b"}}},
        {"pod": {"env": [{"name": "OPENWEATHER_BASE_URL", "value": "http://x"}]}},
        {
            "pod": {
                "env": [
                    {"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
                    {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}},
                ]
            }
        },
        {"pod": {"tolerations": [{"operator": "Exists"}], "nodeSelector": {"disk": "ssd"}}},
        toleration(key="a", effect="NoExecute", operator="Exists", tolerationSeconds=5),
        toleration(key="example.com/a", value=""),
        pod(labels={"example.com/Team_a": ""}, annotations={"Example.com/a": " "}),
        pod(serviceAccountName="", priorityClassName="", nodeSelector={"disk": ""}),
        gateway(parentRefs=[{"name": "a", "namespace": "b"}, {"name": "a", "namespace": "c"}]),
        gateway(parentRefs=[{"name": "a", "sectionName": each} for each in ("http", "https")]),
        {"rollout": {"strategy": {}}},
        canary({"weight": 1}, {"weight": 100, "durationSeconds": 86400, "approval": True}),
        canary(*({"weight": weight} for weight in range(1, 21))),
        {"replicas": 1, **canary({"weight": 10})},
        {"replicas": 1, **gateway(), **canary({"weight": 10}, maxSurge=0, maxUnavailable=1)},
        blue_green(),
        blue_green(replicas="50%", approval=True, retainSeconds=0),
        {**ingress(), **gateway(), **blue_green(replicas=3)},
        {**ingress(), **blue_green(replicas=3)},
        analysis(PROBE, intervalSeconds=3600, minRequests=1, failureLimit=1, onUnknown="Abort"),
        analysis(
            {"name": "a", "successRate": {"minPercent": 99, "maxBelowStable": 0.5}},
            {"name": "b", "latency": {"maxMilliseconds": 500, "maxAboveStable": 100}},
            {"name": "c", "probe": {"path": "/weather.json", "requests": 5, "minPercent": 99.9}},
            {"name": "d", "prometheus": {"query": "up", "min": 0.5, "max": 3}},
        ),
    ],
    ids=json.dumps,
)
def test_a_good_spec_is_accepted(shell: Shell, spec: dict[str, Any]) -> None:
    accept(shell, app(**spec))


def test_the_class_of_a_load_balancer_changes_only_by_way_of_another_type(
    shell: Shell, namespace: str
) -> None:
    def london(**service: str) -> dict[str, Any]:
        return weather_app("london", namespace, suspend=True, service=service)

    shell.apply(london(type="LoadBalancer", loadBalancerClass="example.com/a"))
    for change in ({"loadBalancerClass": "example.com/b"}, {}):
        words = refusal(shell, london(type="LoadBalancer", **change))
        assert LOAD_BALANCER_CLASS in words
    accept(shell, london(type="LoadBalancer", loadBalancerClass="example.com/a"))
    shell.apply(london(type="ClusterIP"))
    accept(shell, london(type="LoadBalancer", loadBalancerClass="example.com/b"))


def test_a_name_of_fifty_characters_is_accepted(shell: Shell) -> None:
    accept(shell, weather_app(LONGEST, "default"))
    accept(shell, weather_app("l-0", "default"))


RELEASES = [
    (release("1.0", "blue", "weather:4"), '"1.0" is not a version'),
    (release("4.0.0", "Blue", "weather:4", name="x"), '"Blue" is not a colour'),
    (release("4.0.0", "blue", "", name="x"), '"" is not the address of a container image'),
    (release("4.0.0", "blue", "a b", name="x"), '"a b" is not the address of a container image'),
    (
        release("4.0.0", "blue", "localhost:5000/weather", name="x"),
        "localhost:5000/weather has no tag, so it could be any version: write for example",
    ),
    (release("1.0.1", "yellow", "x", name="1.0.0"), "version cannot be changed from 1.0.0"),
    (release("1.0.0", "blue", "x", name="1.0.0"), "colour cannot be changed from yellow"),
]


@pytest.mark.parametrize(("manifest", "words"), RELEASES, ids=[words for _, words in RELEASES])
def test_a_bad_release_is_refused_in_words(
    shell: Shell, manifest: dict[str, Any], words: str
) -> None:
    assert words in refusal(shell, manifest)


def test_a_release_is_accepted_and_its_image_may_change(shell: Shell) -> None:
    accept(shell, release("4.0.0", "blue", f"registry.example.com:5000/weather@sha256:{0:064}"))
    accept(shell, release("1.0.0", "yellow", "weather:1.0.0-rebuilt"))


def test_a_file_without_the_attempt_replaces_an_app_that_was_tried_again(shell: Shell) -> None:
    shell.kubectl("create", "namespace", "attempts")
    london = weather_app("london", "attempts", rollout={"attempt": 2}, suspend=True)
    shell.apply(london)
    del london["spec"]["rollout"]["attempt"]
    shell.kubectl("replace", "-f", "-", text=json.dumps(london))
    shell.kubectl("delete", "namespace", "attempts", "--wait=false")


def test_every_rule_has_a_test_that_sees_its_refusal() -> None:
    said = {
        rule.get("message") or rule["messageExpression"]
        for kind in ("WeatherApp", "WeatherRelease")
        for rule in rules(crd_schema(kind))
    }
    refused = [words for _, words in NAMES] + [words for _, words in SPECS + RELEASES]
    refused.append(LOAD_BALANCER_CLASS)
    seen = {text for words in refused for text in said_by(words, said)}
    assert seen == said


def said_by(words: str, said: set[str]) -> set[str]:
    """The rules whose text shares most with what a test looked for."""
    shared = {
        text: SequenceMatcher(None, words, text, autojunk=False).find_longest_match().size
        for text in said
    }
    most = max(shared.values())
    return {text for text, size in shared.items() if size == most > 10}


def rules(schema: Any) -> Iterator[dict[str, str]]:
    if isinstance(schema, dict):
        yield from schema.get("x-kubernetes-validations", ())
        for value in schema.values():
            yield from rules(value)


def properties(schema: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items():
            yield f"{path}.{name}", value
            yield from properties(value, f"{path}.{name}")
        for inner in ("items", "additionalProperties"):
            yield from properties(schema.get(inner), path)


@pytest.mark.parametrize("kind", ["WeatherApp", "WeatherRelease"])
def test_every_field_is_described_to_who_asks_kubectl_explain(shell: Shell, kind: str) -> None:
    silent = [
        path
        for path, schema in properties(crd_schema(kind), kind)
        if not schema.get("description") and ".metadata" not in path
    ]
    assert not silent
    assert "<no description>" not in shell.kubectl("explain", f"{kind.lower()}.spec", "--recursive")
