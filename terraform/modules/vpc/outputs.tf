output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

# Whoever takes subnets from here waits until their routing works, and goes before it does.
output "public_subnets" {
  description = "Public subnets, in the order of their blocks."
  value       = [for block in var.public_subnets : aws_subnet.public[block].id]
  depends_on  = [aws_route.public, aws_route_table_association.public]
}

output "private_subnets" {
  description = "Private subnets, in the order of their blocks."
  value       = [for block in var.private_subnets : aws_subnet.private[block].id]
  depends_on  = [aws_route.private, aws_route_table_association.private, aws_vpc_endpoint.s3, aws_vpc_endpoint.interface]
}

output "database_subnets" {
  description = "Database subnets, in the order of their blocks."
  value       = [for block in var.database_subnets : aws_subnet.database[block].id]
}

output "database_subnet_group" {
  description = "Name of the RDS subnet group; null where there is none."
  value       = one(aws_db_subnet_group.this[*].name)
}

output "nat_public_ips" {
  description = "Addresses that private subnets show to the internet."
  value       = sort([for address in aws_eip.nat : address.public_ip])
}

output "availability_zones" {
  description = "Zones in use."
  value       = local.zones
}
