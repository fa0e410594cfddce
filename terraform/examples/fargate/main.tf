# No nodes: every pod runs on Fargate. The Pod Identity agent needs a node, so roles come by IRSA.

module "weather" {
  source = "../.."

  access_entries = { admins = { principal_arn = var.administrator, policy = "AmazonEKSClusterAdminPolicy" } }

  environment = "fargate"
  node_groups = {}

  fargate_profiles = {
    system  = { selectors = [{ namespace = "kube-system" }] }
    weather = { selectors = [{ namespace = "weather-system" }, { namespace = "weather" }] }
  }

  cluster_addons = {
    vpc-cni        = {}
    kube-proxy     = {}
    coredns        = { configuration = jsonencode({ computeType = "Fargate" }) }
    metrics-server = {}
  }

  cluster_oidc_provider_enabled = true
  pod_roles = {
    load-balancer-controller = { namespace = "kube-system", service_account = "aws-load-balancer-controller", irsa = true }
    ecr-reader               = { namespace = "weather-system", service_account = "weather-operator", irsa = true }
  }
}
