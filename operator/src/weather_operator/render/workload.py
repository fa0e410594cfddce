"""The Deployment, who sets the number of its pods, and how many of them may go at a time."""

from weather_operator.kube.resources import AUTOSCALER, DEPLOYMENT, DISRUPTION_BUDGET, Manifest
from weather_operator.model import Autoscaling, Release, WeatherApp
from weather_operator.render.labels import (
    Track,
    child_name,
    object_meta,
    selector,
    version_labels,
)
from weather_operator.render.load_balancers import min_ready_seconds, progress_deadline_seconds
from weather_operator.render.pods import pod_template

_OUT_OF_REACH = 2**31 - 1


def deployment(app: WeatherApp, release: Release, track: Track = Track.STABLE) -> Manifest:
    """Return the Deployment, without its replicas: those have a manager of their own.

    What people like to change by hand is declared although it is the default, to be put back.
    """
    return {
        **object_meta(app, DEPLOYMENT, track=track, labels=version_labels(release)),
        "spec": {
            "selector": {"matchLabels": selector(app, track)},
            "paused": False,
            "minReadySeconds": min_ready_seconds(app),
            "progressDeadlineSeconds": progress_deadline_seconds(app),
            "revisionHistoryLimit": app.rollout.history_limit,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {
                    "maxSurge": app.rollout.max_surge,
                    "maxUnavailable": _max_unavailable(app),
                },
            },
            "template": pod_template(app, release, track),
        },
    }


def _max_unavailable(app: WeatherApp) -> int | str:
    """Return how many pods may be missing: as asked for, but not the last one.

    That goes only where no other may come before it. While the load decides, the smallest number
    counts: it may be that many pods at any time.
    """
    limit = app.rollout.max_unavailable
    if isinstance(limit, str):
        # It is rounded down: of all pods but a hundredth, one stays.
        return "99%" if limit == "100%" else limit
    least = max(app.first_replicas - 1, 0 if app.rollout.surges else 1)
    return min(limit, least)


def replicas(app: WeatherApp, track: Track = Track.STABLE, number: int | None = None) -> Manifest:
    """Return the manifest with which the replicas' manager sets their number alone."""
    return {
        "apiVersion": DEPLOYMENT.api_version,
        "kind": DEPLOYMENT.name,
        "metadata": {"name": child_name(app, track), "namespace": app.key.namespace},
        "spec": {"replicas": app.first_replicas if number is None else number},
    }


def disruption_budget(
    app: WeatherApp, track: Track = Track.STABLE, *, is_settled: bool = True
) -> Manifest:
    """Return the PodDisruptionBudget: one pod at a time, and none that is ill anyway is spared.

    It takes a pod for healthy that is ready, which a load balancer may not know yet: while the pods
    are not settled no ready one goes. How many may be missing is counted from what the Deployment
    asks for, so that of the pods which a rollout adds as many could go at once: there it is the
    number of those that stay which is out of reach.
    """
    return {
        **object_meta(app, DISRUPTION_BUDGET, track=track),
        "spec": {
            **({"maxUnavailable": 1} if is_settled else {"minAvailable": _OUT_OF_REACH}),
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector(app, track)},
        },
    }


def autoscaler(
    app: WeatherApp, spec: Autoscaling, track: Track = Track.STABLE, least: int = 0
) -> Manifest:
    """Return the HorizontalPodAutoscaler, which from then on is who sets the number of pods.

    There are `least` at any time, whatever the spec says.
    """
    return {
        **object_meta(app, AUTOSCALER, track=track),
        "spec": {
            "scaleTargetRef": {
                "apiVersion": DEPLOYMENT.api_version,
                "kind": DEPLOYMENT.name,
                "name": child_name(app, track),
            },
            "minReplicas": max(spec.min_replicas, least) if track is Track.STABLE else least,
            "maxReplicas": max(spec.max_replicas, least),
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {
                            "type": "Utilization",
                            "averageUtilization": spec.target_cpu_percent,
                        },
                    },
                }
            ],
            "behavior": {
                "scaleDown": {"stabilizationWindowSeconds": spec.scale_down_seconds},
            },
        },
    }
