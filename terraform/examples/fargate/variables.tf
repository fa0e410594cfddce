variable "administrator" {
  description = "ARN of the IAM role or user that may do everything in the cluster; it must exist."
  type        = string
}
