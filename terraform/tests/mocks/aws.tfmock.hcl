# What the code takes apart, so that it must look like AWS's.

mock_data "aws_availability_zones" {
  defaults = { names = ["eu-west-2a", "eu-west-2b", "eu-west-2c"] }
}

mock_data "aws_iam_policy_document" {
  defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_region" {
  defaults = { id = "eu-west-2" }
}

mock_data "aws_eks_addon_version" {
  defaults = { version = "v1.36.0-eksbuild.1" }
}

# No group has been made yet.
mock_data "aws_autoscaling_groups" {
  defaults = { names = [] }
}

mock_data "aws_autoscaling_group" {
  defaults = { desired_capacity = 3 }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
}

mock_resource "aws_iam_openid_connect_provider" {
  defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/mock" }
}

mock_resource "aws_kms_key" {
  defaults = { arn = "arn:aws:kms:eu-west-2:123456789012:key/11111111-2222-3333-4444-555555555555" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-west-2:123456789012:log-group:mock" }
}

mock_resource "aws_launch_template" {
  defaults = { id = "lt-0123456789abcdef0", latest_version = 1 }
}

mock_resource "aws_eks_cluster" {
  defaults = {
    arn                   = "arn:aws:eks:eu-west-2:123456789012:cluster/mock"
    endpoint              = "https://MOCK.gr7.eu-west-2.eks.amazonaws.com"
    certificate_authority = [{ data = "LS0t" }]
    identity              = [{ oidc = [{ issuer = "https://oidc.example/id/MOCK" }] }]
  }
}
