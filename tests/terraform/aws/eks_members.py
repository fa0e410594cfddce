"""What belongs to a cluster: node groups, Fargate profiles, add-ons, access, pods' roles."""

import time
import uuid

from terraform.aws.addon_schemas import SCHEMAS, require_configuration
from terraform.aws.eks import Cluster, Json, begin, minor, require_ready
from terraform.aws.refusals import RefusedError, invalid, missing, taken

NODE_POLICIES = (
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonEC2ContainerRegistryReadOnly",
)
# Add-ons whose pods need somewhere to run, unlike those that run on each node.
WORKLOADS = ("coredns", "metrics-server")
OLDEST_WITHOUT_AL2 = 33
AMI_TYPES = (
    "AL2_x86_64",
    "AL2_x86_64_GPU",
    "AL2_ARM_64",
    "AL2023_x86_64_STANDARD",
    "AL2023_ARM_64_STANDARD",
    "AL2023_x86_64_NVIDIA",
    "BOTTLEROCKET_x86_64",
    "BOTTLEROCKET_ARM_64",
)
ACCESS_POLICIES = (
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSViewPolicy",
)
# These take EKS no time.
AT_ONCE = ("access-entries", "pod-identity-associations")
MOST_NODES_BEHIND = 3
MOST_CHARACTERS = 63


def find(cluster: Cluster, kind: str, name: str) -> Json:
    """Find a member or say that there is none."""
    return cluster.all(kind).get(name) or missing(f"{kind} found for name: {name}")


def delete(cluster: Cluster, kind: str, name: str) -> Json:
    """Take a member away; a node group's role must still be able to clean up."""
    member = find(cluster, kind, name)
    if kind in AT_ONCE:
        del cluster.all(kind)[name]
        return member
    require_ready(member, name)
    _require_alone(cluster, kind)
    if kind == "node-groups":
        role = member["nodeRole"]
        cluster.neighbours.require_role(role, "ec2.amazonaws.com", *NODE_POLICIES)
        [scaling] = member["resources"]["autoScalingGroups"]
        cluster.neighbours.delete_scaling_group(scaling["name"])
    if kind == "addons" and name == "vpc-cni" and cluster.all("node-groups"):
        invalid("Nodes would lose their network before they are gone")
    return begin(member, "DELETING")


def create(cluster: Cluster, kind: str, asked: Json) -> Json:
    """Make a member that EKS would take."""
    if kind not in AT_ONCE and cluster.description["status"] not in ("ACTIVE", "UPDATING"):
        taken(f"The cluster is {cluster.description['status']}")
    _require_alone(cluster, kind)
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
    made = cluster.all(kind).setdefault(name, {**shared, **asked, **member})
    return made if kind in AT_ONCE else begin(made, "CREATING")


def update_node_group(cluster: Cluster, name: str, asked: Json) -> Json:
    """Change a node group; its version follows the cluster's and does not overtake it."""
    group = find(cluster, "node-groups", name)
    require_ready(group, name)
    if version := asked.get("version"):
        _require_node_version(cluster, version, group["amiType"])
        if minor(version) < minor(group["version"]):
            invalid(f"A node group does not go back from {group['version']} to {version}")
    if sizes := asked.get("scalingConfig"):
        sizes = {**group["scalingConfig"], **sizes}
        _require_sizes(sizes)
        cluster.neighbours.scale(group["resources"]["autoScalingGroups"][0]["name"], sizes)
        group["scalingConfig"] = sizes
    for key in ("updateConfig", "version", "launchTemplate"):
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
    return group


def addon_version(version: str) -> str:
    """Version of every add-on for a cluster of this version."""
    return f"v{version}.0-eksbuild.1"


def update_plainly(cluster: Cluster, kind: str, name: str, asked: Json) -> Json:
    """Change what has no rules of its own, but for an add-on's version and configuration."""
    member = find(cluster, kind, name)
    if kind not in AT_ONCE:
        require_ready(member, name)
    if kind == "addons":
        _require_addon(cluster, name, asked)
    if "roleArn" in asked:
        _require_pods_role(cluster, asked["roleArn"])
    member.update({key: value for key, value in asked.items() if key != "clientRequestToken"})
    return member


def allow(cluster: Cluster, principal: str, asked: Json) -> Json:
    """Give an access policy that there is to a principal, in a scope that fits."""
    policies = find(cluster, "access-entries", principal)["policies"]
    policy, scope = asked["policyArn"], asked["accessScope"]
    if policy not in {f"arn:aws:eks::aws:cluster-access-policy/{each}" for each in ACCESS_POLICIES}:
        invalid("The policyArn parameter format is not valid")
    if (scope["type"] == "namespace") != bool(scope.get("namespaces")):
        invalid("Namespaces belong to an access scope of type namespace, and to no other")
    granted: Json = {
        "policyArn": policy,
        "accessScope": scope,
        "associatedAt": time.time(),
        "modifiedAt": time.time(),
    }
    policies[policy] = granted
    return granted


def _require_alone(cluster: Cluster, kind: str) -> None:
    # EKS makes and takes away one Fargate profile at a time.
    if kind == "fargate-profiles":
        for name, profile in cluster.all(kind).items():
            require_ready(profile, name)


