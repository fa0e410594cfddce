"""Places for tests, as the web app knows them by itself."""

from weather_webapp.bundled_places import find_bundled
from weather_webapp.weather import Place


def bundled(city: str) -> Place:
    """Return the bundled place of this name."""
    found = find_bundled(city)
    assert found, city
    return found
