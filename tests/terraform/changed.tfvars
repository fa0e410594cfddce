# Beside everything.tfvars: what a year brings. One group of nodes gets a successor, another more of them.
cluster_endpoint_public_access_cidrs = ["198.51.100.0/24"]
ecr_repositories                     = ["weather", "weather-operator", "more"]

node_groups = {
  public  = { subnet_type = "public", update_config = { max_unavailable_percentage = 50 }, scaling_config = { desired_size = 2, min_size = 2, max_size = 3 } }
  private = { subnet_type = "private", disk_size = 30, labels = { tier = "private" }, taints = [{ key = "dedicated", value = "weather", effect = "PREFER_NO_SCHEDULE" }], instance_types = ["t3.large"] }
}
