"""The commands that help, by the reason that a status or a pod gives."""

from collections.abc import Iterator, Sequence

from weather_operator.model import Blocker
from weather_operator.rollout.trial import AWAITING_APPROVAL, TRYING

from kubectl_weather.lease import LeaseState
from kubectl_weather.model import SETTLED_REASONS, TERMINATING, Site
from kubectl_weather.trial import Trial

_OPERATOR_PODS = "--all-namespaces --selector=app.kubernetes.io/name=weather-operator"
_BY_STATE = {
    "Paused": ("kubectl weather resume {app}",),
    "Suspended": (
        """kubectl patch weatherapp {app} --type=merge --patch='{{"spec":{{"suspend":false}}}}'""",
    ),
    "RollingOut": ("kubectl weather tree {app} --watch",),
    "Waiting": ("kubectl get weatherapps --all-namespaces",),
    "RollingBack": ("kubectl weather tree {app} --watch",),
    "Scaling": ("kubectl weather tree {app} --watch",),
    "Serving": ("kubectl weather open {app}",),
    TERMINATING: ("kubectl get weatherapp {app} --output=yaml",),
    "ScaledToZero": ("kubectl scale weatherapp {app} --replicas=2",),
}
_FAILED = ("RolledBack", "ProgressDeadlineExceeded")
_BY_CAUSE = {
    "CrashLoopBackOff": "kubectl logs {name} --previous",
    "BackOff": "kubectl logs {name} --previous",
    "Unhealthy": "kubectl logs {name}",
    "UnknownVersion": "kubectl get weatherreleases",
    "AmbiguousColour": "kubectl get weatherreleases",
    "AmbiguousVersion": "kubectl get weatherreleases",
    "NameConflict": "kubectl get {kind} {name} --output=yaml",
    "Blocked": "kubectl edit weatherapp {app}",
    "Forbidden": f"kubectl get clusterroles,roles {_OPERATOR_PODS}",
    "QuotaExceeded": "kubectl describe resourcequota",
    "GatewayAPINotInstalled": "kubectl get crd httproutes.gateway.networking.k8s.io",
    "AddressPending": "kubectl describe service {app}",
    "FieldOverridden": "kubectl get {kind} {name} --output=yaml --show-managed-fields",
    "AutoscalerConflict": "kubectl describe {kind} {name}",
    "DisruptionBudgetConflict": "kubectl describe {kind} {name}",
    "WaitingForDeletion": "kubectl get {kind} {name} --output=yaml",
    "WebhookUnavailable": "kubectl get mutatingwebhookconfigurations",
}


def next_steps(
    site: Site, blockers: Sequence[Blocker], lease: LeaseState, waits: bool
) -> list[str]:
    """Return the commands to type next, the most useful first and none twice."""
    commands = list(dict.fromkeys(_candidates(site, blockers, lease, waits)))
    return commands or [f"kubectl get pods {_OPERATOR_PODS}"]


def _candidates(
    site: Site, blockers: Sequence[Blocker], lease: LeaseState, waits: bool
) -> Iterator[str]:
    if lease.is_held is False:
        yield f"kubectl get pods {_OPERATOR_PODS}"
    if site.trial and site.trial.phase in TRYING:
        yield from _decisions(site.name, site.trial)
    for each in blockers:
        kind, _, name = each.object.partition("/")
        template = _BY_CAUSE.get(each.reason) or _describe(each)
        yield template.format(app=site.name, kind=kind.lower(), name=name)
    if site.reason in _BY_CAUSE and not blockers:
        yield _BY_CAUSE[site.reason].format(app=site.name, kind="", name="")
    if waits == (site.reason not in SETTLED_REASONS):
        for template in _BY_STATE.get(site.reason, ()):
            yield template.format(app=site.name)
    if waits and site.reason in _FAILED:
        yield from _after_failure(site)
    if waits and not site.reason:
        yield f"kubectl describe weatherapp {site.name}"


def _decisions(name: str, trial: Trial) -> Iterator[str]:
    """Give what a person may decide about a trial, bound to what is seen of it now."""
    if trial.phase == AWAITING_APPROVAL:
        bound = f"--revision={trial.revision} --step={trial.step}"
        yield f"kubectl weather approve {name} {bound}"
        yield f"kubectl weather abort {name} --revision={trial.revision}"
    else:
        yield f"kubectl weather tree {name} --watch"


def _after_failure(site: Site) -> Iterator[str]:
    """Give the way back to what serves; where the version is the same, a setting failed."""
    is_other_version = site.version and site.version != site.desired_version
    yield f"kubectl {'weather rollback' if is_other_version else 'edit weatherapp'} {site.name}"
    yield f"kubectl weather retry {site.name}"


def _describe(each: Blocker) -> str:
    return "kubectl describe {kind} {name}" if each.object else "kubectl describe weatherapp {app}"
