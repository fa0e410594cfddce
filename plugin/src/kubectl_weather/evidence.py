"""Reading all that an explanation is made from."""

from collections.abc import Iterator

from weather_operator.kube.resources import EVENT, POD, Key
from weather_operator.model import WEATHER_APP
from weather_operator.status import blockers
from weather_operator.status.blockers import Blocker

from kubectl_weather import fleet, leadership
from kubectl_weather.api import Api
from kubectl_weather.explain import Evidence
from kubectl_weather.fleet import Fleet


def read(api: Api, name: str | None = None) -> Iterator[Evidence]:
    """Give the evidence on one app, or on each of them."""
    known = fleet.read(api, name)
    leads = leadership.read(api)
    for site in known.sites():
        key = Key(namespace=site.namespace, name=site.name)
        seen = Evidence(
            app=known.bodies(WEATHER_APP, key)[0],
            site=site,
            found=(),
            leadership=leads,
            now=api.now,
        )
        yield seen if seen.is_told else seen.with_causes(_causes(api, known, key))


def _causes(api: Api, known: Fleet, key: Key) -> tuple[Blocker, ...]:
    """Return why pods are not ready: in their own words, else in those of an event."""
    pods = known.bodies(POD, key)
    if told := blockers.of_pods(pods):
        return told
    pod = blockers.silent(pods)
    if pod is None:
        return ()
    metadata = pod["metadata"]
    fields = f"involvedObject.uid={metadata['uid']},type=Warning"
    return blockers.of_events(pod, api.list(EVENT, namespace=key.namespace, fields=fields))
