# Every switch on but bastion_monitoring, which moto lacks; one minor below the newest version: there is one to go up to.
aws_account_id          = "123456789012"
cluster_version         = "1.35"
vpc_single_nat_gateway  = false
vpc_interface_endpoints = ["ecr.api", "sts"]
bastion_public_key      = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx1mD5Nq0Yy9l1m7rY1u0rA6S4m5b7dEo0n7oKcJbQ7 nobody"
bastion_allowed_cidrs   = ["203.0.113.7/32"]

cluster_endpoint_public_access       = true
cluster_endpoint_public_access_cidrs = ["203.0.113.0/24"]
cluster_oidc_provider_enabled        = true

access_entries = {
  admins  = { principal_arn = "arn:aws:iam::123456789012:role/Admins", policy = "AmazonEKSClusterAdminPolicy" }
  readers = { principal_arn = "arn:aws:iam::123456789012:role/Readers", namespaces = ["weather"] }
}

node_groups = {
  public  = { subnet_type = "public", update_config = { max_unavailable_percentage = 50 } }
  private = { subnet_type = "private", disk_size = 30, labels = { tier = "private" }, taints = [{ key = "dedicated", value = "weather", effect = "PREFER_NO_SCHEDULE" }] }
}

fargate_profiles = { weather = { selectors = [{ namespace = "weather-fargate", labels = { on = "fargate" } }] } }

pod_roles = {
  load-balancer-controller = { namespace = "kube-system", service_account = "aws-load-balancer-controller" }
  cluster-autoscaler       = { namespace = "kube-system", service_account = "cluster-autoscaler" }
  ecr-reader               = { namespace = "weather-system", service_account = "weather-operator", irsa = true }
}

ecr_repositories = ["weather", "weather-operator"]
ecr_force_delete = true
