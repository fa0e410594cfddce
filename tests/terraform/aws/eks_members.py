"""What belongs to a cluster: node groups, Fargate profiles, add-ons, access, pods' roles."""

import time
import uuid

from terraform.aws import neighbours
from terraform.aws.eks import Cluster, Json, arn, minor
from terraform.aws.refusals import RefusedError, invalid, missing, taken

NODE_POLICIES = (
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonEC2ContainerRegistryReadOnly",
)
# Add-ons whose pods need somewhere to run, unlike those that run on each node.
WORKLOADS = ("coredns", "metrics-server")
ADDONS = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent", *WORKLOADS)
OLDEST_WITHOUT_AL2 = 33


def find(cluster: Cluster, kind: str, name: str) -> Json:
    """Find a member or say that there is none."""
    return cluster.all(kind).get(name) or missing(f"{kind} found for name: {name}")


def delete(cluster: Cluster, kind: str, name: str) -> Json:
    """Take a member away; a node group's role must still be able to clean up."""
    member = find(cluster, kind, name)
    if kind == "node-groups":
        neighbours.require_role(member["nodeRole"], "ec2.amazonaws.com", *NODE_POLICIES)
    if kind == "addons" and name == "vpc-cni" and cluster.all("node-groups"):
        invalid("Nodes would lose their network before they are gone")
    del cluster.all(kind)[name]
    return {**member, "status": "DELETING"}


def create(cluster: Cluster, kind: str, asked: Json) -> Json:
    """Make a member that EKS would take."""
    now = {"createdAt": time.time(), "modifiedAt": time.time()}
    shared = {"clusterName": cluster.description["name"], "tags": {}, **now}
    name, member = {
        "node-groups": _node_group,
        "fargate-profiles": _fargate_profile,
        "addons": _addon,
        "access-entries": _access_entry,
        "pod-identity-associations": _association,
    }[kind](cluster, asked)
    if name in cluster.all(kind):
        taken(f"{kind} already has {name}")
    return cluster.all(kind).setdefault(name, {**shared, **asked, **member})


def update_node_group(cluster: Cluster, name: str, asked: Json) -> None:
    """Change a node group; its version follows the cluster's and does not overtake it."""
    group = find(cluster, "node-groups", name)
    if version := asked.get("version"):
        _require_node_version(cluster, version, group["amiType"])
        if minor(version) < minor(group["version"]):
            invalid(f"A node group does not go back from {group['version']} to {version}")
    for key in ("scalingConfig", "updateConfig", "version", "launchTemplate"):
        if key in asked:
            given = asked[key]
            group[key] = {**group[key], **given} if key == "launchTemplate" else given
    labels = asked.get("labels", {})
    group["labels"].update(labels.get("addOrUpdateLabels", {}))
    for key in labels.get("removeLabels", []):
        group["labels"].pop(key, None)
    taints = asked.get("taints", {})
    gone = [*taints.get("removeTaints", []), *taints.get("addOrUpdateTaints", [])]
    kept = [each for each in group["taints"] if each["key"] not in {old["key"] for old in gone}]
    group["taints"] = [*kept, *taints.get("addOrUpdateTaints", [])]


def addon_version(version: str) -> str:
    """Version of every add-on for a cluster of this version."""
    return f"v{version}.0-eksbuild.1"


def update_plainly(cluster: Cluster, kind: str, name: str, asked: Json) -> Json:
    """Change what has no rules of its own, but for an add-on's version."""
    member = find(cluster, kind, name)
    if kind == "addons" and "addonVersion" in asked:
        _require_addon_version(cluster, asked["addonVersion"])
    member.update({key: value for key, value in asked.items() if key != "clientRequestToken"})
    return member


