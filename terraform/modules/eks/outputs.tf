output "name" {
  description = "The cluster."
  value       = aws_eks_cluster.eks_cluster.name
}

output "endpoint" {
  description = "Address of its API."
  value       = aws_eks_cluster.eks_cluster.endpoint
}

output "certificate_authority_data" {
  description = "Certificate that the API is checked against, base64."
  value       = aws_eks_cluster.eks_cluster.certificate_authority[0].data
}

output "version" {
  description = "Minor version of the control plane."
  value       = aws_eks_cluster.eks_cluster.version
}

output "security_group_id" {
  description = "Security group that EKS made for control plane and nodes."
  value       = aws_eks_cluster.eks_cluster.vpc_config[0].cluster_security_group_id
}

output "oidc_issuer" {
  description = "Issuer of the ServiceAccounts' tokens."
  value       = aws_eks_cluster.eks_cluster.identity[0].oidc[0].issuer
}

output "node_role_arn" {
  description = "Role of the nodes."
  value       = aws_iam_role.eks_nodegroup_role.arn
}

output "node_groups" {
  description = "Name → node group in EKS."
  value       = merge(module.public_nodes.names, module.private_nodes.names)
}

output "pod_role_arns" {
  description = "Pod role → ARN."
  value       = { for name, role in aws_iam_role.pod : name => role.arn }
}
