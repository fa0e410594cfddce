# What a plan and an apply make of the variables, with AWS played by mocks.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  access_entries = { admins = { principal_arn = "arn:aws:iam::123456789012:role/Admins", policy = "AmazonEKSClusterAdminPolicy" } }
}

run "defaults_are_the_original" {
  command = plan

  assert {
    condition     = module.vpc[0].availability_zones == tolist(["eu-west-2a", "eu-west-2b"])
    error_message = "Two zones hold the default subnets."
  }
  assert {
    condition     = output.configure_kubectl == "aws eks update-kubeconfig --region eu-west-2 --name weather-dev-eksdemo"
    error_message = "The cluster is named after owner, environment and cluster_name."
  }
  assert {
    condition     = output.node_groups == { public = "weather-dev-eksdemo-eks-ng-public", private = "weather-dev-eksdemo-eks-ng-private" }
    error_message = "Both node groups have the original's names, after the cluster's own: <owner>-<environment>-<cluster>-eks-ng-<tier>."
  }
  assert {
    condition     = length(module.bastion) == 1 && output.bastion_ssh_command == null
    error_message = "There is a bastion, without SSH."
  }
}

run "the_network" {
  command = apply

  module {
    source = "./modules/vpc"
  }

  variables {
    name                               = "weather-dev-myvpc"
    cluster_name                       = "weather-dev-eksdemo"
    cidr_block                         = "10.0.0.0/16"
    public_subnets                     = ["10.0.101.0/24", "10.0.102.0/24"]
    private_subnets                    = ["10.0.1.0/24", "10.0.2.0/24"]
    database_subnets                   = ["10.0.151.0/24", "10.0.152.0/24"]
    create_database_subnet_group       = true
    create_database_subnet_route_table = true
    enable_nat_gateway                 = true
    single_nat_gateway                 = true
    flow_logs_enabled                  = true
    flow_logs_retention_in_days        = 365
    interface_endpoints                = []
    kms_key_arn                        = "arn:aws:kms:eu-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition     = aws_vpc.this.cidr_block == "10.0.0.0/16" && aws_vpc.this.enable_dns_hostnames
    error_message = "EKS needs the VPC's DNS."
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.tags["kubernetes.io/role/elb"] == "1" && subnet.map_public_ip_on_launch])
    error_message = "Public subnets are tagged for load balancers of the internet, and give public addresses."
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.private : subnet.tags["kubernetes.io/role/internal-elb"] == "1" && subnet.map_public_ip_on_launch != true])
    error_message = "Private subnets are tagged for internal load balancers, and give no public addresses."
  }
  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private)) : subnet.tags["kubernetes.io/cluster/weather-dev-eksdemo"] == "shared"])
    error_message = "The cluster may use the subnets."
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route_table.private) == 1
    error_message = "One gateway serves one private route table."
  }
  assert {
    condition     = aws_route_table_association.database["10.0.151.0/24"].route_table_id == aws_route_table.database[0].id && length(aws_route.private) == 1
    error_message = "Nothing leads out of the database subnets."
  }
  assert {
    condition     = output.database_subnet_group == "weather-dev-myvpc"
    error_message = "The database subnets form a group."
  }
  assert {
    condition     = length(coalesce(aws_default_security_group.this.ingress, [])) == 0 && length(coalesce(aws_default_security_group.this.egress, [])) == 0
    error_message = "The default security group lets nothing through."
  }
}

run "a_gateway_in_each_zone" {
  command = plan

  variables {
    vpc_single_nat_gateway = false
  }

  assert {
    condition     = length(output.nat_public_ips) == 2
    error_message = "Each zone has its own gateway."
  }
}

run "a_vpc_that_is_there_is_left_as_it_is" {
  command = plan

  variables {
    existing_vpc = {
      vpc_id          = "vpc-0123456789abcdef0"
      public_subnets  = ["subnet-00000000000000001", "subnet-00000000000000002"]
      private_subnets = ["subnet-00000000000000003", "subnet-00000000000000004"]
    }
  }

  assert {
    condition     = length(module.vpc) == 0 && output.vpc_id == "vpc-0123456789abcdef0" && output.database_subnet_group == null && length(output.nat_public_ips) == 0
    error_message = "Nothing of a network is made."
  }
  assert {
    condition     = local.control_plane_subnets == tolist(["subnet-00000000000000003", "subnet-00000000000000004"]) && output.public_subnets == tolist(["subnet-00000000000000001", "subnet-00000000000000002"])
    error_message = "The cluster stands in the subnets that were named."
  }
}

run "a_third_subnet_is_the_nodes_alone" {
  command = plan

  variables {
    vpc_private_subnets = ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]
  }

  assert {
    condition     = length(output.private_subnets) == 3 && length(local.control_plane_subnets) == 2
    error_message = "A subnet in a third zone may come later: EKS would refuse it for the control plane."
  }
}

