"""An EKS control plane without Kubernetes: remembers, and refuses what EKS refuses.

moto's own lacks most of the API. The rules below are those that a mistake in our Terraform would
break: the order of things, versions, roles and their policies.
"""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from terraform.aws import neighbours
from terraform.aws.neighbours import ACCOUNT, REGION
from terraform.aws.refusals import RefusedError, invalid, missing, taken

Json = dict[str, Any]

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


def arn(kind: str, *parts: str) -> str:
    """Name of something of EKS."""
    return f"arn:aws:eks:{REGION}:{ACCOUNT}:{kind}/{'/'.join(parts)}"


def minor(version: str) -> int:
    """Compare versions by this."""
    return int(version.partition(".")[2])


@dataclass
class Cluster:
    """A cluster and what belongs to it, by kind and name."""

    description: Json
    members: dict[str, dict[str, Json]] = field(default_factory=dict)
    updates: dict[str, Json] = field(default_factory=dict)

    def all(self, kind: str) -> dict[str, Json]:
        """Name what there is of a kind."""
        return self.members.setdefault(kind, {})

    def updated(self, kind: str) -> Json:
        """Note a change that is over as soon as it began."""
        identity = str(uuid.uuid4())
        update = {
            "id": identity,
            "status": "Successful",
            "type": kind,
            "createdAt": time.time(),
            "errors": [],
            "params": [],
        }
        self.updates[identity] = update
        return {"update": update}


class Eks:
    """The account's clusters."""

    def __init__(self) -> None:
        self.clusters: dict[str, Cluster] = {}
        self.tags: dict[str, dict[str, str]] = {}

    def cluster(self, name: str) -> Cluster:
        """Find a cluster or say that there is none."""
        return self.clusters.get(name) or missing(f"cluster found for name: {name}")

    def create(self, asked: Json) -> Json:
        """Make a cluster whose role, key, log group and zones are as EKS wants them."""
        name, version = asked["name"], asked.get("version", VERSIONS[-1])
        if name in self.clusters:
            taken(f"Cluster already exists with name: {name}")
        if version not in VERSIONS:
            invalid(f"unsupported Kubernetes version {version}")
        neighbours.require_role(asked["roleArn"], "eks.amazonaws.com", *CLUSTER_POLICIES)
        for encryption in asked.get("encryptionConfig", []):
            neighbours.require_key(encryption["provider"]["keyArn"])
        if any(each["enabled"] for each in asked.get("logging", {}).get("clusterLogging", [])):
            neighbours.require_log_group(f"/aws/eks/{name}/cluster")
        cluster = Cluster(_described(asked, version))
        self.clusters[name] = cluster
        self.tags[cluster.description["arn"]] = cluster.description["tags"]
        return {"cluster": cluster.description}

    def delete(self, name: str) -> Json:
        """Take away a cluster that nothing runs on, and whose role still may do its work."""
        cluster = self.cluster(name)
        if cluster.all("node-groups") or cluster.all("fargate-profiles"):
            taken("Cluster has nodegroups or Fargate profiles attached")
        role = cluster.description["roleArn"]
        neighbours.require_role(role, "eks.amazonaws.com", *CLUSTER_POLICIES)
        group = cluster.description["resourcesVpcConfig"]["clusterSecurityGroupId"]
        neighbours.delete_cluster_group(group)
        del self.clusters[name]
        return {"cluster": {**cluster.description, "status": "DELETING"}}

    def update(self, name: str, asked: Json) -> Json:
        """Change one aspect of a cluster, as EKS does: one minor up, no way back from API."""
        cluster = self.cluster(name)
        known = [key for key in UPDATES if asked.get(key) is not None]
        if len(known) != 1:
            invalid(f"One type of update at a time, not {', '.join(known) or 'none'}")
        key, now = known[0], cluster.description
        if key == "version":
            _require_next(now["version"], asked[key])
        if key == "accessConfig":
            _require_forward(now[key]["authenticationMode"], asked[key]["authenticationMode"])
        now[key] = {**now[key], **asked[key]} if isinstance(now[key], dict) else asked[key]
        return cluster.updated(UPDATES[key])

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


def _described(asked: Json, version: str) -> Json:
    name, network = asked["name"], dict(asked["resourcesVpcConfig"])
    vpc = neighbours.require_zones(network["subnetIds"])
    host = uuid.uuid4().hex.upper()
    return {
        "name": name,
        "arn": arn("cluster", name),
        "createdAt": time.time(),
        "version": version,
        "roleArn": asked["roleArn"],
        "endpoint": f"https://{host}.gr7.{REGION}.eks.amazonaws.com",
        "status": "ACTIVE",
        "platformVersion": "eks.1",
        "certificateAuthority": {"data": "LS0tLS1CRUdJTg=="},
        "resourcesVpcConfig": {
            "endpointPublicAccess": True,
            "endpointPrivateAccess": False,
            "publicAccessCidrs": ["0.0.0.0/0"],
            "securityGroupIds": [],
            **network,
            "vpcId": vpc,
            "clusterSecurityGroupId": neighbours.create_cluster_group(name, vpc),
        },
        "kubernetesNetworkConfig": {
            "serviceIpv4Cidr": "172.20.0.0/16",
            "ipFamily": "ipv4",
            "elasticLoadBalancing": {"enabled": False},
            **asked.get("kubernetesNetworkConfig", {}),
        },
        "identity": {"oidc": {"issuer": f"https://oidc.eks.{REGION}.amazonaws.com/id/{host}"}},
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
    }


def _require_next(now: str, wanted: str) -> None:
    if wanted not in VERSIONS or minor(wanted) != minor(now) + 1:
        invalid(f"Unsupported Kubernetes minor version update from {now} to {wanted}")


def _require_forward(now: str, wanted: str) -> None:
    if MODES.index(wanted) < MODES.index(now):
        message = f"Unsupported authentication mode update from {now} to {wanted}"
        raise RefusedError(400, "InvalidRequestException", message)