def _node_group(cluster: Cluster, asked: Json) -> tuple[str, Json]:
    template = asked.get("launchTemplate")
    if not template or asked.get("diskSize") or asked.get("remoteAccess"):
        invalid("Disk size and remote access must be specified within the launch template")
    neighbours.require_role(asked["nodeRole"], "ec2.amazonaws.com", *NODE_POLICIES)
    neighbours.require_way_out(asked["subnets"], "public" in asked["nodegroupName"])
    if "vpc-cni" not in cluster.all("addons"):
        invalid("NodeCreationFailure: the nodes have no network and stay NotReady")
    ami = asked.get("amiType", "AL2023_x86_64_STANDARD")
    version = asked.get("version") or cluster.description["version"]
    _require_node_version(cluster, version, ami)
    return asked["nodegroupName"], {
        "nodegroupArn": arn(
            "nodegroup", cluster.description["name"], asked["nodegroupName"], str(uuid.uuid4())
        ),
        "version": version,
        "releaseVersion": f"{version}.0-20261101",
        "status": "ACTIVE",
        "amiType": ami,
        "launchTemplate": {"name": neighbours.template_name(template["id"]), **template},
        "labels": asked.get("labels", {}),
        "taints": asked.get("taints", []),
        "health": {"issues": []},
        "resources": {"autoScalingGroups": [{"name": f"eks-{asked['nodegroupName']}"}]},
    }


def _require_node_version(cluster: Cluster, version: str, ami: str) -> None:
    behind = minor(cluster.description["version"]) - minor(version)
    if not 0 <= behind <= 3:
        invalid(f"Nodes of {version} do not fit {cluster.description['version']}")
    if ami.startswith("AL2_") and minor(version) >= OLDEST_WITHOUT_AL2:
        invalid(f"AMI Type {ami} is only supported for kubernetes versions 1.32 or earlier")


def _fargate_profile(cluster: Cluster, asked: Json) -> tuple[str, Json]:
    policy = "AmazonEKSFargatePodExecutionRolePolicy"
    role = asked["podExecutionRoleArn"]
    neighbours.require_role(role, "eks-fargate-pods.amazonaws.com", policy)
    name = asked["fargateProfileName"]
    own = arn("fargateprofile", cluster.description["name"], name, str(uuid.uuid4()))
    return name, {"status": "ACTIVE", "fargateProfileArn": own}


def _addon(cluster: Cluster, asked: Json) -> tuple[str, Json]:
    name = asked["addonName"]
    if name not in ADDONS:
        invalid(f"Addon {name} specified is not supported")
    if name in WORKLOADS and not (cluster.all("node-groups") or cluster.all("fargate-profiles")):
        invalid(f"The add-on {name} stays DEGRADED: nothing can run its pods")
    own = arn("addon", cluster.description["name"], name, str(uuid.uuid4()))
    version = asked.get("addonVersion", addon_version(cluster.description["version"]))
    _require_addon_version(cluster, version)
    return name, {"addonVersion": version, "status": "ACTIVE", "addonArn": own}


def _require_addon_version(cluster: Cluster, version: str) -> None:
    if version != addon_version(cluster.description["version"]):
        invalid(f"Addon version {version} does not fit {cluster.description['version']}")


def _access_entry(cluster: Cluster, asked: Json) -> tuple[str, Json]:
    principal = asked["principalArn"]
    neighbours.require_principal(principal)
    if cluster.description["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        message = "The cluster's authentication mode must be set to one of API, API_AND_CONFIG_MAP"
        raise RefusedError(400, "InvalidRequestException", message)
    return principal, {
        "kubernetesGroups": [],
        "type": "STANDARD",
        "username": principal,
        "accessEntryArn": arn("access-entry", cluster.description["name"], str(uuid.uuid4())),
        "policies": {},
    }


def _association(cluster: Cluster, asked: Json) -> tuple[str, Json]:
    neighbours.require_role(asked["roleArn"], "pods.eks.amazonaws.com")
    account = (asked["namespace"], asked["serviceAccount"])
    for other in cluster.all("pod-identity-associations").values():
        if (other["namespace"], other["serviceAccount"]) == account:
            taken(f"Association already exists for {'/'.join(account)}")
    identity = f"a-{uuid.uuid4().hex[:16]}"
    own = arn("podidentityassociation", cluster.description["name"], identity)
    return identity, {"associationId": identity, "associationArn": own}
