"""Which command helps, by the reason that a status or a pod gives."""

from collections.abc import Iterator, Sequence

from weather_operator.status.blockers import Blocker

from kubectl_weather.leadership import Leadership
from kubectl_weather.sites import Site

_OPERATORS = "--all-namespaces --selector=app.kubernetes.io/name=weather-operator"
_FOR_A_STATE = {
    "Paused": ("kubectl weather resume {app}",),
    "Suspended": (
        """kubectl patch weatherapp {app} --type=merge --patch='{{"spec":{{"suspend":false}}}}'""",
    ),
    "RollingOut": ("kubectl weather tree {app} --watch",),
    "RollingBack": ("kubectl weather tree {app} --watch",),
    "Scaling": ("kubectl weather tree {app} --watch",),
    "Serving": ("kubectl weather open {app}",),
    "ScaledToZero": ("kubectl scale weatherapp {app} --replicas=2",),
}
_FAILED = ("RolledBack", "ProgressDeadlineExceeded")
_SETTLED = ("Serving", "ScaledToZero")
_FOR_A_CAUSE = {
    "CrashLoopBackOff": "kubectl logs {name} --previous",
    "BackOff": "kubectl logs {name} --previous",
    "Unhealthy": "kubectl logs {name}",
    "UnknownVersion": "kubectl get weatherreleases",
    "AmbiguousColour": "kubectl get weatherreleases",
    "AmbiguousVersion": "kubectl get weatherreleases",
    "NameConflict": "kubectl get {kind} {name} --output=yaml",
    "Blocked": "kubectl edit weatherapp {app}",
    "Forbidden": f"kubectl get clusterroles,roles {_OPERATORS}",
    "QuotaExceeded": "kubectl describe resourcequota",
    "GatewayAPINotInstalled": "kubectl get crd httproutes.gateway.networking.k8s.io",
    "AddressPending": "kubectl describe service {app}",
}


def commands(
    site: Site, blockers: Sequence[Blocker], leadership: Leadership, waits: bool
) -> list[str]:
    """Return what a person types next, the most useful first and none twice."""
    found = list(dict.fromkeys(_commands(site, blockers, leadership, waits)))
    return found or [f"kubectl get pods {_OPERATORS}"]


def _commands(
    site: Site, blockers: Sequence[Blocker], leadership: Leadership, waits: bool
) -> Iterator[str]:
    if leadership.works is False:
        yield f"kubectl get pods {_OPERATORS}"
    for each in blockers:
        kind, _, name = each.object.partition("/")
        form = _FOR_A_CAUSE.get(each.reason) or _look_at(each)
        yield form.format(app=site.name, kind=kind.lower(), name=name)
    if site.reason in _FOR_A_CAUSE and not blockers:
        yield _FOR_A_CAUSE[site.reason].format(app=site.name, kind="", name="")
    if waits == (site.reason not in _SETTLED):
        for form in _FOR_A_STATE.get(site.reason, ()):
            yield form.format(app=site.name)
    if waits and site.reason in _FAILED:
        yield from _after_a_failure(site)
    if waits and not site.reason:
        yield f"kubectl describe weatherapp {site.name}"


def _after_a_failure(site: Site) -> Iterator[str]:
    """Give the way back to what serves; of the same version it was a setting that failed."""
    back = site.version and site.version != site.wanted_version
    yield f"kubectl {'weather rollback' if back else 'edit weatherapp'} {site.name}"
    yield f"kubectl weather retry {site.name}"


def _look_at(each: Blocker) -> str:
    return "kubectl describe {kind} {name}" if each.object else "kubectl describe weatherapp {app}"
