import pytest
from weather_operator.releases.image_reference import (
    ImageReference,
    RegistryError,
    is_digest,
    parse_image,
    without_digest,
)

DIGEST = f"sha256:{'0a' * 32}"


@pytest.mark.parametrize(
    ("image", "registry", "repository", "tag", "digest"),
    [
        ("weather", "docker.io", "library/weather", "latest", None),
        ("weather:2.0.0", "docker.io", "library/weather", "2.0.0", None),
        ("hatronix/weather:2.0.0", "docker.io", "hatronix/weather", "2.0.0", None),
        ("docker.io/weather:2.0.0", "docker.io", "library/weather", "2.0.0", None),
        ("registry.example/a/b/c:1", "registry.example", "a/b/c", "1", None),
        ("localhost/weather:1", "localhost", "weather", "1", None),
        ("localhost:5000/weather:1", "localhost:5000", "weather", "1", None),
        ("registry:5000/weather:1", "registry:5000", "weather", "1", None),
        ("[::1]:5000/weather:1", "[::1]:5000", "weather", "1", None),
        (f"weather@{DIGEST}", "docker.io", "library/weather", "latest", DIGEST),
        (f"r.example:1/a/w:1.0@{DIGEST}", "r.example:1", "a/w", "1.0", DIGEST),
    ],
)
def test_an_address_is_read_as_container_runtimes_read_it(
    image: str, registry: str, repository: str, tag: str, digest: str | None
) -> None:
    assert parse_image(image) == ImageReference(
        registry=registry, repository=repository, tag=tag, digest=digest
    )


@pytest.mark.parametrize(
    "image",
    ["", "a b", "Weather:1", "weather:", "http://r.example/w:1", "r.example/../w:1", "w@sha256:0"],
)
def test_what_is_no_address_is_said(image: str) -> None:
    with pytest.raises(RegistryError, match="is not the address of an image"):
        parse_image(image)


def test_the_base_is_the_address_without_a_digest() -> None:
    assert (
        without_digest(f"r.example:1/w:1@{DIGEST}")
        == without_digest("r.example:1/w:1")
        == "r.example:1/w:1"
    )
    assert is_digest(DIGEST)
    assert not is_digest(DIGEST[:-1])
