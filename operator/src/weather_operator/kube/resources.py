"""The kinds of objects, the keys of single ones, and which object controls another."""

from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object and where the API serves it."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True


DEFINITION = Kind(
    api_version="apiextensions.k8s.io/v1",
    name="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
)
NODE = Kind(api_version="v1", name="Node", plural="nodes", namespaced=False)
NAMESPACE = Kind(api_version="v1", name="Namespace", plural="namespaces", namespaced=False)
POD = Kind(api_version="v1", name="Pod", plural="pods")
EVENT = Kind(api_version="v1", name="Event", plural="events")
LEASE = Kind(api_version="coordination.k8s.io/v1", name="Lease", plural="leases")
REPLICA_SET = Kind(api_version="apps/v1", name="ReplicaSet", plural="replicasets")
DEPLOYMENT = Kind(api_version="apps/v1", name="Deployment", plural="deployments")
SERVICE = Kind(api_version="v1", name="Service", plural="services")
DISRUPTION_BUDGET = Kind(
    api_version="policy/v1", name="PodDisruptionBudget", plural="poddisruptionbudgets"
)
AUTOSCALER = Kind(
    api_version="autoscaling/v2", name="HorizontalPodAutoscaler", plural="horizontalpodautoscalers"
)
INGRESS = Kind(api_version="networking.k8s.io/v1", name="Ingress", plural="ingresses")
GATEWAY = Kind(api_version="gateway.networking.k8s.io/v1", name="Gateway", plural="gateways")
HTTP_ROUTE = Kind(api_version="gateway.networking.k8s.io/v1", name="HTTPRoute", plural="httproutes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The name of an object within its kind; the namespace is empty for a cluster-scoped one."""

    namespace: str = ""
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(body: Manifest) -> Key:
    """Return the key of any object."""
    metadata = body["metadata"]
    return Key(namespace=metadata.get("namespace", ""), name=metadata["name"])


def controller_of(body: Manifest) -> Manifest | None:
    """Return the owner reference of the object's controller, if it has one."""
    owners = body["metadata"].get("ownerReferences", ())
    return next((owner for owner in owners if owner.get("controller")), None)


def scaled_deployment(autoscaler: Manifest) -> Key | None:
    """Return which Deployment an autoscaler scales, None where it scales something else."""
    target = autoscaler["spec"]["scaleTargetRef"]
    if target["kind"] != DEPLOYMENT.name:
        return None
    return Key(namespace=autoscaler["metadata"]["namespace"], name=target["name"])
