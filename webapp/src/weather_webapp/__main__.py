"""`python -m weather_webapp` is the container's first process."""

from weather_webapp.supervisor import main

main()
