from pathlib import Path

import pytest
from weather_webapp import bundled_places
from weather_webapp.bundled_places import MAX_SUGGESTIONS, Table, find_bundled, similar_names
from weather_webapp.regions import fold

PACKAGE = Path(bundled_places.__file__).parent


@pytest.mark.parametrize(
    ("city", "country", "latitude", "longitude"),
    [
        ("London", "GB", 51.5, -0.1),
        ("London, UK", "GB", 51.5, -0.1),
        ("London, England", "GB", 51.5, -0.1),
        ("London, Ontario", "CA", 43.0, -81.2),
        ("London, ON, Canada", "CA", 43.0, -81.2),
        ("Cambridge", "GB", 52.2, 0.1),
        ("Cambridge, MA", "US", 42.4, -71.1),
        ("New York, NY", "US", 40.7, -74.0),
        ("Washington, DC", "US", 38.9, -77.0),
        ("Washington, D.C.", "US", 38.9, -77.0),
        ("Washington, DC, USA", "US", 38.9, -77.0),
        ("Munich, Germany", "DE", 48.1, 11.6),
        ("München, Deutschland", "DE", 48.1, 11.6),
        ("muenchen, bayern", "DE", 48.1, 11.6),
        ("munich, allemagne", "DE", 48.1, 11.6),
        ("Kraków, województwo małopolskie", "PL", 50.1, 19.9),
        ("ミュンヘン, ドイツ", "DE", 48.1, 11.6),
        ("Perth, Western Australia", "AU", -32.0, 115.9),
        ("Perth, Scotland", "GB", 56.4, -3.4),
        ("\u0130stanbul", "TR", 41.0, 28.9),
        ("Lon\u200ddon", "GB", 51.5, -0.1),
        ("Sao Paulo", "BR", -23.5, -46.6),
        ("Peking", "CN", 39.9, 116.4),
        ("Frankfurt", "DE", 50.1, 8.7),
        ("Singapur", "SG", 1.3, 103.9),
        ("St Petersburg", "RU", 59.9, 30.3),
        ("Valencia", "ES", 39.5, -0.4),
        ("York", "GB", 54.0, -1.1),
        ("Vaduz", "LI", 47.1, 9.5),
    ],
)
def test_a_city_is_found_with_its_region(
    city: str, country: str, latitude: float, longitude: float
) -> None:
    place = find_bundled(city)
    assert place
    assert place.country == country
    assert (place.latitude, place.longitude) == pytest.approx((latitude, longitude), abs=0.1)


@pytest.mark.parametrize(
    "city", ["London, Ohio", "Paris, Texas", "New York, CA", "Munich, ND", "Atlantis", "", ", UK"]
)
def test_a_city_is_not_taken_for_one_elsewhere(city: str) -> None:
    assert find_bundled(city) is None


def test_a_city_is_spelled_as_it_was_asked_for() -> None:
    names = [place.name for city in ("zurich", "zürich", "ZÜRICH") if (place := find_bundled(city))]
    assert names == ["Zurich", "Zürich", "Zürich"]


@pytest.mark.parametrize("name", ["places.tsv", "regions.tsv"])
def test_each_line_of_a_table_is_found(name: str) -> None:
    lines = [line.split("\t") for line in (PACKAGE / name).read_text().splitlines()]
    assert [fold(line[0]) for line in lines] == sorted(fold(line[0]) for line in lines)
    table = Table(name)
    for line in (lines[0], lines[1], *lines[2:-2:97], lines[-2], lines[-1]):
        assert line in list(table.find(line[0]))


def test_suggestions_are_of_different_places_and_few() -> None:
    assert similar_names("Lodnon")[0] == "London"
    assert similar_names("Monachiumm")[0] == "Monachium"
    assert len(similar_names("San")) <= MAX_SUGGESTIONS
    places = [find_bundled(name) for name in similar_names("Munchn")]
    assert len({(place.latitude, place.longitude) for place in places if place}) == len(places)
    assert similar_names("xyzzyq") == ()
