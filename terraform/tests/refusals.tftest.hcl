# One mistake a run. That each is refused in words, and which, tests/terraform checks.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "refuses_a_vpc_by_name" {
  command = plan

  variables {
    existing_vpc = { vpc_id = "myvpc", public_subnets = ["subnet-01", "subnet-02"], private_subnets = ["subnet-03", "subnet-04"] }
  }

  expect_failures = [var.existing_vpc]
}

run "refuses_a_vpc_with_one_private_subnet" {
  command = plan

  variables {
    existing_vpc = { vpc_id = "vpc-01", public_subnets = ["subnet-01", "subnet-02"], private_subnets = ["subnet-03"] }
  }

  expect_failures = [var.existing_vpc]
}

run "refuses_a_region_by_name" {
  command = plan

  variables {
    aws_region = "London"
  }

  expect_failures = [var.aws_region]
}

run "refuses_an_account_by_name" {
  command = plan

  variables {
    aws_account_id = "weather-dev"
  }

  expect_failures = [var.aws_account_id]
}

run "refuses_an_environment_in_capitals" {
  command = plan

  variables {
    environment = "DEV"
  }

  expect_failures = [var.environment]
}

run "refuses_an_owner_with_a_space" {
  command = plan

  variables {
    business_division = "the weather"
  }

  expect_failures = [var.business_division]
}

run "refuses_tags_that_aws_keeps_for_itself" {
  command = plan

  variables {
    tags = { "aws:owner" = "me" }
  }

  expect_failures = [var.tags]
}

run "refuses_a_key_deleted_at_once" {
  command = plan

  variables {
    kms_key_deletion_window_in_days = 1
  }

  expect_failures = [var.kms_key_deletion_window_in_days]
}

run "refuses_a_vpc_name_with_a_space" {
  command = plan

  variables {
    vpc_name = "my vpc"
  }

  expect_failures = [var.vpc_name]
}

run "refuses_a_vpc_too_wide" {
  command = plan

  variables {
    vpc_cidr_block = "10.0.0.0/8"
  }

  expect_failures = [var.vpc_cidr_block]
}

run "refuses_a_vpc_with_bits_beyond_its_mask" {
  command = plan

  variables {
    vpc_cidr_block = "10.0.0.1/16"
  }

  expect_failures = [var.vpc_cidr_block]
}

run "refuses_a_single_zone" {
  command = plan

  variables {
    vpc_availability_zones = ["eu-west-2a"]
  }

  expect_failures = [var.vpc_availability_zones]
}

run "refuses_a_zone_twice" {
  command = plan

  variables {
    vpc_availability_zones = ["eu-west-2a", "eu-west-2a"]
  }

  expect_failures = [var.vpc_availability_zones]
}

run "refuses_one_public_subnet" {
  command = plan

  variables {
    vpc_public_subnets = ["10.0.50.0/24"]
  }

  expect_failures = [var.vpc_public_subnets]
}

run "refuses_public_subnets_that_are_no_blocks" {
  command = plan

  variables {
    vpc_public_subnets = ["10.0.50.0/24", "10.0.51.0"]
  }

  expect_failures = [var.vpc_public_subnets]
}

run "refuses_one_private_subnet" {
  command = plan

  variables {
    vpc_private_subnets = ["10.0.50.0/24"]
  }

  expect_failures = [var.vpc_private_subnets]
}

run "refuses_private_subnets_that_are_no_blocks" {
  command = plan

  variables {
    vpc_private_subnets = ["10.0.50.0/24", "10.0.51.0"]
  }

  expect_failures = [var.vpc_private_subnets]
}

run "refuses_one_database_subnet" {
  command = plan

  variables {
    vpc_database_subnets = ["10.0.50.0/24"]
  }

  expect_failures = [var.vpc_database_subnets]
}

run "refuses_database_subnets_that_are_no_blocks" {
  command = plan

  variables {
    vpc_database_subnets = ["10.0.50.0/24", "10.0.51.0"]
  }

  expect_failures = [var.vpc_database_subnets]
}

