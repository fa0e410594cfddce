"""The stand-in refuses what EKS refuses, and takes what EKS takes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.deadlines import eventually
from terraform.account import Account, account

VERSION = "1.35"
MANAGED = "arn:aws:iam::aws:policy/"
NODE_POLICIES = (
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonEC2ContainerRegistryReadOnly",
)
ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a cluster stands on, and the one that stands there."""

    amazon: Account
    roles: dict[str, str]
    # Zone letter → public subnet.
    subnets: dict[str, str]
    template: str

    @property
    def eks(self) -> Any:
        return self.amazon.client("eks")

    def cluster(self, name: str, **other: Any) -> Any:
        """Ask for a cluster of our usual kind, but for what is said otherwise."""
        usual = {
            "version": VERSION,
            "roleArn": self.roles["cluster"],
            "resourcesVpcConfig": {"subnetIds": [self.subnets["a"], self.subnets["b"]]},
            "accessConfig": {"authenticationMode": "API"},
        }
        return self.eks.create_cluster(name=name, **{**usual, **other})

    def nodes(self, name: str, **other: Any) -> Any:
        """Ask for a node group of our usual kind, but for what is said otherwise."""
        usual = {
            "nodeRole": self.roles["nodes"],
            "subnets": [self.subnets["a"], self.subnets["b"]],
            "scalingConfig": {"minSize": 1, "desiredSize": 1, "maxSize": 2},
            "launchTemplate": {"id": self.template, "version": "1"},
        }
        return self.eks.create_nodegroup(
            clusterName="here", nodegroupName=name, **{**usual, **other}
        )


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with account() as amazon:
        made = Ground(
            amazon=amazon,
            roles={
                "cluster": _role(amazon, "cluster", "eks.amazonaws.com", "AmazonEKSClusterPolicy"),
                "nodes": _role(amazon, "nodes", "ec2.amazonaws.com", *NODE_POLICIES),
                "pods": _role(amazon, "pods", "pods.eks.amazonaws.com"),
            },
            subnets=_subnets(amazon, "eu-west-2"),
            template=amazon.client("ec2").create_launch_template(
                LaunchTemplateName="nodes", LaunchTemplateData={"InstanceType": "t3.medium"}
            )["LaunchTemplate"]["LaunchTemplateId"],
        )
        assert made.cluster("here")["cluster"]["status"] == "CREATING"
        _become_ready(made)
        for addon in ("vpc-cni", "kube-proxy"):
            made.eks.create_addon(clusterName="here", addonName=addon)
        yield made


def _become_ready(ground: Ground) -> None:
    def status() -> bool:
        found: str = ground.eks.describe_cluster(name="here")["cluster"]["status"]
        return found == "ACTIVE"

    eventually(status)


def _role(amazon: Account, name: str, service: str, *policies: str, action: Any = None) -> str:
    actions = action or ["sts:AssumeRole", "sts:TagSession"]
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": actions}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = amazon.client("iam")
    role: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=f"{MANAGED}{policy}")
    return role


def _subnets(amazon: Account, region: str) -> dict[str, str]:
    """One public subnet in each of three zones."""
    ec2 = amazon.client("ec2", region)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    found = {}
    for number, zone in enumerate("abc"):
        subnet = ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"{region}{zone}"
        )["Subnet"]["SubnetId"]
        ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        found[zone] = subnet
    return found


def refused(ask: Callable[[], Any]) -> str:
    """Why a request was refused: the kind of refusal and its sentence."""
    with pytest.raises(ClientError) as error:
        ask()
    told = error.value.response["Error"]
    return f"{told['Code']}: {told['Message']}"


def test_a_node_group_keeps_within_its_limits(ground: Ground) -> None:
    sizes = {"minSize": 2, "desiredSize": 1, "maxSize": 2}
    told = refused(lambda: ground.nodes("limits", scalingConfig=sizes))
    assert "Minimum capacity 2 can't be greater than desired size 1" in told
    ground.nodes("limits")
    asked = {"clusterName": "here", "nodegroupName": "limits"}

    def active() -> bool:
        found: str = ground.eks.describe_nodegroup(**asked)["nodegroup"]["status"]
        return found == "ACTIVE"

    eventually(active)
    told = refused(lambda: ground.eks.update_nodegroup_config(**asked, scalingConfig=sizes))
    assert "Minimum capacity 2" in told
    grown = {"minSize": 1, "desiredSize": 2, "maxSize": 2}
    ground.eks.update_nodegroup_config(**asked, scalingConfig=grown)
    [group] = ground.amazon.client("autoscaling").describe_auto_scaling_groups(
        Filters=[{"Name": "tag:eks:nodegroup-name", "Values": ["limits"]}]
    )["AutoScalingGroups"]
    assert group["DesiredCapacity"] == 2


def test_a_control_plane_stays_in_its_zones(ground: Ground) -> None:
    _become_ready(ground)
    subnets = [ground.subnets["a"], ground.subnets["c"]]
    told = refused(
        lambda: ground.eks.update_cluster_config(
            name="here", resourcesVpcConfig={"subnetIds": subnets}
        )
    )
    assert "exact set of AZs eu-west-2a,eu-west-2b" in told


def test_a_request_that_is_repeated_is_carried_out_once(ground: Ground) -> None:
    _become_ready(ground)
    first, again = (ground.nodes("once", clientRequestToken="the same") for _ in range(2))
    assert first["nodegroup"]["nodegroupArn"] == again["nodegroup"]["nodegroupArn"]
    assert "ResourceInUseException" in refused(lambda: ground.nodes("once"))


