# Everything once, on mocks: what tests/terraform/test_values.py reads, run by run and value by value.
# Where two of a kind would look alike, each has a name of its own here, so that a mix-up shows.

mock_provider "aws" {
  source = "./tests/mocks"

  override_resource {
    target = module.eks.aws_iam_role.eks_master_role
    values = {
      arn = "arn:aws:iam::123456789012:role/cluster"
    }
  }

  override_resource {
    target = module.eks.aws_iam_role.eks_nodegroup_role
    values = {
      arn = "arn:aws:iam::123456789012:role/nodes"
    }
  }

  override_resource {
    target = module.eks.aws_iam_role.eks_fargate_role[0]
    values = {
      arn = "arn:aws:iam::123456789012:role/fargate"
    }
  }

  override_resource {
    target = module.bastion[0].aws_iam_role.this
    values = {
      arn = "arn:aws:iam::123456789012:role/bastion"
    }
  }

  override_resource {
    target = module.vpc[0].aws_iam_role.flow[0]
    values = {
      arn = "arn:aws:iam::123456789012:role/flow-logs"
    }
  }

  override_resource {
    target = module.eks.aws_iam_role.pod["load-balancer-controller"]
    values = {
      arn = "arn:aws:iam::123456789012:role/load-balancer-controller"
    }
  }

  override_resource {
    target = module.eks.aws_iam_role.pod["cluster-autoscaler"]
    values = {
      arn = "arn:aws:iam::123456789012:role/cluster-autoscaler"
    }
  }

  override_resource {
    target = module.eks.aws_iam_role.pod["ecr-reader"]
    values = {
      arn = "arn:aws:iam::123456789012:role/ecr-reader"
    }
  }

  override_resource {
    target = module.eks.module.public_nodes.aws_launch_template.node["public"]
    values = {
      id             = "lt-public"
      latest_version = "7"
    }
  }

  override_resource {
    target = module.eks.module.private_nodes.aws_launch_template.node["private"]
    values = {
      id             = "lt-private"
      latest_version = "8"
    }
  }

  override_resource {
    target = module.eks.aws_cloudwatch_log_group.this
    values = {
      arn = "arn:aws:logs:eu-west-2:123456789012:log-group:cluster"
    }
  }

  override_resource {
    target = module.vpc[0].aws_cloudwatch_log_group.flow[0]
    values = {
      arn = "arn:aws:logs:eu-west-2:123456789012:log-group:flow"
    }
  }

  override_data {
    target = module.bastion[0].data.aws_iam_policy_document.describe_cluster
    values = { json = "{\"document\":\"module.bastion[0].describe_cluster\"}" }
  }

  override_data {
    target = module.bastion[0].data.aws_iam_policy_document.trust
    values = { json = "{\"document\":\"module.bastion[0].trust\"}" }
  }

  override_data {
    target = module.eks.data.aws_iam_policy_document.cluster_autoscaler
    values = { json = "{\"document\":\"module.eks.cluster_autoscaler\"}" }
  }

  override_data {
    target = module.eks.data.aws_iam_policy_document.cluster_key
    values = { json = "{\"document\":\"module.eks.cluster_key\"}" }
  }

  override_data {
    target = module.eks.data.aws_iam_policy_document.cluster_trust
    values = { json = "{\"document\":\"module.eks.cluster_trust\"}" }
  }

  override_data {
    target = module.eks.data.aws_iam_policy_document.ecr_reader
    values = { json = "{\"document\":\"module.eks.ecr_reader\"}" }
  }

  override_data {
    target = module.eks.data.aws_iam_policy_document.fargate_trust
    values = { json = "{\"document\":\"module.eks.fargate_trust\"}" }
  }

  override_data {
    target = module.eks.data.aws_iam_policy_document.load_balancer_controller
    values = { json = "{\"document\":\"module.eks.load_balancer_controller\"}" }
  }

  override_data {
    target = module.eks.data.aws_iam_policy_document.node_trust
    values = { json = "{\"document\":\"module.eks.node_trust\"}" }
  }

  override_data {
    target = module.eks.data.aws_iam_policy_document.pod_trust["cluster-autoscaler"]
    values = { json = "{\"document\":\"module.eks.pod_trust[cluster-autoscaler]\"}" }
  }

  override_data {
    target = module.eks.data.aws_iam_policy_document.pod_trust["ecr-reader"]
    values = { json = "{\"document\":\"module.eks.pod_trust[ecr-reader]\"}" }
  }

  override_data {
    target = module.eks.data.aws_iam_policy_document.pod_trust["load-balancer-controller"]
    values = { json = "{\"document\":\"module.eks.pod_trust[load-balancer-controller]\"}" }
  }

  override_data {
    target = module.vpc[0].data.aws_iam_policy_document.flow[0]
    values = { json = "{\"document\":\"module.vpc[0].flow[0]\"}" }
  }

  override_data {
    target = module.vpc[0].data.aws_iam_policy_document.flow_trust
    values = { json = "{\"document\":\"module.vpc[0].flow_trust\"}" }
  }
}

run "everything" {
  command = apply
}