run "refuses_fewer_public_subnets_than_gateways" {
  command = plan

  variables {
    vpc_single_nat_gateway = false
    vpc_private_subnets    = ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]
  }

  expect_failures = [var.vpc_single_nat_gateway]
}

run "refuses_flow_logs_for_a_week_and_a_day" {
  command = plan

  variables {
    vpc_flow_logs_retention_in_days = 8
  }

  expect_failures = [var.vpc_flow_logs_retention_in_days]
}

run "refuses_an_endpoint_by_its_long_name" {
  command = plan

  variables {
    vpc_interface_endpoints = ["com.amazonaws.eu-west-2.sts"]
  }

  expect_failures = [var.vpc_interface_endpoints]
}

run "refuses_a_bastion_of_another_processor" {
  command = plan

  variables {
    instance_type = "t4g.micro"
  }

  expect_failures = [var.instance_type]
}

run "refuses_a_key_pair_without_a_name" {
  command = plan

  variables {
    instance_keypair = ""
  }

  expect_failures = [var.instance_keypair]
}

run "refuses_a_private_key" {
  command = plan

  variables {
    bastion_public_key = "-----BEGIN OPENSSH PRIVATE KEY-----"
  }

  expect_failures = [var.bastion_public_key]
}

run "refuses_ssh_from_the_internet" {
  command = plan

  variables {
    bastion_allowed_cidrs = ["0.0.0.0/0"]
    bastion_public_key    = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx1mD5Nq0Yy9l1m7rY1u0rA6S4m5b7dEo0n7oKcJbQ7"
  }

  expect_failures = [var.bastion_allowed_cidrs]
}

run "refuses_ssh_from_half_the_internet" {
  command = plan

  variables {
    bastion_allowed_cidrs = ["128.0.0.0/1"]
    bastion_public_key    = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx1mD5Nq0Yy9l1m7rY1u0rA6S4m5b7dEo0n7oKcJbQ7"
  }

  expect_failures = [var.bastion_allowed_cidrs]
}

run "refuses_ssh_from_the_internet_of_ipv6" {
  command = plan

  variables {
    bastion_allowed_cidrs = ["::/0"]
    bastion_public_key    = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx1mD5Nq0Yy9l1m7rY1u0rA6S4m5b7dEo0n7oKcJbQ7"
  }

  expect_failures = [var.bastion_allowed_cidrs]
}

run "refuses_ssh_without_a_key" {
  command = plan

  variables {
    bastion_allowed_cidrs = ["203.0.113.7/32"]
  }

  expect_failures = [var.bastion_allowed_cidrs]
}

run "refuses_an_unknown_system_for_the_bastion" {
  command = plan

  variables {
    bastion_ami_os = "ubuntu"
  }

  expect_failures = [var.bastion_ami_os]
}

run "refuses_an_unknown_policy_for_the_bastion" {
  command = plan

  variables {
    bastion_cluster_policy = "Admin"
  }

  expect_failures = [var.bastion_cluster_policy]
}

run "refuses_a_cluster_name_too_long" {
  command = plan

  variables {
    cluster_name = "a-very-long-name"
  }

  expect_failures = [var.cluster_name]
}

run "refuses_a_version_that_is_a_patch" {
  command = plan

  variables {
    cluster_version = "1.36.1"
  }

  expect_failures = [var.cluster_version]
}

run "refuses_a_version_long_gone" {
  command = plan

  variables {
    cluster_version = "1.28"
  }

  expect_failures = [var.cluster_version]
}

run "refuses_an_unknown_support" {
  command = plan

  variables {
    cluster_support_type = "BASIC"
  }

  expect_failures = [var.cluster_support_type]
}

run "refuses_standard_support_of_an_old_version" {
  command = plan

  variables {
    cluster_version = "1.32"
  }

  expect_failures = [var.cluster_support_type]
}

run "refuses_public_addresses_for_services" {
  command = plan

  variables {
    cluster_service_ipv4_cidr = "8.8.0.0/16"
  }

  expect_failures = [var.cluster_service_ipv4_cidr]
}

run "refuses_an_api_without_an_endpoint" {
  command = plan

  variables {
    cluster_endpoint_private_access = false
  }

  expect_failures = [var.cluster_endpoint_public_access]
}

