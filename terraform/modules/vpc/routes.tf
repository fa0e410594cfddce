locals {
  private_zones = distinct([for block in var.private_subnets : local.zone_of[block]])

  # Zone → public subnet that holds the zone's NAT gateway.
  nat_in_zone = { for zone in local.private_zones : zone => [for block in var.public_subnets : block if local.zone_of[block] == zone][0]
  if var.enable_nat_gateway && !var.single_nat_gateway }
  nat_gateways = var.enable_nat_gateway && var.single_nat_gateway ? { single = var.public_subnets[0] } : local.nat_in_zone

  # One private route table, or one per zone that has a gateway of its own.
  private_tables = length(local.nat_in_zone) > 0 ? toset(keys(local.nat_in_zone)) : toset(["single"])
  table_of = { for block in distinct(concat(var.private_subnets, var.database_subnets)) : block =>
  contains(local.private_tables, local.zone_of[block]) ? local.zone_of[block] : sort(local.private_tables)[0] }
  database_alone = var.create_database_subnet_route_table && length(var.database_subnets) > 0
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "public" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public.id
}

resource "aws_eip" "nat" {
  for_each = local.nat_gateways

  domain     = "vpc"
  tags       = { Name = "${var.name}-nat-${each.key}" }
  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  for_each = local.nat_gateways

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.value].id
  tags          = { Name = "${var.name}-${each.key}" }
  depends_on    = [aws_route.public, aws_route_table_association.public]
}

resource "aws_route_table" "private" {
  for_each = local.private_tables

  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route" "private" {
  for_each = local.nat_gateways

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[each.key].id
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private[local.table_of[each.key]].id
}

resource "aws_route_table" "database" {
  count = local.database_alone ? 1 : 0

  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-database" }
}

resource "aws_route_table_association" "database" {
  for_each = aws_subnet.database

  subnet_id      = each.value.id
  route_table_id = local.database_alone ? aws_route_table.database[0].id : aws_route_table.private[local.table_of[each.key]].id
}
