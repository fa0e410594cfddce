output "names" {
  description = "Key → node group in EKS."
  value       = { for key, group in aws_eks_node_group.this : key => group.node_group_name }
}