run "refuses_an_api_for_bits_beyond_a_mask" {
  command = plan

  variables {
    cluster_endpoint_public_access       = true
    cluster_endpoint_public_access_cidrs = ["203.0.113.7/24"]
  }

  expect_failures = [var.cluster_endpoint_public_access_cidrs]
}

run "refuses_a_public_api_for_nobody" {
  command = plan

  variables {
    cluster_endpoint_public_access = true
  }

  expect_failures = [var.cluster_endpoint_public_access_cidrs]
}

run "refuses_addresses_without_a_public_api" {
  command = plan

  variables {
    cluster_endpoint_public_access_cidrs = ["203.0.113.0/24"]
  }

  expect_failures = [var.cluster_endpoint_public_access_cidrs]
}

run "refuses_an_api_that_nodes_cannot_reach" {
  command = plan

  variables {
    cluster_endpoint_private_access      = false
    cluster_endpoint_public_access       = true
    cluster_endpoint_public_access_cidrs = ["203.0.113.0/24"]
  }

  expect_failures = [var.cluster_endpoint_public_access_cidrs]
}

run "refuses_a_control_plane_in_the_database" {
  command = plan

  variables {
    cluster_subnet_type = "database"
  }

  expect_failures = [var.cluster_subnet_type]
}

run "refuses_an_unknown_log" {
  command = plan

  variables {
    cluster_enabled_log_types = ["kubelet"]
  }

  expect_failures = [var.cluster_enabled_log_types]
}

run "refuses_cluster_logs_for_a_week_and_a_day" {
  command = plan

  variables {
    cluster_log_retention_in_days = 8
  }

  expect_failures = [var.cluster_log_retention_in_days]
}

run "refuses_access_for_a_name" {
  command = plan

  variables {
    access_entries = { me = { principal_arn = "me" } }
  }

  expect_failures = [var.access_entries]
}

run "refuses_access_by_an_unknown_policy" {
  command = plan

  variables {
    access_entries = { me = { principal_arn = "arn:aws:iam::123456789012:role/Admins", policy = "Admin" } }
  }

  expect_failures = [var.access_entries]
}

run "refuses_access_for_one_role_twice" {
  command = plan

  variables {
    access_entries = { me = { principal_arn = "arn:aws:iam::123456789012:role/Admins" }, too = { principal_arn = "arn:aws:iam::123456789012:role/Admins" } }
  }

  expect_failures = [var.access_entries]
}

run "refuses_access_in_the_name_of_the_bastion" {
  command = plan

  variables {
    access_entries = { bastion = { principal_arn = "arn:aws:iam::123456789012:role/Admins" } }
  }

  expect_failures = [var.access_entries]
}

run "refuses_a_configuration_that_is_not_json" {
  command = plan

  variables {
    cluster_addons = { vpc-cni = { configuration = "enableNetworkPolicy: true" }, kube-proxy = {}, coredns = {}, eks-pod-identity-agent = {} }
  }

  expect_failures = [var.cluster_addons]
}

run "refuses_a_cluster_without_dns" {
  command = plan

  variables {
    cluster_addons = { vpc-cni = {}, kube-proxy = {}, eks-pod-identity-agent = {} }
  }

  expect_failures = [var.cluster_addons]
}

run "refuses_pod_roles_without_their_agent" {
  command = plan

  variables {
    cluster_addons = { vpc-cni = {}, kube-proxy = {}, coredns = {} }
  }

  expect_failures = [var.pod_roles]
}

run "refuses_an_unknown_pod_role" {
  command = plan

  variables {
    pod_roles = { everything = { namespace = "a", service_account = "b" } }
  }

  expect_failures = [var.pod_roles]
}

run "refuses_irsa_without_a_provider" {
  command = plan

  variables {
    pod_roles = { ecr-reader = { namespace = "weather-system", service_account = "weather-operator", irsa = true } }
  }

  expect_failures = [var.pod_roles]
}

