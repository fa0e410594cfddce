"""The API of weather.quantspark.io as values: its kinds, and what one object says.

`parsing` reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from weather_operator.kube.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    GATEWAY,
    HTTP_ROUTE,
    INGRESS,
    NODE,
    SERVICE,
    Key,
    Kind,
    Manifest,
)
from weather_operator.model.strategies import Analysis, Strategy

GROUP = "weather.quantspark.io"

WEATHER_APP = Kind(api_version=f"{GROUP}/v1", name="WeatherApp", plural="weatherapps")
WEATHER_RELEASE = Kind(
    api_version=f"{GROUP}/v1", name="WeatherRelease", plural="weatherreleases", namespaced=False
)
CHILDREN = (DEPLOYMENT, SERVICE, DISRUPTION_BUDGET, AUTOSCALER, INGRESS, HTTP_ROUTE)
"""The kinds that a WeatherApp is made of, in the order in which they are written."""

GATEWAY_API = (GATEWAY, HTTP_ROUTE)
"""The kinds that a cluster may lack, and may get at any time."""

WATCHED = (WEATHER_RELEASE, NODE, GATEWAY, *CHILDREN, WEATHER_APP)
"""The kinds that the operator follows; what an app needs to be judged comes before the apps."""

FIELD_MANAGER = "weather-operator"
"""Applies everything but the number of pods."""

REPLICAS_MANAGER = "weather-operator-replicas"
"""Applies `spec.replicas` of Deployments alone, so that an autoscaler can take it over."""


APPROVE_ANNOTATION = f"{GROUP}/approve"
"""On a WeatherApp, `<revision>/<step>`: a person lets this revision go on from this step."""

ABORT_ANNOTATION = f"{GROUP}/abort"
"""On a WeatherApp, `<revision>`: a person takes this revision back, which then has failed."""

PROMOTE_ANNOTATION = f"{GROUP}/promote"
"""On a WeatherApp, `<revision>`: a person lets this revision go on without further steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version in the catalogue.

    `digest` is what the image's tag meant when the registry was first asked about this object,
    known by `uid_generation`; `is_resolved` whether its status has the registry's answer. `missing`
    is that answer where the registry does not have the image. `name` is the object's.
    """

    version: str
    colour: str
    image: str
    digest: str | None = field(default=None, compare=False)
    uid_generation: str = field(default="", compare=False)
    is_resolved: bool = field(default=False, compare=False)
    missing: str = field(default="", compare=False)
    name: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.version} ({self.colour})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """How the pods are reached."""

    type: str
    port: int
    node_port: int | None
    annotations: Mapping[str, str]
    external_traffic_policy: str | None
    load_balancer_class: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaling:
    """Within which numbers of pods the load decides, and how."""

    min_replicas: int
    max_replicas: int
    target_cpu_percent: int
    scale_down_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressSpec:
    """How an Ingress leads to the Service. Without a host it answers to every one."""

    class_name: str
    host: str | None
    path: str
    annotations: Mapping[str, str]
    secret: str | None
    certificate: str | None
    ssl_redirect: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySpec:
    """How a route of the Gateway API leads to the Service. `parents` are as the API has them."""

    parents: tuple[Manifest, ...]
    hostnames: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """A key of a Secret."""

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """Where the weather comes from and how it is shown."""

    provider: str
    units: str
    language: str
    api_key: SecretKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When rollouts may begin: on these days (Mon to Sun, none is all), from `start` to `end`."""

    days: tuple[str, ...]
    start: str
    end: str
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSpec:
    """How pods of one revision give way to those of another. A surge may be a percentage.

    Without an `analysis` only whether pods are available counts.
    """

    progress_deadline_seconds: int
    min_ready_seconds: int
    max_surge: int | str
    max_unavailable: int | str
    auto_rollback: bool
    paused: bool
    attempt: int
    history_limit: int
    windows: tuple[Window, ...]
    strategy: Strategy
    analysis: Analysis | None

    @property
    def surges(self) -> bool:
        """Whether a new pod may come before an old one goes."""
        return str(self.max_surge).strip("0%") != ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherApp:
    """A WeatherApp: what is wanted, and the status that was last written.

    `resources` and `pod` are as the API has them: their parts go into the pods unread.
    `scaled_to` is what `kubectl scale` last asked for, None where replicas were set otherwise.
    `approved`, `aborted` and `promoted` are the people's annotations, empty where there is none.
    """

    key: Key
    uid: str
    generation: int
    resource_version: str
    deleting: bool
    city: str
    colour: str | None
    version: str | None
    replicas: int
    scaled_to: int | None
    autoscaling: Autoscaling | None
    suspend: bool
    service: ServiceSpec
    ingress: IngressSpec | None
    gateway: GatewaySpec | None
    weather: Weather
    rollout: RolloutSpec
    resources: Manifest
    pod: Manifest
    labels: Manifest
    status: Manifest
    approved: str = ""
    aborted: str = ""
    promoted: str = ""

    @property
    def reference(self) -> Manifest:
        """The app as an object reference, for what is said about it."""
        return {
            "apiVersion": WEATHER_APP.api_version,
            "kind": WEATHER_APP.name,
            "name": self.key.name,
            "namespace": self.key.namespace,
            "uid": self.uid,
        }

    @property
    def owner_reference(self) -> Manifest:
        """The app as the owner and controller of its children."""
        return {
            "apiVersion": WEATHER_APP.api_version,
            "kind": WEATHER_APP.name,
            "name": self.key.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    @property
    def first_replicas(self) -> int:
        """How many pods there are to be before the load decides, if it does."""
        return self.autoscaling.min_replicas if self.autoscaling else self.replicas

    @property
    def gateways(self) -> tuple[Key, ...]:
        """The names of the Gateways that the app's route asks for."""
        here = self.key.namespace
        return tuple(
            Key(namespace=each.get("namespace", here), name=each["name"])
            for each in (self.gateway.parents if self.gateway else ())
        )

    @property
    def path(self) -> str:
        """The path under which the app serves, the same on every way to it."""
        routes = (self.ingress, self.gateway)
        return next((route.path for route in routes if route), "/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """One thing in the way: the cause in a word, in a sentence, and the object it is about.

    `since` is when it was first seen, in RFC 3339. It `condemns` the revision that is rolled out
    where that one's own containers show it; what the cluster lacks does not. What is `transient`
    needs no person. It may be `is_of_another` container than the app's own, which somebody added.
    """

    reason: str
    message: str
    object: str = ""
    since: str = ""
    condemns: bool = False
    transient: bool = False
    is_of_another: bool = False
