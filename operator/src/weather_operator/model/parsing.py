"""Reads objects of weather.quantspark.io into the values of the model.

What an object leaves out has the schema's default here too. A definition that is older than the
operator fills in less, and then that is all that it costs; what no default helps against makes an
object unreadable, and no other.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from weather_operator.kube.resources import Kind, Manifest, key_of
from weather_operator.model import (
    ABORT_ANNOTATION,
    APPROVE_ANNOTATION,
    PROMOTE_ANNOTATION,
    WEATHER_APP,
    WEATHER_RELEASE,
    Autoscaling,
    GatewaySpec,
    IngressSpec,
    Release,
    RolloutSpec,
    SecretKey,
    ServiceSpec,
    Weather,
    WeatherApp,
    Window,
)
from weather_operator.model.strategies import (
    BLUE_GREEN,
    CANARY,
    HOLD,
    ROLLING_UPDATE,
    Analysis,
    BlueGreen,
    CanaryStep,
    Check,
    Latency,
    Probe,
    PrometheusQuery,
    Strategy,
    SuccessRate,
)

_ROLLOUT_FIELDS = {"phase", "to", "revision", "colour", "image", "startedAt"}


class UnreadableError(Exception):
    """An object that lacks what there is no default for, or has it in a form nobody expects."""


def parse_release(body: Manifest) -> Release:
    """Read a WeatherRelease that the API server has validated. Raises UnreadableError."""
    with _reading(WEATHER_RELEASE, body):
        return _parse_release(body)


def parse_app(body: Manifest) -> WeatherApp:
    """Read a WeatherApp that the API server has validated. Raises UnreadableError."""
    with _reading(WEATHER_APP, body):
        return _parse_app(body)


@contextmanager
def _reading(kind: Kind, body: Manifest) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        message = (
            f"{kind.name} {key_of(body)} cannot be read, {type(error).__name__}: {error}. "
            "Apply the custom resource definitions that belong to this operator"
        )
        raise UnreadableError(message) from error


def _parse_release(body: Manifest) -> Release:
    metadata, spec, status = body["metadata"], body["spec"], body.get("status", {})
    is_resolved = status.get("observedGeneration") == metadata.get("generation", 1)
    return Release(
        version=spec["version"],
        colour=spec["colour"],
        image=spec["image"],
        digest=status.get("digest") if is_resolved else None,
        uid_generation=f"{metadata['uid']}/{metadata.get('generation', 1)}",
        is_resolved=is_resolved,
        missing=_missing(status) if is_resolved else "",
        name=metadata.get("name", ""),
    )


def _missing(status: Manifest) -> str:
    """Return the registry's words where it said that it does not have a release's image."""
    for each in status.get("conditions", ()):
        is_false = (each["type"], each["status"]) == ("Available", "False")
        if is_false and each["reason"] != "AmbiguousVersion":
            message: str = each["message"]
            return message
    return ""


def _parse_app(body: Manifest) -> WeatherApp:
    metadata, spec = body["metadata"], body["spec"]
    annotations: Manifest = metadata.get("annotations", {})
    replicas = spec.get("replicas", 2)
    return WeatherApp(
        key=key_of(body),
        uid=metadata["uid"],
        generation=metadata["generation"],
        resource_version=metadata["resourceVersion"],
        deleting="deletionTimestamp" in metadata,
        city=spec["city"],
        colour=spec.get("colour"),
        version=spec.get("version"),
        replicas=replicas,
        scaled_to=replicas if _is_scaled(metadata) else None,
        autoscaling=_parse_autoscaling(spec["autoscaling"]) if "autoscaling" in spec else None,
        suspend=spec.get("suspend", False),
        service=_parse_service(spec.get("service", {})),
        ingress=_parse_ingress(spec["ingress"]) if "ingress" in spec else None,
        gateway=_parse_gateway(spec["gateway"]) if "gateway" in spec else None,
        weather=_parse_weather(spec.get("weather", {})),
        rollout=_parse_rollout(spec.get("rollout", {})),
        resources=_parse_resources(spec.get("resources", {})),
        pod=spec.get("pod", {}),
        labels=spec.get("labels", {}),
        status=readable_status(body.get("status", {})),
        approved=annotations.get(APPROVE_ANNOTATION, ""),
        aborted=annotations.get(ABORT_ANNOTATION, ""),
        promoted=annotations.get(PROMOTE_ANNOTATION, ""),
    )


def readable_status(status: Manifest) -> Manifest:
    """Return a status without a rollout that lacks what the operator always writes of one.

    A person wrote that, or a tool restored half of it: nothing can be concluded from it.
    """
    if status.get("rollout", {}).keys() >= _ROLLOUT_FIELDS:
        return status
    return {name: value for name, value in status.items() if name != "rollout"}


def is_scaling(entry: Manifest) -> bool:
    """Tell whether an entry of managedFields records a use of the subresource scale."""
    return entry.get("subresource") == "scale"


def _is_scaled(metadata: Manifest) -> bool:
    return any(
        is_scaling(entry) and "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        for entry in metadata.get("managedFields", ())
    )


def _parse_autoscaling(spec: Manifest) -> Autoscaling:
    return Autoscaling(
        min_replicas=spec.get("minReplicas", 2),
        max_replicas=spec["maxReplicas"],
        target_cpu_percent=spec.get("targetCPUUtilizationPercentage", 70),
        scale_down_seconds=spec.get("scaleDownStabilizationSeconds", 300),
    )


def _parse_service(spec: Manifest) -> ServiceSpec:
    return ServiceSpec(
        type=spec.get("type", "ClusterIP"),
        port=spec.get("port", 80),
        node_port=spec.get("nodePort"),
        annotations=spec.get("annotations", {}),
        external_traffic_policy=spec.get("externalTrafficPolicy"),
        load_balancer_class=spec.get("loadBalancerClass"),
    )


def _parse_ingress(spec: Manifest) -> IngressSpec:
    tls = spec.get("tls", {})
    return IngressSpec(
        class_name=spec["className"],
        host=spec.get("host"),
        path=spec.get("path", "/"),
        annotations=spec.get("annotations", {}),
        secret=tls.get("secretName"),
        certificate=tls.get("certificateArn"),
        ssl_redirect=spec.get("sslRedirect", True),
    )


def _parse_gateway(spec: Manifest) -> GatewaySpec:
    return GatewaySpec(
        parents=tuple(spec["parentRefs"]),
        hostnames=tuple(spec.get("hostnames", ())),
        path=spec.get("path", "/"),
    )


def _parse_weather(spec: Manifest) -> Weather:
    return Weather(
        provider=spec.get("provider", "auto"),
        units=spec.get("units", "metric"),
        language=spec.get("language", "en"),
        api_key=_parse_secret_key(spec["apiKeySecretRef"]) if "apiKeySecretRef" in spec else None,
    )


def _parse_secret_key(spec: Manifest) -> SecretKey:
    return SecretKey(name=spec["name"], key=spec.get("key", "api-key"))


def _parse_rollout(spec: Manifest) -> RolloutSpec:
    return RolloutSpec(
        progress_deadline_seconds=spec.get("progressDeadlineSeconds", 120),
        min_ready_seconds=spec.get("minReadySeconds", 5),
        max_surge=spec.get("maxSurge", 1),
        max_unavailable=spec.get("maxUnavailable", 0),
        auto_rollback=spec.get("autoRollback", True),
        paused=spec.get("paused", False),
        attempt=spec.get("attempt", 0),
        history_limit=spec.get("historyLimit", 10),
        windows=tuple(map(_parse_window, spec.get("windows", ()))),
        strategy=_parse_strategy(spec.get("strategy", {})),
        analysis=_parse_analysis(spec["analysis"]) if "analysis" in spec else None,
    )


def _parse_window(spec: Manifest) -> Window:
    return Window(
        days=tuple(spec.get("days", ())),
        start=spec["start"],
        end=spec["end"],
        time_zone=spec.get("timeZone", "UTC"),
    )


def _parse_strategy(spec: Manifest) -> Strategy:
    """Read `spec.rollout.strategy`."""
    type_: str = spec.get("type", ROLLING_UPDATE)
    steps = spec["canary"]["steps"] if type_ == CANARY else ()
    return Strategy(
        type=type_,
        steps=tuple(map(_parse_step, steps)),
        blue_green=_parse_blue_green(spec.get("blueGreen", {})) if type_ == BLUE_GREEN else None,
    )


def _parse_analysis(spec: Manifest) -> Analysis:
    """Read `spec.rollout.analysis`."""
    return Analysis(
        interval_seconds=spec.get("intervalSeconds", 10),
        min_requests=spec.get("minRequests", 20),
        failure_limit=spec.get("failureLimit", 2),
        on_unknown=spec.get("onUnknown", HOLD),
        checks=tuple(map(_parse_check, spec["checks"])),
    )


def _parse_step(spec: Manifest) -> CanaryStep:
    return CanaryStep(
        weight=spec["weight"],
        duration_seconds=spec.get("durationSeconds", 0),
        approval=spec.get("approval", False),
    )


def _parse_blue_green(spec: Manifest) -> BlueGreen:
    return BlueGreen(
        replicas=spec.get("replicas", "100%"),
        approval=spec.get("approval", False),
        retain_seconds=spec.get("retainSeconds", 30),
    )


def _parse_check(spec: Manifest) -> Check:
    return Check(
        name=spec["name"],
        success_rate=_parse_success_rate(spec["successRate"]) if "successRate" in spec else None,
        latency=_parse_latency(spec["latency"]) if "latency" in spec else None,
        probe=_parse_probe(spec["probe"]) if "probe" in spec else None,
        prometheus=_parse_prometheus(spec["prometheus"]) if "prometheus" in spec else None,
    )


def _parse_success_rate(spec: Manifest) -> SuccessRate:
    return SuccessRate(
        min_percent=spec.get("minPercent"), max_below_stable=spec.get("maxBelowStable")
    )


def _parse_latency(spec: Manifest) -> Latency:
    return Latency(
        quantile_percent=spec.get("quantilePercent", 95),
        max_milliseconds=spec.get("maxMilliseconds"),
        max_above_stable=spec.get("maxAboveStable"),
    )


def _parse_probe(spec: Manifest) -> Probe:
    return Probe(
        path=spec.get("path", "/"),
        requests=spec.get("requests", 20),
        min_percent=spec.get("minPercent", 100),
    )


def _parse_prometheus(spec: Manifest) -> PrometheusQuery:
    return PrometheusQuery(query=spec["query"], min=spec.get("min"), max=spec.get("max"))


def _parse_resources(spec: Manifest) -> Manifest:
    return {
        "requests": {"cpu": "50m", "memory": "64Mi", **spec.get("requests", {})},
        "limits": {"memory": "192Mi", **spec.get("limits", {})},
    }
