output "backend_hcl" {
  description = "What backend.hcl holds: where the state is, and its lock."
  value       = <<-HCL
    bucket       = "${aws_s3_bucket.state.id}"
    key          = "${var.key}"
    region       = "${var.aws_region}"
    encrypt      = true
    use_lockfile = true
  HCL
}
