output "repository_urls" {
  description = "Repository name → URL to push to."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}
