import json

import pytest
from weather_operator.kube.errors import (
    ApiError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnavailableError,
    error_of,
)

SCHEMA = "failed to create typed patch object (default/london): .spec.x: field not declared"


@pytest.mark.parametrize(
    ("status", "answer", "kind", "reason"),
    [
        (400, {"reason": "BadRequest"}, RefusedError, "BadRequest"),
        (403, {"reason": "Forbidden"}, RefusedError, "Forbidden"),
        (404, {"reason": "NotFound"}, RefusedError, "NotFound"),
        (409, {"reason": "AlreadyExists"}, ConflictError, "AlreadyExists"),
        (422, {"reason": "Invalid"}, RefusedError, "Invalid"),
        (500, {"message": SCHEMA}, RefusedError, "Invalid"),
        (500, {"message": "etcdserver: leader changed"}, UnavailableError, "Unavailable"),
        (503, {"reason": "ServiceUnavailable"}, UnavailableError, "ServiceUnavailable"),
        (410, {"reason": "Expired"}, UnavailableError, "Expired"),
        (429, {"reason": "TooManyRequests"}, UnavailableError, "TooManyRequests"),
        (401, {"reason": "Unauthorized"}, UnavailableError, "Unauthorized"),
    ],
)
def test_a_refusal_is_told_from_what_is_worth_a_retry(
    status: int, answer: dict[str, str], kind: type[ApiError], reason: str
) -> None:
    error = error_of(status, json.dumps(answer).encode())
    assert (type(error), error.status, error.reason) == (kind, status, reason)


def test_the_server_says_how_long_to_wait() -> None:
    answer = {"reason": "TooManyRequests", "details": {"retryAfterSeconds": 3}}
    for error in (error_of(429, json.dumps(answer).encode()), error_of(429, b"", 3)):
        assert isinstance(error, UnavailableError)
        assert error.retry_after == 3


def test_a_namespace_that_ends_has_a_word_of_its_own() -> None:
    answer = {"reason": "Forbidden", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}
    assert error_of(403, json.dumps(answer).encode()).reason == "NamespaceTerminating"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"details": {"name": "london", "kind": "weatherapps"}}, NotFoundError),
        (
            {"message": "the server could not find the requested resource", "details": {}},
            RefusedError,
        ),
        ({}, RefusedError),
    ],
)
def test_only_a_404_that_names_an_object_says_that_it_is_gone(
    answer: dict[str, str], kind: type[ApiError]
) -> None:
    data = json.dumps({"reason": "NotFound", **answer}).encode()
    assert type(error_of(404, data)) is kind
    assert type(error_of(404, b"404 page not found")) is RefusedError


@pytest.mark.parametrize(
    "text", ["<html>bad gateway", "[]", '"upstream"', "1", '{"details": "x"}', '{"message": {}}']
)
def test_an_answer_that_is_no_status_of_the_api_is_quoted(text: str) -> None:
    error = error_of(502, text.encode())
    assert (type(error), error.message) == (UnavailableError, text)


def test_a_status_may_leave_everything_out() -> None:
    for text in ("null", "{}", '{"message": null, "details": {"causes": null}}'):
        assert type(error_of(503, text.encode())) is UnavailableError
        assert type(error_of(403, text.encode())) is RefusedError


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 410, 422, 429, 500])
def test_what_a_webhook_denies_is_refused_whatever_status_it_gives(status: int) -> None:
    message = 'admission webhook "hosts.example.com" denied the request: the host is taken'
    answer = {"message": message, "details": {"name": "london"}}
    assert type(error_of(status, json.dumps(answer).encode())) is RefusedError
