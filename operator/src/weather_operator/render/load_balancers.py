"""What a load balancer that sends to the pods themselves asks of them.

It knows a pod some time after Kubernetes does: a new one gets visitors only once its first health
check has passed, and one that goes still gets them until the data plane has heard of it. Measured
with the AWS Load Balancer Controller and target type ip: a first check up to 15 seconds after a pod
was registered, and 10 seconds until a deregistration is known everywhere.
"""

from weather_operator.model import WeatherApp

ALB = "alb"
GATES_LABEL, GATES_PROMISED = "elbv2.k8s.aws/pod-readiness-gate-inject", "enabled"
"""By this label of its namespace a pod gets a readiness gate: it waits to be found healthy."""

GATE_PREFIX = "target-health.elbv2.k8s.aws/"
DRAIN_SECONDS = 30
"""How long a pod goes on serving once it is to end, and a target group lets its requests end."""

_FIRST_CHECK_SECONDS = 20
_PROXY_SECONDS = 5
_NLB_TARGET_TYPE = "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type"


def sends_to_pods(app: WeatherApp) -> bool:
    """Tell whether a load balancer has the pods as its targets, and not a Service's address."""
    if divides_by_rule(app):
        return True
    is_ip = app.service.annotations.get(_NLB_TARGET_TYPE) == "ip"
    return app.service.type == "LoadBalancer" and is_ip


def divides_by_rule(app: WeatherApp) -> bool:
    """Tell whether a rule of the load balancer can divide the visitors by weight."""
    return app.ingress is not None and app.ingress.class_name == ALB


def min_ready_seconds(app: WeatherApp) -> int:
    """Return how long a pod must be ready before another may go for it.

    At least until its first health check has passed, as far as the deadline leaves room for it.
    """
    asked, deadline = app.rollout.min_ready_seconds, app.rollout.progress_deadline_seconds
    return max(asked, min(_FIRST_CHECK_SECONDS, deadline - 1)) if sends_to_pods(app) else asked


def router_seconds(app: WeatherApp) -> int:
    """Return how long visitors may still come to pods that a route no longer leads to.

    A proxy hears of it in a moment, a load balancer takes as long as it does to let a pod go.
    """
    return DRAIN_SECONDS if sends_to_pods(app) else _PROXY_SECONDS


def grace_seconds(app: WeatherApp) -> int:
    """Return how long a pod has to end: to drain, and then to finish what it is at."""
    return DRAIN_SECONDS + 30 if sends_to_pods(app) else 30
