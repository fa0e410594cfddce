variable "aws_region" {
  description = "AWS region of the bucket."
  type        = string
  default     = "eu-west-2"
}

variable "bucket" {
  description = "Name of the bucket; null: weather-operator-state- and the account's number."
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null ? true : can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "Write bucket as 3 to 63 small letters, digits and hyphens, such as my-terraform-state: no one else in AWS may have the name."
  }
}

variable "key" {
  description = "Path of the state in the bucket; another one for each environment."
  type        = string
  default     = "weather/dev/terraform.tfstate"
}

variable "version_days" {
  description = "Days that an old version of the state is kept."
  type        = number
  default     = 90
}
