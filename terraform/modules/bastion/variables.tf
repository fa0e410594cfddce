variable "name" {
  description = "Name of the instance and of what belongs to it."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the subnet."
  type        = string
}

variable "subnet_id" {
  description = "Public subnet to stand in."
  type        = string
}

variable "cluster_name" {
  description = "Cluster that kubectl is configured for."
  type        = string
}

variable "kubernetes_version" {
  description = "Minor version of the kubectl that is installed at first start."
  type        = string
}

variable "instance_type" {
  description = "EC2 instance type."
  type        = string
}

variable "ami_os" {
  description = "al2023 or amzlinux2."
  type        = string
}

variable "key_name" {
  description = "Name of the key pair that the public key becomes."
  type        = string
}

variable "public_key" {
  description = "SSH public key; null: Session Manager alone."
  type        = string
  default     = null
}

variable "allowed_cidrs" {
  description = "Blocks that may open SSH; empty: port 22 stays shut."
  type        = set(string)
  default     = []
}

variable "monitoring" {
  description = "Metrics every minute (paid) instead of every five."
  type        = bool
  default     = false
}
