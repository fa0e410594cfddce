"""An EKS control plane without Kubernetes: remembers, and refuses what EKS refuses.

moto's own lacks most of the API. The rules below are those that a mistake in our Terraform would
break: the order of things, versions, zones, roles and their policies. What EKS takes its time for
takes MOMENT here: until then it is not ready, and nothing else may change it.
"""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from terraform.aws.neighbours import ACCOUNT, Neighbours
from terraform.aws.refusals import RefusedError, invalid, missing, taken

Json = dict[str, Any]

MOMENT = 0.3
VERSIONS = ("1.32", "1.33", "1.34", "1.35", "1.36")
MODES = ("CONFIG_MAP", "API_AND_CONFIG_MAP", "API")
CLUSTER_POLICIES = ("AmazonEKSClusterPolicy",)
UPDATES = {
    "resourcesVpcConfig": "EndpointAccessUpdate",
    "logging": "LoggingUpdate",
    "upgradePolicy": "UpgradePolicyUpdate",
    "accessConfig": "AccessConfigUpdate",
    "version": "VersionUpdate",
}


def minor(version: str) -> int:
    """Compare versions by this."""
    return int(version.partition(".")[2])


def begin(thing: Json, status: str) -> Json:
    """Let a thing be in a state that it leaves after a moment."""
    thing.update(status=status, _until=time.monotonic() + MOMENT)
    return thing


def settle(thing: Json) -> bool:
    """Whether a thing is still there, now that time has passed."""
    if time.monotonic() >= thing.get("_until", 0) and thing.pop("_until", None) is not None:
        if thing["status"] == "DELETING":
            return False
        thing["status"] = "ACTIVE"
    return True


def described(thing: Json) -> Json:
    """What an answer says of a thing."""
    return {key: value for key, value in thing.items() if not key.startswith("_")}


@dataclass
class Cluster:
    """A cluster and what belongs to it, by kind and name."""

    description: Json
    neighbours: Neighbours
    members: dict[str, dict[str, Json]] = field(default_factory=dict)
    updates: dict[str, Json] = field(default_factory=dict)

    def all(self, kind: str) -> dict[str, Json]:
        """Name what there is of a kind."""
        members = self.members.setdefault(kind, {})
        for name in [name for name, member in members.items() if not settle(member)]:
            del members[name]
        return members

    def arn(self, kind: str, *parts: str) -> str:
        """Name of something of this cluster."""
        path = "/".join((kind, self.description["name"], *parts))
        return f"arn:aws:eks:{self.neighbours.region}:{ACCOUNT}:{path}"

    def updated(self, kind: str, thing: Json | None) -> Json:
        """Note a change, which a thing (if any) is busy with for a moment."""
        identity = str(uuid.uuid4())
        self.updates[identity] = {
            "id": identity,
            "status": "InProgress",
            "type": kind,
            "createdAt": time.time(),
            "errors": [],
            "params": [],
            "_until": time.monotonic() + MOMENT,
        }
        if thing is not None:
            begin(thing, "UPDATING")
        return {"update": described(self.updates[identity])}

    def update(self, identity: str) -> Json:
        """How far a change is."""
        update = self.updates.get(identity) or missing("update")
        if time.monotonic() >= update["_until"]:
            update["status"] = "Successful"
        return {"update": described(update)}