def _node_group(cluster: Cluster, asked: Json) -> tuple[str, Json]:
    template = asked.get("launchTemplate")
    if not template or asked.get("diskSize") or asked.get("remoteAccess"):
        invalid("Disk size and remote access must be specified within the launch template")
    cluster.neighbours.require_role(asked["nodeRole"], "ec2.amazonaws.com", *NODE_POLICIES)
    cluster.neighbours.require_way_out(asked["subnets"])
    _require_sizes(asked["scalingConfig"])
    if len(asked["nodegroupName"]) > MOST_CHARACTERS:
        invalid(f"nodegroupName has more than {MOST_CHARACTERS} characters")
    if "vpc-cni" not in cluster.all("addons"):
        invalid("NodeCreationFailure: the nodes have no network and stay NotReady")
    _require_endpoint(cluster)
    ami = asked.get("amiType", "AL2023_x86_64_STANDARD")
    if ami not in AMI_TYPES:
        invalid(f"{ami} is not a type of AMI")
    version = asked.get("version") or cluster.description["version"]
    _require_node_version(cluster, version, ami)
    group = {
        "nodegroupArn": cluster.arn("nodegroup", asked["nodegroupName"], str(uuid.uuid4())),
        "version": version,
        "releaseVersion": f"{version}.0-20261101",
        "amiType": ami,
        "launchTemplate": {"name": cluster.neighbours.template_name(template["id"]), **template},
        "labels": asked.get("labels", {}),
        "taints": asked.get("taints", []),
        "health": {"issues": []},
    }
    if asked["nodegroupName"] not in cluster.all("node-groups"):
        name = cluster.neighbours.create_scaling_group(
            cluster.description["name"], {**asked, **group}
        )
        cluster.neighbours.scale(name, asked["scalingConfig"])
        group["resources"] = {"autoScalingGroups": [{"name": name}]}
    return asked["nodegroupName"], group


def _require_sizes(sizes: Json) -> None:
    least, now, most = sizes["minSize"], sizes["desiredSize"], sizes["maxSize"]
    if least > now:
        invalid(f"Minimum capacity {least} can't be greater than desired size {now}")
    if now > most:
        invalid(f"desired size {now} can't be greater than max size {most}")


def _require_endpoint(cluster: Cluster) -> None:
    network = cluster.description["resourcesVpcConfig"]
    if not network["endpointPrivateAccess"] and "0.0.0.0/0" not in network["publicAccessCidrs"]:
        invalid("NodeCreationFailure: the nodes do not reach the cluster's API")


def _require_node_version(cluster: Cluster, version: str, ami: str) -> None:
    behind = minor(cluster.description["version"]) - minor(version)
    if not 0 <= behind <= MOST_NODES_BEHIND:
        invalid(f"Nodes of {version} do not fit {cluster.description['version']}")
    if ami.startswith("AL2_") and minor(version) >= OLDEST_WITHOUT_AL2:
        invalid(f"AMI Type {ami} is only supported for kubernetes versions 1.32 or earlier")


def _fargate_profile(cluster: Cluster, asked: Json) -> tuple[str, Json]:
    policy, name = "AmazonEKSFargatePodExecutionRolePolicy", asked["fargateProfileName"]
    own = cluster.arn("fargateprofile", name, str(uuid.uuid4()))
    service = "eks-fargate-pods.amazonaws.com"
    cluster.neighbours.require_role(asked["podExecutionRoleArn"], service, policy, source=own)
    if cluster.neighbours.is_public(asked["subnets"]):
        invalid("Subnets of a Fargate profile must be private")
    return name, {"fargateProfileArn": own}


def _addon(cluster: Cluster, asked: Json) -> tuple[str, Json]:
    name = asked["addonName"]
    if name not in SCHEMAS:
        invalid(f"Addon {name} specified is not supported")
    if name in WORKLOADS and not (cluster.all("node-groups") or cluster.all("fargate-profiles")):
        invalid(f"The add-on {name} stays DEGRADED: nothing can run its pods")
    version = asked.get("addonVersion", addon_version(cluster.description["version"]))
    _require_addon(cluster, name, {**asked, "addonVersion": version})
    own = cluster.arn("addon", name, str(uuid.uuid4()))
    return name, {"addonVersion": version, "addonArn": own}


def _require_addon(cluster: Cluster, name: str, asked: Json) -> None:
    version = asked.get("addonVersion")
    if version and version != addon_version(cluster.description["version"]):
        invalid(f"Addon version {version} does not fit {cluster.description['version']}")
    if configuration := asked.get("configurationValues"):
        require_configuration(name, configuration)


def _access_entry(cluster: Cluster, asked: Json) -> tuple[str, Json]:
    principal = asked["principalArn"]
    cluster.neighbours.require_principal(principal)
    if cluster.description["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        message = "The cluster's authentication mode must be set to one of API, API_AND_CONFIG_MAP"
        raise RefusedError(400, "InvalidRequestException", message)
    return principal, {
        "kubernetesGroups": [],
        "type": "STANDARD",
        "username": principal,
        "accessEntryArn": cluster.arn("access-entry", str(uuid.uuid4())),
        "policies": {},
    }


def _require_pods_role(cluster: Cluster, role: str) -> None:
    actions = ["sts:AssumeRole", "sts:TagSession"]
    cluster.neighbours.require_role(role, "pods.eks.amazonaws.com", actions=actions)


def _association(cluster: Cluster, asked: Json) -> tuple[str, Json]:
    _require_pods_role(cluster, asked["roleArn"])
    account = (asked["namespace"], asked["serviceAccount"])
    for other in cluster.all("pod-identity-associations").values():
        if (other["namespace"], other["serviceAccount"]) == account:
            taken(f"Association already exists for {'/'.join(account)}")
    identity = f"a-{uuid.uuid4().hex[:16]}"
    own = cluster.arn("podidentityassociation", identity)
    return identity, {"associationId": identity, "associationArn": own}
