import pytest
from weather_operator.status.image_errors import ImageError, image_error, is_image_error

IMAGE = "registry.example/timeout/denied:not-found"
BACK_OFF = f'Back-off pulling image "{IMAGE}"'
GRPC = f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}"'
HEAD = "unexpected status from HEAD request to https://registry.example/v2/x/manifests/y"


@pytest.mark.parametrize(
    ("text", "condemns", "words"),
    [
        (f"{GRPC}: failed to resolve reference: {IMAGE}: not found", True, "has no image"),
        (f"{BACK_OFF}: ErrImagePull: {GRPC}: {IMAGE}: not found", True, "has no image"),
        ("Error response from daemon: manifest unknown", True, "has no image"),
        ("no match for platform in manifest: not found", True, "has no image"),
        (f"{GRPC}: {HEAD}: 503 Service Unavailable", False, "503 Service Unavailable"),
        (f"{GRPC}: {HEAD}: 500 Internal Server Error", False, "does not answer"),
        (f"{GRPC}: {HEAD}: 429 Too Many Requests", False, "does not answer"),
        ("toomanyrequests: you have reached your pull rate limit", False, "does not answer"),
        (f"{GRPC}: dial tcp 10.0.0.1:443: connect: connection refused", False, "does not answer"),
        (f"{GRPC}: dial tcp: lookup registry.example: no such host", False, "no such host"),
        (f"{GRPC}: context deadline exceeded", False, "does not answer"),
        (f"{GRPC}: net/http: TLS handshake timeout", False, "does not answer"),
        (f"{GRPC}: unexpected EOF", False, "does not answer"),
        (f"{GRPC}: x509: certificate signed by unknown authority", False, "does not answer"),
        (f"{GRPC}: {HEAD}: 401 Unauthorized", False, "does not let the nodes pull"),
        (
            "pull access denied, repository does not exist or may require authorization",
            False,
            "does not let the nodes pull",
        ),
        (
            f"{GRPC}: failed to extract layer: failed to get reader from content store: content "
            "digest sha256:1: not found",
            False,
            "cannot be pulled: not found",
        ),
        (f'Failed to inspect image "{IMAGE}": rpc error: not found', False, "cannot be pulled"),
        (f"{GRPC}: no space left on device", False, "cannot be pulled: no space left on device"),
    ],
)
def test_what_the_registry_answered_decides(text: str, condemns: bool, words: str) -> None:
    found = image_error(IMAGE, "ErrImagePull", text)
    assert found.condemns is condemns
    assert words in found.message
    assert found.message.count(IMAGE) == 1
    assert found.is_explained


def test_a_kubelet_that_only_waits_for_its_next_try_explains_nothing() -> None:
    found = image_error(IMAGE, "ImagePullBackOff", BACK_OFF)
    assert found == ImageError(message=f"{IMAGE} cannot be pulled", is_explained=False)


def test_a_name_that_is_none_is_the_image_s_own_fault() -> None:
    assert image_error("A:b:c", "InvalidImageName", "couldn't parse image name").condemns


def test_which_reasons_are_about_an_image() -> None:
    assert is_image_error("ErrImagePull")
    assert not is_image_error("CrashLoopBackOff")
