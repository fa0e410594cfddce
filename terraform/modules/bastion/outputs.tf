output "public_ip" {
  description = "The Elastic IP."
  value       = aws_eip.bastion_eip.public_ip
}

output "instance_id" {
  description = "What Session Manager calls it."
  value       = aws_instance.this.id
}

output "security_group_id" {
  description = "Whom the cluster API must let in."
  value       = aws_security_group.this.id
}

output "role_arn" {
  description = "Who kubectl on the host is."
  value       = aws_iam_role.this.arn
}
