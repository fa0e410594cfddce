variable "repositories" {
  description = "Names of the repositories."
  type        = set(string)
}

variable "kms_key_arn" {
  description = "Key that encrypts the images."
  type        = string
}

variable "untagged_days" {
  description = "Days that an image without a tag is kept."
  type        = number
  default     = 14
}

variable "force_delete" {
  description = "Let destroy take the images with the repositories."
  type        = bool
}
