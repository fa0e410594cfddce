locals {
  registry = "${data.aws_caller_identity.current.account_id}.dkr.ecr.${var.aws_region}.amazonaws.com"

  # Nodes without a way out pull from ECR alone: a repository of that name is where the copy is.
  own_image = { for name in ["aws-load-balancer-controller", "cluster-autoscaler"] : name =>
  contains(var.ecr_repositories, name) ? { image = { repository = "${local.registry}/${name}" } } : {} }
}

output "vpc_id" {
  description = "The VPC."
  value       = local.vpc_id
}

output "public_subnets" {
  description = "Public subnets."
  value       = local.public_subnets
}

output "private_subnets" {
  description = "Private subnets."
  value       = local.private_subnets
}

output "database_subnet_group" {
  description = "Name of the RDS subnet group; null where there is none."
  value       = one(module.vpc[*].database_subnet_group)
}

output "nat_public_ips" {
  description = "Addresses that private nodes show to the internet."
  value       = flatten(module.vpc[*].nat_public_ips)
}

output "bastion_public_ip" {
  description = "The bastion's Elastic IP; null without a bastion."
  value       = one(module.bastion[*].public_ip)
}

output "session_manager_command" {
  description = "Opens a shell on the bastion, without SSH."
  # A plain session is one of sh, which reads no profile: kubectl would know no cluster.
  value = var.bastion_enabled ? join(" ", [
    "aws ssm start-session --region ${var.aws_region} --target ${module.bastion[0].instance_id}",
    "--document-name AWS-StartInteractiveCommand --parameters '{\"command\":[\"bash --login\"]}'",
  ]) : null
}

output "tunnel_command" {
  description = "Brings the private cluster API to port 8443 of this machine, through the bastion."
  value = var.bastion_enabled ? join(" ", [
    "aws ssm start-session --region ${var.aws_region} --target ${module.bastion[0].instance_id}",
    "--document-name AWS-StartPortForwardingSessionToRemoteHost",
    "--parameters host=${trimprefix(module.eks.endpoint, "https://")},portNumber=443,localPortNumber=8443",
  ]) : null
}

output "bastion_ssh_command" {
  description = "Logs in by SSH; null unless bastion_public_key and bastion_allowed_cidrs open it."
  value       = var.bastion_enabled && length(var.bastion_allowed_cidrs) > 0 ? "ssh ec2-user@${module.bastion[0].public_ip}" : null
}

output "cluster_name" {
  description = "The cluster."
  value       = module.eks.name
}

output "cluster_version" {
  description = "Its Kubernetes version."
  value       = module.eks.version
}

output "cluster_endpoint" {
  description = "Address of its API."
  value       = module.eks.endpoint
}

output "cluster_certificate_authority_data" {
  description = "Certificate that the API is checked against, base64."
  value       = module.eks.certificate_authority_data
}

output "cluster_security_group_id" {
  description = "Security group of control plane and nodes."
  value       = module.eks.security_group_id
}

output "cluster_oidc_issuer" {
  description = "Issuer of the ServiceAccounts' tokens."
  value       = module.eks.oidc_issuer
}

output "configure_kubectl" {
  description = "Writes the kubeconfig."
  value       = "aws eks update-kubeconfig --region ${var.aws_region} --name ${module.eks.name}"
}

output "node_groups" {
  description = "Name → node group in EKS."
  value       = module.eks.node_groups
}

output "node_role_arn" {
  description = "Role of the nodes."
  value       = module.eks.node_role_arn
}

output "pod_role_arns" {
  description = "Pod role → ARN, for the annotation eks.amazonaws.com/role-arn where irsa is set."
  value       = module.eks.pod_role_arns
}

output "load_balancer_controller_values" {
  description = "Helm values for the AWS Load Balancer Controller, as YAML."
  value = yamlencode(merge({
    clusterName = module.eks.name
    region      = var.aws_region
    vpcId       = local.vpc_id
    # Its webhook refuses every Service of the cluster while the controller is away.
    enableServiceMutatorWebhook = false
    # WAF Classic is gone, Shield is a subscription, and neither answers inside the VPC alone.
    enableShield = false
    enableWaf    = false
    enableWafv2  = var.vpc_enable_nat_gateway
    serviceAccount = merge(
      { create = true, name = try(var.pod_roles["load-balancer-controller"].service_account, "aws-load-balancer-controller") },
      try(var.pod_roles["load-balancer-controller"].irsa, false) ? { annotations = { "eks.amazonaws.com/role-arn" = module.eks.pod_role_arns["load-balancer-controller"] } } : {},
    )
  }, local.own_image["aws-load-balancer-controller"]))
}

output "cluster_autoscaler_values" {
  description = "Helm values for the cluster autoscaler, as YAML."
  value = yamlencode(merge({
    cloudProvider = "aws"
    awsRegion     = var.aws_region
    autoDiscovery = { clusterName = module.eks.name }
    rbac = { serviceAccount = merge(
      { create = true, name = try(var.pod_roles["cluster-autoscaler"].service_account, "cluster-autoscaler") },
      try(var.pod_roles["cluster-autoscaler"].irsa, false) ? { annotations = { "eks.amazonaws.com/role-arn" = module.eks.pod_role_arns["cluster-autoscaler"] } } : {},
    ) }
  }, local.own_image["cluster-autoscaler"]))
}

output "operator_values" {
  description = "Helm values for the operator, as YAML: its role, where pods get theirs by IRSA."
  value = yamlencode({
    serviceAccountAnnotations = try(var.pod_roles["ecr-reader"].irsa, false) ? { "eks.amazonaws.com/role-arn" = module.eks.pod_role_arns["ecr-reader"] } : {}
  })
}

output "ecr_registry" {
  description = "What REGISTRY is in make push and make install."
  value       = local.registry
}

output "ecr_repository_urls" {
  description = "Repository → URL."
  value       = module.ecr.repository_urls
}
