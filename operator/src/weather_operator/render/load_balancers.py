"""What a load balancer that sends to the pods themselves asks of them.

It knows a pod some time after Kubernetes does: a new one gets visitors only once its first health
check has passed, and one that goes still gets them until the data plane has heard of it.

- Application Load Balancer, measured with the AWS Load Balancer Controller and target type ip: a
  first check up to 15 seconds after a pod was registered, and 10 seconds until a deregistration is
  known everywhere.
- Network Load Balancer: a registration takes 90 to 180 seconds before the first check
  (https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/1834), which comes every
  10 and has to pass three times; visitors came for 75 seconds to targets that were no longer used
  (https://github.com/aws/containers-roadmap/issues/470).
"""

from dataclasses import dataclass

from weather_operator.model import WeatherApp

ALB = "alb"
GATES_LABEL, GATES_PROMISED = "elbv2.k8s.aws/pod-readiness-gate-inject", "enabled"
"""By this label of its namespace a pod gets a readiness gate: it waits to be found healthy."""

GATE_PREFIX = "target-health.elbv2.k8s.aws/"
_PROXY_SECONDS = 5
_TARGETS_ARE_PODS = {
    "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip",
    "service.beta.kubernetes.io/aws-load-balancer-type": "nlb-ip",
}
"""Annotations of a Service, the second of which is of older controllers."""


@dataclass(frozen=True, slots=True)
class Delays:
    """How long it takes until all visitors may come to a new pod, and until none comes any more."""

    first_check_seconds: int
    drain_seconds: int


ALB_DELAYS, NLB_DELAYS = Delays(20, 30), Delays(210, 90)


def _delays(app: WeatherApp) -> Delays | None:
    """Return those of the slowest load balancer that has the pods as its targets, if one has."""
    annotations = app.service.annotations
    is_ip = any(annotations.get(name) == value for name, value in _TARGETS_ARE_PODS.items())
    if app.service.type == "LoadBalancer" and is_ip:
        return NLB_DELAYS
    return ALB_DELAYS if divides_by_rule(app) else None


def sends_to_pods(app: WeatherApp) -> bool:
    """Tell whether a load balancer has the pods as its targets, and not a Service's address."""
    return _delays(app) is not None


def drain_seconds(app: WeatherApp) -> int | None:
    """Return how long a pod goes on serving once it is to end, None where the page decides it.

    A target group lets the requests of a target that goes end for as long.
    """
    delays = _delays(app)
    return delays.drain_seconds if delays else None


def divides_by_rule(app: WeatherApp) -> bool:
    """Tell whether a rule of the load balancer can divide the visitors by weight."""
    return app.ingress is not None and app.ingress.class_name == ALB


def min_ready_seconds(app: WeatherApp) -> int:
    """Return how long a pod must be ready before another may go for it.

    At least until its first health check has passed.
    """
    delays, asked = _delays(app), app.rollout.min_ready_seconds
    return max(asked, delays.first_check_seconds) if delays else asked


def progress_deadline_seconds(app: WeatherApp) -> int:
    """Return how long a rollout may go without getting any further.

    What a load balancer's first check takes is not the version's.
    """
    waits = min_ready_seconds(app) - app.rollout.min_ready_seconds
    return app.rollout.progress_deadline_seconds + waits


def router_seconds(app: WeatherApp) -> int:
    """Return how long visitors may still come to pods that a route no longer leads to.

    A proxy hears of it in a moment, a load balancer takes as long as it does to let a pod go.
    """
    return drain_seconds(app) or _PROXY_SECONDS


def grace_seconds(app: WeatherApp) -> int:
    """Return how long a pod has to end: to drain, and then to finish what it is at."""
    return (drain_seconds(app) or 0) + 30
