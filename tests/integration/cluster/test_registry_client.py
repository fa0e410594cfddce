"""What a real registry has, whatever it speaks."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from support.registry import ImageRegistry, digest_of, manifest_of, running_registry
from weather_cluster import registry_client
from weather_cluster.errors import ClusterError


@pytest.fixture
def registry() -> Iterator[ImageRegistry]:
    with running_registry() as registry:
        yield registry


@pytest.fixture
def tls_registry(tmp_path: Path) -> Iterator[ImageRegistry]:
    """A registry with a certificate that nobody here trusts."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    file, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(file)
    issued.private_key_pem.write_to_path(key)
    with running_registry((file, key)) as registry:
        yield registry


def test_a_digest_is_that_of_the_registrys_own_bytes(registry: ImageRegistry) -> None:
    document = json.dumps(json.loads(manifest_of("one")), indent="\t").encode() + b"\n"
    pushed = registry.push("weather", "1.0.0", content="one", document=document)
    assert pushed == digest_of(document) != digest_of(manifest_of("one"))
    found = registry_client.find(f"{registry.host}/weather:1.0.0", insecure=True)
    assert found is not None
    assert found.digest == pushed
    assert found.configuration == json.loads(document)["config"]["digest"]


def test_a_registry_of_plain_http_has_an_image_or_has_it_not(registry: ImageRegistry) -> None:
    registry.push("weather", "1.0.0", content="one")
    assert registry_client.find(f"{registry.host}/weather:1.0.0", insecure=True)
    assert registry_client.find(f"{registry.host}/weather:2.0.0", insecure=True) is None
    assert registry_client.find(f"{registry.host}/rain:1.0.0", insecure=True) is None


def test_plain_http_that_nobody_allowed_is_said(registry: ImageRegistry) -> None:
    registry.push("weather", "1.0.0", content="one")
    with pytest.raises(ClusterError, match=r"speaks plain HTTP.*INSECURE=1"):
        registry_client.find(f"{registry.host}/weather:1.0.0", insecure=False)


def test_a_certificate_is_verified_unless_the_user_says_otherwise(
    tls_registry: ImageRegistry,
) -> None:
    digest = tls_registry.push("weather", "1.0.0", content="one")
    reference = f"{tls_registry.host}/weather:1.0.0"
    with pytest.raises(ClusterError, match=r"cannot be verified.*INSECURE=1"):
        registry_client.find(reference, insecure=False)
    found = registry_client.find(reference, insecure=True)
    assert found is not None
    assert found.digest == digest


def test_a_registry_that_does_not_answer_has_no_answer(registry: ImageRegistry) -> None:
    registry.stop()
    with pytest.raises(ClusterError, match="does not answer"):
        registry_client.find(f"{registry.host}/weather:1.0.0", insecure=True)
