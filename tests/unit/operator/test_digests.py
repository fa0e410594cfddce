from typing import Any

import pytest
from weather_operator.releases.digests import Lookup, release_status
from weather_operator.releases.image_reference import RegistryError

NOW, LATER = "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"
IMAGE = "r.example/weather:2.0.0"
ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def body(shown: dict[str, Any] | None = None, *, generation: int = 1) -> dict[str, Any]:
    return {
        "metadata": {"name": "2.0.0", "uid": "u", "generation": generation},
        "spec": {"version": "2.0.0", "colour": "green", "image": IMAGE},
        "status": shown or {},
    }


def error(reason: str) -> Lookup:
    return Lookup(error=RegistryError(reason, "the registry says why"))


PINNED = {"observedGeneration": 1, "digest": ONE}
GONE = Lookup(error=RegistryError("NotFound", "no tag"), pinned_exists=False)


@pytest.mark.parametrize(
    ("before", "lookup", "conflicting_releases", "digest", "value", "reason", "words"),
    [
        ({}, Lookup(digest=ONE), [], ONE, "True", "Resolved", "pods are given its digest"),
        (PINNED, Lookup(digest=ONE), [], ONE, "True", "Resolved", "pods are given its digest"),
        (PINNED, Lookup(digest=TWO), [], ONE, "True", "TagMoved", f"the image {IMAGE}@{TWO}"),
        (
            PINNED,
            Lookup(digest=TWO, pinned_exists=False),
            [],
            ONE,
            "False",
            "TagMoved",
            "is gone from the",
        ),
        (PINNED, error("NotFound"), [], ONE, "True", "TagGone", f"pods go on with {ONE}"),
        (PINNED, GONE, [], ONE, "False", "TagGone", "is gone from the registry"),
        ({}, error("NotFound"), [], None, "False", "NotFound", "the registry says why"),
        ({}, error("InvalidImage"), [], None, "False", "InvalidImage", "the registry says why"),
        ({}, error("AccessDenied"), [], None, "Unknown", "AccessDenied", "the registry says why"),
        (PINNED, error("RegistryUnreachable"), [], ONE, "Unknown", "RegistryUnreachable", "why"),
        (PINNED, error("UnexpectedAnswer"), [], ONE, "Unknown", "UnexpectedAnswer", "says why"),
        (PINNED, Lookup(digest=ONE), ["b"], ONE, "False", "AmbiguousVersion", "claimed by b too"),
    ],
)
def test_the_condition_says_what_the_registry_said(
    before: dict[str, Any],
    lookup: Lookup,
    conflicting_releases: list[str],
    digest: str | None,
    value: str,
    reason: str,
    words: str,
) -> None:
    shown = release_status(body(before), lookup, conflicting_releases, now=NOW)
    (condition,) = shown["conditions"]
    assert shown.get("digest") == digest
    assert (condition["type"], condition["status"]) == ("Available", value)
    assert condition["reason"] == reason
    assert words in condition["message"]


def test_the_digest_is_the_first_one_until_the_release_is_changed() -> None:
    first = release_status(body(), Lookup(digest=ONE), [], now=NOW)
    assert release_status(body(first), Lookup(digest=TWO), [], now=NOW)["digest"] == ONE
    changed = release_status(body(first, generation=2), Lookup(digest=TWO), [], now=NOW)
    assert (changed["digest"], changed["observedGeneration"]) == (TWO, 2)


def test_the_time_is_that_of_the_last_change_and_nothing_else_has_a_time() -> None:
    first = release_status(body(), Lookup(digest=ONE), [], now=NOW)
    assert release_status(body(first), Lookup(digest=ONE), [], now=LATER) == first
    moved = release_status(body(first), Lookup(digest=TWO), [], now=LATER)
    assert moved["conditions"][0]["lastTransitionTime"] == NOW
    lost = release_status(body(first), error("RegistryUnreachable"), [], now=LATER)
    assert lost["conditions"][0]["lastTransitionTime"] == LATER