run "no_gateway_and_no_endpoints_is_warned_of" {
  command = plan

  variables {
    vpc_enable_nat_gateway = false
  }

  expect_failures = [check.private_nodes_reach_aws]
}

run "nobody_to_install_anything_is_warned_of" {
  command = plan

  variables {
    bastion_enabled = false
    access_entries  = { readers = { principal_arn = "arn:aws:iam::123456789012:role/Readers" } }
  }

  assert {
    condition     = length(module.bastion) == 0 && output.session_manager_command == null && output.bastion_public_ip == null
    error_message = "Without a bastion nothing speaks of one."
  }

  expect_failures = [check.somebody_administers]
}

run "an_open_api_is_warned_of" {
  command = plan

  variables {
    cluster_endpoint_public_access       = true
    cluster_endpoint_public_access_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [check.api_not_open_to_the_world]
}

run "a_cluster_without_nodes_is_warned_of" {
  command = plan

  variables {
    node_groups = { public = { subnet_type = "public", enabled = false } }
  }

  assert {
    condition     = length(output.node_groups) == 0
    error_message = "A node group that is not enabled is not made."
  }

  expect_failures = [check.addons_have_nodes]
}

run "the_cluster" {
  command = apply

  module {
    source = "./modules/eks"
  }

  # All groups but the new one are there, each with three nodes.
  override_data {
    target = data.aws_autoscaling_groups.node["public"]
    values = { names = ["public"] }
  }
  override_data {
    target = data.aws_autoscaling_groups.node["private"]
    values = { names = ["private"] }
  }
  override_data {
    target = data.aws_autoscaling_groups.node["raised"]
    values = { names = ["raised"] }
  }

  variables {
    name                    = "weather-dev-eksdemo"
    kubernetes_version      = "1.36"
    support_type            = "STANDARD"
    vpc_id                  = "vpc-0123456789abcdef0"
    control_plane_subnets   = ["subnet-a", "subnet-b"]
    subnets                 = { public = ["subnet-c", "subnet-d"], private = ["subnet-a", "subnet-b"] }
    service_ipv4_cidr       = "172.20.0.0/16"
    endpoint_private_access = true
    endpoint_public_access  = false
    public_access_cidrs     = []
    api_clients             = { bastion = "sg-0123456789abcdef0" }
    enabled_log_types       = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
    log_retention_in_days   = 365
    kms_key_arn             = "arn:aws:kms:eu-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
    access_entries          = { bastion = { principal_arn = "arn:aws:iam::123456789012:role/bastion", policy = "AmazonEKSClusterAdminPolicy" } }
    addons                  = { vpc-cni = { configuration = "{\"enableNetworkPolicy\":\"true\"}" }, kube-proxy = { version = "v1.35.9-eksbuild.9" }, coredns = {}, metrics-server = {}, eks-pod-identity-agent = {} }
    node_groups = {
      public  = { subnet_type = "public", ami_type = "BOTTLEROCKET_x86_64", capacity_type = "SPOT", disk_size = 40, instance_types = ["t3.large"], scaling_config = { desired_size = 2, min_size = 1, max_size = 3 }, update_config = { max_unavailable_percentage = 50 }, labels = {}, taints = [] }
      private = { subnet_type = "private", ami_type = "AL2023_x86_64_STANDARD", capacity_type = "ON_DEMAND", disk_size = 20, instance_types = ["t3.medium"], scaling_config = { desired_size = 1, min_size = 1, max_size = 2 }, update_config = { max_unavailable = 1 }, labels = {}, taints = [] }
      raised  = { subnet_type = "private", ami_type = "AL2023_x86_64_STANDARD", capacity_type = "ON_DEMAND", disk_size = 20, instance_types = ["t3.medium"], scaling_config = { desired_size = 5, min_size = 4, max_size = 6 }, update_config = { max_unavailable = 1 }, labels = {}, taints = [] }
      new     = { subnet_type = "private", ami_type = "AL2023_x86_64_STANDARD", capacity_type = "ON_DEMAND", disk_size = 20, instance_types = ["t3.medium"], scaling_config = { desired_size = 2, min_size = 1, max_size = 4 }, update_config = { max_unavailable = 1 }, labels = {}, taints = [] }
    }
    fargate_profiles      = { weather = { selectors = [{ namespace = "weather" }] } }
    oidc_provider_enabled = true
    pod_roles             = { ecr-reader = { namespace = "weather-system", service_account = "weather-operator", irsa = true }, cluster-autoscaler = { namespace = "kube-system", service_account = "cluster-autoscaler", irsa = false } }
    tags                  = { environment = "dev" }
  }

  assert {
    condition     = aws_eks_cluster.eks_cluster.enabled_cluster_log_types == toset(["api", "audit", "authenticator", "controllerManager", "scheduler"])
    error_message = "The control plane keeps all five logs."
  }
  assert {
    condition     = aws_eks_cluster.eks_cluster.access_config[0].authentication_mode == "API" && !aws_eks_cluster.eks_cluster.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Access is by entries, and the creator has none of its own."
  }
  assert {
    condition     = aws_eks_cluster.eks_cluster.encryption_config[0].provider[0].key_arn == var.kms_key_arn && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "Secrets and logs are encrypted with our key."
  }
  assert {
    condition     = { for key, group in local.groups : key => group.desired_size } == { public = 3, private = 2, raised = 4, new = 2 }
    error_message = "The autoscaler's number of nodes stays, but within the limits: EKS refuses a min_size above it."
  }
  assert {
    condition     = local.groups["private"].name == "weather-dev-eksdemo-eks-ng-private" && can(regex("^weather-dev-eksdemo-eks-ng-public-[0-9a-f]{4}$", local.groups["public"].name))
    error_message = "A group of other choices has another name: both are there while one follows the other."
  }
  assert {
    condition     = toset([for attachment in aws_iam_role_policy_attachment.node : split("/", attachment.policy_arn)[1]]) == toset(["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"])
    error_message = "The nodes' role has the three policies."
  }
  assert {
    condition     = keys(aws_eks_addon.before_nodes) == ["eks-pod-identity-agent", "kube-proxy", "vpc-cni"] && keys(aws_eks_addon.after_nodes) == ["coredns", "metrics-server"]
    error_message = "The network is there before nodes, DNS after them."
  }
  assert {
    condition     = aws_eks_addon.before_nodes["kube-proxy"].addon_version == "v1.35.9-eksbuild.9" && aws_eks_addon.after_nodes["coredns"].addon_version == "v1.36.0-eksbuild.1"
    error_message = "An add-on's version is the one that was asked for, or the default of the cluster's version."
  }
  assert {
    condition     = keys(aws_eks_pod_identity_association.this) == ["cluster-autoscaler"] && length(aws_iam_openid_connect_provider.this) == 1
    error_message = "A role comes by Pod Identity, or by IRSA where it says so."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.api["bastion"].from_port == 443 && aws_vpc_security_group_ingress_rule.api["bastion"].referenced_security_group_id == "sg-0123456789abcdef0"
    error_message = "The bastion reaches the cluster API."
  }
  assert {
    condition     = aws_eks_access_policy_association.this["bastion"].access_scope[0].type == "cluster"
    error_message = "An entry without namespaces is for the whole cluster."
  }
}

run "nodes" {
  command = apply

  module {
    source = "./modules/node-groups"
  }

  variables {
    cluster_name = "weather-dev-eksdemo"
    role_arn     = "arn:aws:iam::123456789012:role/nodes"
    subnets      = ["subnet-a", "subnet-b"]
    groups = {
      bottlerocket = { name = "one", kubernetes_version = "1.36", ami_type = "BOTTLEROCKET_x86_64", capacity_type = "SPOT", disk_size = 40, instance_types = ["t3.large"], desired_size = 2, min_size = 1, max_size = 3, max_unavailable_percentage = 50, labels = {}, taints = [] }
      amazon-linux = { name = "two", kubernetes_version = "1.36", ami_type = "AL2023_x86_64_STANDARD", capacity_type = "ON_DEMAND", disk_size = 20, instance_types = ["t3.medium"], desired_size = 1, min_size = 1, max_size = 2, max_unavailable = 1, labels = {}, taints = [] }
    }
    tags = { environment = "dev" }
  }

  assert {
    condition     = aws_launch_template.node["bottlerocket"].block_device_mappings[0].ebs[0].volume_size == 40 && aws_launch_template.node["bottlerocket"].block_device_mappings[0].device_name == "/dev/xvdb" && aws_launch_template.node["amazon-linux"].block_device_mappings[0].device_name == "/dev/xvda"
    error_message = "disk_size is the size of the disk that the image keeps containers on."
  }
  assert {
    condition     = alltrue([for template in aws_launch_template.node : template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 1 && template.block_device_mappings[0].ebs[0].encrypted == "true"])
    error_message = "Nodes ask for tokens, keep their role from pods, and encrypt their disks."
  }
  assert {
    condition     = alltrue([for group in aws_eks_node_group.this : group.subnet_ids == toset(["subnet-a", "subnet-b"])])
    error_message = "Each node group stands in the subnets of its tier."
  }
  assert {
    condition     = aws_eks_node_group.this["bottlerocket"].capacity_type == "SPOT" && aws_eks_node_group.this["bottlerocket"].instance_types == tolist(["t3.large"]) && aws_eks_node_group.this["bottlerocket"].update_config[0].max_unavailable_percentage == 50
    error_message = "A node group is as it was asked for."
  }
}

run "images" {
  command = apply

  module {
    source = "./modules/ecr"
  }

  variables {
    repositories = ["weather"]
    kms_key_arn  = "arn:aws:kms:eu-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
    force_delete = false
  }

  assert {
    condition     = aws_ecr_repository.this["weather"].image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.this["weather"].image_scanning_configuration[0].scan_on_push
    error_message = "A tag means one image for ever, and it is scanned."
  }
}
