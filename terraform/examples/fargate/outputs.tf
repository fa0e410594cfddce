output "weather" {
  description = "Every output of the root."
  value       = module.weather
}