class Eks:
    """The clusters of an account's region."""

    def __init__(self, region: str) -> None:
        self.neighbours = Neighbours(region)
        self.clusters: dict[str, Cluster] = {}
        self.tags: dict[str, dict[str, str]] = {}

    def cluster(self, name: str) -> Cluster:
        """Find a cluster or say that there is none."""
        found = self.clusters.get(name)
        if found and not settle(found.description):
            del self.clusters[name]
            found = None
        return found or missing(f"cluster found for name: {name}")

    def ready(self, name: str) -> Cluster:
        """Find a cluster that may be changed."""
        cluster = self.cluster(name)
        require_ready(cluster.description, f"Cluster {name}")
        return cluster

    def create(self, asked: Json) -> Json:
        """Make a cluster whose role, key, log group and zones are as EKS wants them."""
        name, version = asked["name"], asked.get("version", VERSIONS[-1])
        if name in self.clusters:
            taken(f"Cluster already exists with name: {name}")
        if version not in VERSIONS:
            invalid(f"unsupported Kubernetes version {version}")
        self.neighbours.require_role(asked["roleArn"], "eks.amazonaws.com", *CLUSTER_POLICIES)
        for encryption in asked.get("encryptionConfig", []):
            self.neighbours.require_key(encryption["provider"]["keyArn"])
        if any(each["enabled"] for each in asked.get("logging", {}).get("clusterLogging", [])):
            self.neighbours.require_log_group(f"/aws/eks/{name}/cluster")
        cluster = Cluster(self._described(asked, version), self.neighbours)
        self.clusters[name] = cluster
        self.tags[cluster.description["arn"]] = cluster.description["tags"]
        return {"cluster": described(cluster.description)}

    def delete(self, name: str) -> Json:
        """Take away a cluster that nothing runs on, and whose role still may do its work."""
        cluster = self.ready(name)
        if cluster.all("node-groups") or cluster.all("fargate-profiles"):
            taken("Cluster has nodegroups or Fargate profiles attached")
        role = cluster.description["roleArn"]
        self.neighbours.require_role(role, "eks.amazonaws.com", *CLUSTER_POLICIES)
        group = cluster.description["resourcesVpcConfig"]["clusterSecurityGroupId"]
        self.neighbours.delete_cluster_group(group)
        return {"cluster": described(begin(cluster.description, "DELETING"))}

    def update(self, name: str, asked: Json) -> Json:
        """Change one aspect of a cluster, as EKS does: one minor up, no way back from API."""
        cluster = self.ready(name)
        known = [key for key in UPDATES if asked.get(key) is not None]
        if len(known) != 1:
            invalid(f"One type of update at a time, not {', '.join(known) or 'none'}")
        key, now = known[0], cluster.description
        wanted = asked[key]
        if key == "version":
            _require_next(now["version"], wanted)
        if key == "accessConfig":
            _require_forward(now[key]["authenticationMode"], wanted["authenticationMode"])
        if key == "resourcesVpcConfig":
            _require_reachable({**now[key], **wanted})
            self.neighbours.require_same_zones(
                cluster.description["_subnets"], wanted.get("subnetIds", now[key]["subnetIds"])
            )
        now[key] = {**now[key], **wanted} if isinstance(now[key], dict) else wanted
        return cluster.updated(UPDATES[key], now)

    def versions(self) -> Json:
        """List the versions that clusters may have."""
        return {
            "clusterVersions": [
                {
                    "clusterVersion": version,
                    "clusterType": "eks",
                    "versionStatus": "STANDARD_SUPPORT",
                    "defaultVersion": version == VERSIONS[-1],
                }
                for version in VERSIONS
            ]
        }

    def _described(self, asked: Json, version: str) -> Json:
        name, region = asked["name"], self.neighbours.region
        network = {
            "endpointPublicAccess": True,
            "endpointPrivateAccess": False,
            "publicAccessCidrs": ["0.0.0.0/0"],
            "securityGroupIds": [],
            **asked["resourcesVpcConfig"],
        }
        _require_reachable(network)
        vpc = self.neighbours.require_zones(network["subnetIds"])
        host = uuid.uuid4().hex.upper()
        described = {
            "name": name,
            "arn": f"arn:aws:eks:{region}:{ACCOUNT}:cluster/{name}",
            "createdAt": time.time(),
            "version": version,
            "roleArn": asked["roleArn"],
            "endpoint": f"https://{host}.gr7.{region}.eks.amazonaws.com",
            "platformVersion": "eks.1",
            "certificateAuthority": {"data": "LS0tLS1CRUdJTg=="},
            "resourcesVpcConfig": {
                **network,
                "vpcId": vpc,
                "clusterSecurityGroupId": self.neighbours.create_cluster_group(name, vpc),
            },
            "kubernetesNetworkConfig": {
                "serviceIpv4Cidr": "172.20.0.0/16",
                "ipFamily": "ipv4",
                "elasticLoadBalancing": {"enabled": False},
                **asked.get("kubernetesNetworkConfig", {}),
            },
            "identity": {"oidc": {"issuer": f"https://oidc.eks.{region}.amazonaws.com/id/{host}"}},
            "logging": asked.get("logging", {"clusterLogging": []}),
            "encryptionConfig": asked.get("encryptionConfig", []),
            "accessConfig": {
                "authenticationMode": "CONFIG_MAP",
                "bootstrapClusterCreatorAdminPermissions": True,
                **asked.get("accessConfig", {}),
            },
            "upgradePolicy": asked.get("upgradePolicy", {"supportType": "EXTENDED"}),
            "tags": asked.get("tags", {}),
            "health": {"issues": []},
            # Later subnets must lie in the zones of these.
            "_subnets": network["subnetIds"],
        }
        return begin(described, "CREATING")


def require_ready(thing: Json, name: str) -> None:
    """Refuse to change what is being made, changed or taken away."""
    if thing["status"] != "ACTIVE":
        taken(f"{name} is {thing['status']}: another update is in progress")


def _require_reachable(network: Json) -> None:
    if not network["endpointPublicAccess"] and not network["endpointPrivateAccess"]:
        invalid("Private and public endpoint access cannot be false")


def _require_next(now: str, wanted: str) -> None:
    if wanted not in VERSIONS or minor(wanted) != minor(now) + 1:
        invalid(f"Unsupported Kubernetes minor version update from {now} to {wanted}")


def _require_forward(now: str, wanted: str) -> None:
    if MODES.index(wanted) < MODES.index(now):
        message = f"Unsupported authentication mode update from {now} to {wanted}"
        raise RefusedError(400, "InvalidRequestException", message)