run "refuses_a_node_group_whose_name_would_overflow" {
  command = plan

  variables {
    node_groups = { twelveletter = { subnet_type = "private" } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_a_node_group_in_capitals" {
  command = plan

  variables {
    node_groups = { Private = { subnet_type = "private" } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_nodes_in_the_database" {
  command = plan

  variables {
    node_groups = { private = { subnet_type = "database" } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_both_ways_to_update" {
  command = plan

  variables {
    node_groups = { private = { subnet_type = "private", update_config = { max_unavailable = 1, max_unavailable_percentage = 50 } } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_no_way_to_update" {
  command = plan

  variables {
    node_groups = { private = { subnet_type = "private", update_config = {} } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_more_nodes_at_least_than_at_most" {
  command = plan

  variables {
    node_groups = { private = { subnet_type = "private", scaling_config = { min_size = 3, desired_size = 3, max_size = 2 } } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_an_unknown_image" {
  command = plan

  variables {
    node_groups = { private = { subnet_type = "private", ami_type = "WINDOWS" } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_an_image_that_has_ended" {
  command = plan

  variables {
    node_groups = { private = { subnet_type = "private", ami_type = "AL2_x86_64" } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_an_unknown_capacity" {
  command = plan

  variables {
    node_groups = { private = { subnet_type = "private", capacity_type = "CHEAP" } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_a_disk_too_small" {
  command = plan

  variables {
    node_groups = { private = { subnet_type = "private", disk_size = 10 } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_no_instance_types" {
  command = plan

  variables {
    node_groups = { private = { subnet_type = "private", instance_types = [] } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_an_image_of_another_processor" {
  command = plan

  variables {
    node_groups = { private = { subnet_type = "private", instance_types = ["t4g.medium"] } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_nodes_newer_than_the_cluster" {
  command = plan

  variables {
    node_groups     = { private = { subnet_type = "private", kubernetes_version = "1.36" } }
    cluster_version = "1.35"
  }

  expect_failures = [var.node_groups]
}

run "refuses_nodes_four_minors_behind" {
  command = plan

  variables {
    node_groups = { private = { subnet_type = "private", kubernetes_version = "1.32" } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_an_unknown_taint" {
  command = plan

  variables {
    node_groups = { private = { subnet_type = "private", taints = [{ key = "a", effect = "NoSchedule" }] } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_fargate_for_nobody" {
  command = plan

  variables {
    fargate_profiles = { a = { selectors = [] } }
  }

  expect_failures = [var.fargate_profiles]
}

run "refuses_fargate_by_six_labels" {
  command = plan

  variables {
    fargate_profiles = { a = { selectors = [{ namespace = "a", labels = { a = "1", b = "2", c = "3", d = "4", e = "5", f = "6" } }] } }
  }

  expect_failures = [var.fargate_profiles]
}

run "refuses_fargate_under_a_name_of_eks" {
  command = plan

  variables {
    fargate_profiles = { eks-a = { selectors = [{ namespace = "a" }] } }
  }

  expect_failures = [var.fargate_profiles]
}

run "refuses_a_repository_in_capitals" {
  command = plan

  variables {
    ecr_repositories = ["Weather"]
  }

  expect_failures = [var.ecr_repositories]
}

run "refuses_a_subnet_outside_the_vpc" {
  command = plan

  variables {
    vpc_public_subnets = ["10.1.0.0/24", "10.0.102.0/24"]
  }

  expect_failures = [terraform_data.addresses]
}

run "refuses_subnets_that_overlap" {
  command = plan

  variables {
    vpc_private_subnets = ["10.0.101.128/25", "10.0.2.0/24"]
  }

  expect_failures = [terraform_data.addresses]
}

run "refuses_a_subnet_twice" {
  command = plan

  variables {
    vpc_database_subnets = ["10.0.1.0/24", "10.0.151.0/24"]
  }

  expect_failures = [terraform_data.addresses]
}

run "refuses_services_inside_the_vpc" {
  command = plan

  variables {
    cluster_service_ipv4_cidr = "10.0.64.0/20"
  }

  expect_failures = [terraform_data.addresses]
}

run "refuses_names_too_long_together" {
  command = plan

  variables {
    business_division = "the-weather-team"
    environment       = "production"
    cluster_name      = "forecasts-uk"
  }

  expect_failures = [var.cluster_name]
}
