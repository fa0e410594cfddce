# The original's choices, as far as AWS still takes them. SSH from 0.0.0.0/0 is refused: name your own blocks.

module "weather" {
  source = "../.."

  access_entries = { admins = { principal_arn = var.administrator, policy = "AmazonEKSClusterAdminPolicy" } }

  aws_region        = "us-east-1"
  environment       = "dev"
  business_division = "SAP"

  bastion_ami_os        = "amzlinux2"
  bastion_public_key    = var.bastion_public_key
  bastion_allowed_cidrs = var.bastion_allowed_cidrs

  # The last version with an image of Amazon Linux 2; its extended support ends on 23 March 2027.
  cluster_version      = "1.32"
  cluster_support_type = "EXTENDED"

  cluster_subnet_type                  = "public"
  cluster_endpoint_private_access      = false
  cluster_endpoint_public_access       = true
  cluster_endpoint_public_access_cidrs = ["0.0.0.0/0"]

  node_groups = {
    public  = { subnet_type = "public", ami_type = "AL2_x86_64" }
    private = { subnet_type = "private", ami_type = "AL2_x86_64" }
  }
}