def test_one_update_at_a_time(ground: Ground) -> None:
    def change() -> Any:
        return ground.eks.update_cluster_config(
            name="here", resourcesVpcConfig={"endpointPrivateAccess": True}
        )["update"]

    def refused_meanwhile() -> str:
        """The first of two updates, empty where it was over before the other one came."""
        _become_ready(ground)
        first = change()
        assert first["status"] == "InProgress"
        try:
            change()
        except ClientError as error:
            is_busy = error.response["Error"]["Code"] == "ResourceInUseException"
            return str(first["id"]) if is_busy else ""
        return ""

    first = eventually(refused_meanwhile)
    _become_ready(ground)
    done = ground.eks.describe_update(name="here", updateId=first)["update"]
    assert done["status"] == "Successful"


def test_there_is_no_way_back(ground: Ground) -> None:
    _become_ready(ground)
    told = refused(lambda: ground.eks.update_cluster_version(name="here", version="1.34"))
    # As the runbook quotes it: AWS may have upgraded the cluster by itself.
    assert "Unsupported Kubernetes minor version update from 1.35 to 1.34" in told


def test_zones_without_eks(ground: Ground) -> None:
    subnets = _subnets(ground.amazon, "us-east-1")
    eks = ground.amazon.client("eks", "us-east-1")
    told = refused(
        lambda: eks.create_cluster(
            name="there",
            roleArn=ground.roles["cluster"],
            resourcesVpcConfig={"subnetIds": list(subnets.values())},
        )
    )
    assert told.startswith("UnsupportedAvailabilityZoneException")
    assert "us-east-1a" in told


def test_an_api_that_answers_nobody(ground: Ground) -> None:
    network = {"subnetIds": [ground.subnets["a"], ground.subnets["b"]]}
    shut = {**network, "endpointPublicAccess": False, "endpointPrivateAccess": False}
    assert "cannot be false" in refused(lambda: ground.cluster("shut", resourcesVpcConfig=shut))
    inside = {**network, "endpointPublicAccess": False, "endpointPrivateAccess": True}
    assert ground.cluster("inside", resourcesVpcConfig=inside)["cluster"]["name"] == "inside"


def test_access_is_for_principals_and_policies_that_exist(ground: Ground) -> None:
    nobody = "arn:aws:iam::123456789012:role/Nobody"
    told = refused(lambda: ground.eks.create_access_entry(clusterName="here", principalArn=nobody))
    assert "The specified principalArn is invalid" in told
    user = ground.amazon.client("iam").create_user(UserName="Anna")["User"]["Arn"]
    ground.eks.create_access_entry(clusterName="here", principalArn=user)

    def allow(policy: str, **scope: Any) -> Any:
        return ground.eks.associate_access_policy(
            clusterName="here", principalArn=user, policyArn=policy, accessScope=scope
        )

    iams = f"{MANAGED}AdministratorAccess"
    assert "policyArn" in refused(lambda: allow(iams, type="cluster"))
    assert "Namespaces" in refused(lambda: allow(ADMIN, type="namespace"))
    assert allow(ADMIN, type="cluster")["associatedAccessPolicy"]["policyArn"] == ADMIN


@pytest.mark.parametrize(
    ("configuration", "why"),
    [
        ("{", "not valid JSON"),
        ('{"networkPolicy": "true"}', "$.networkPolicy: is not defined in the schema"),
        ('{"enableNetworkPolicy": true}', "$.enableNetworkPolicy: does not have a value"),
        ('{"tolerations": {}}', "$.tolerations: dict found"),
    ],
)
def test_configuration_of_an_addon(ground: Ground, configuration: str, why: str) -> None:
    told = refused(
        lambda: ground.eks.update_addon(
            clusterName="here", addonName="vpc-cni", configurationValues=configuration
        )
    )
    assert why in told


def test_trust_is_read_by_its_meaning(ground: Ground) -> None:
    amazon = ground.amazon
    # The service's name alone, in a Deny or beside another action, is no trust.
    other = _role(
        amazon, "other", "eks.amazonaws.com", "AmazonEKSClusterPolicy", action="sts:TagSession"
    )
    assert "does not let eks" in refused(lambda: ground.cluster("untrusted", roleArn=other))
    shy = _role(amazon, "shy", "pods.eks.amazonaws.com", action="sts:AssumeRole")

    def associate(role: str) -> Any:
        return ground.eks.create_pod_identity_association(
            clusterName="here", namespace="weather", serviceAccount="weather", roleArn=role
        )

    assert "sts:TagSession" in refused(lambda: associate(shy))
    assert associate(ground.roles["pods"])["association"]["namespace"] == "weather"


def test_nodes_need_a_way_to_aws(ground: Ground) -> None:
    ec2 = ground.amazon.client("ec2")
    vpc = ec2.describe_subnets(SubnetIds=[ground.subnets["a"]])["Subnets"][0]["VpcId"]
    alone = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.9.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=alone)
    told = refused(lambda: ground.nodes("alone", subnets=[alone]))
    assert "do not reach ec2, ecr.api, ecr.dkr, sts, s3" in told
    for service in ("ec2", "ecr.api", "ecr.dkr", "sts", "s3"):
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.eu-west-2.{service}")
    assert ground.nodes("alone", subnets=[alone])["nodegroup"]["status"] == "CREATING"


def test_a_name_that_is_too_long(ground: Ground) -> None:
    assert "63" in refused(lambda: ground.nodes("n" * 64))
