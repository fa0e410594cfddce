# Nothing leads out of the private subnets: nodes reach AWS through endpoints, and images come from
# ECR alone. No weather service is within reach either: give the WeatherApp the sample source.

module "weather" {
  source = "../.."

  access_entries = { admins = { principal_arn = var.administrator, policy = "AmazonEKSClusterAdminPolicy" } }

  environment            = "private"
  vpc_enable_nat_gateway = false
  vpc_interface_endpoints = [
    "autoscaling", "ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "logs", "sts",
  ]

  node_groups      = { private = { subnet_type = "private" } }
  ecr_repositories = ["weather", "weather-operator", "aws-load-balancer-controller", "cluster-autoscaler"]
}
