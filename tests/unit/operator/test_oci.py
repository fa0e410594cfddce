"""What registries answer, right and wrong, and what is made of it."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from support.answering_server import Answer, AnsweringServer, answering
from weather_operator.releases.digests import DigestResolver, Lookup
from weather_operator.releases.oci import RegistryClient, new_session

MANIFEST = json.dumps({"schemaVersion": 2}).encode()
KIND = "application/vnd.oci.image.index.v1+json"
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
OTHER = f"sha256:{'0' * 64}"


@pytest.fixture
async def fake() -> AsyncIterator[AnsweringServer]:
    async with answering(manifest) as fake:
        yield fake


async def look_up(
    fake: AnsweringServer, *, pinned: str | None = None, image: str = "", seconds: float = 10
) -> Lookup:
    async with new_session() as session:
        registry = RegistryClient(session, insecure_registries=(fake.host, "registry.example"))
        resolver = DigestResolver(registry, seconds=seconds)
        return await resolver.look_up(image or f"{fake.host}/a/weather:1", pinned=pinned)


async def manifest(request: web.Request) -> web.Response:
    headers = {"Docker-Content-Digest": DIGEST}
    return web.Response(body=MANIFEST, content_type=KIND, headers=headers)


async def manifest_without_digest(request: web.Request) -> web.Response:
    return web.Response(body=MANIFEST, content_type=KIND)


def always(status: int, text: str = "", **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, headers=named)

    return answer


async def test_the_digest_is_read_from_one_request_that_is_no_pull(fake: AnsweringServer) -> None:
    assert await look_up(fake) == Lookup(digest=DIGEST)
    (request,) = fake.requests
    assert (request.method, request.path) == ("HEAD", "/v2/a/weather/manifests/1")
    assert KIND in request.headers["Accept"]


async def test_a_registry_is_asked_by_the_proxy_that_the_environment_names(
    fake: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://{fake.host}")
    assert await look_up(fake, image="registry.example/weather:1") == Lookup(digest=DIGEST)
    assert [each.host for each in fake.requests] == ["registry.example"]


async def test_a_registry_that_gives_no_digest_is_asked_for_the_content(
    fake: AnsweringServer,
) -> None:
    fake.answer = manifest_without_digest
    assert await look_up(fake) == Lookup(digest=DIGEST)


def behind(realm: str = "http://{host}/token", given: object = "t0ken") -> Answer:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/token":
            return web.json_response({"token": given})
        if request.headers.get("Authorization") == f"Bearer {given}":
            return await manifest(request)
        challenge = f'Bearer realm="{realm.format(host=request.host)}",service="s",scope="all:*"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    return answer


async def test_a_token_is_fetched_for_reading_this_repository_alone(fake: AnsweringServer) -> None:
    fake.answer = behind()
    assert await look_up(fake) == Lookup(digest=DIGEST)
    token = next(each for each in fake.requests if each.path == "/token")
    assert dict(token.query) == {"service": "s", "scope": "repository:a/weather:pull"}
    assert "Authorization" not in token.headers


LONG = "x" * (4 * 1024 * 1024 + 1)
WRONG: list[tuple[Answer, str, str]] = [
    (always(404), "NotFound", "has no tag 1 of a/weather"),
    (always(403), "AccessDenied", "does not let everybody read a/weather"),
    (always(401), "AccessDenied", "name the image by its digest"),
    (always(401, WWW_Authenticate='Basic realm="r"'), "AccessDenied", "knows no password"),
    (always(401, WWW_Authenticate="Bearer nothing"), "AccessDenied", "does not let everybody"),
    (always(503, "down for\n\x1b[2J maintenance"), "RegistryUnreachable", "503 down for [2J main"),
    (always(429, "slow down"), "RegistryUnreachable", "HTTP 429 slow down"),
    (always(200, "<html>hello</html>"), "UnexpectedAnswer", "as a registry does: HTTP 200 <html>h"),
    (always(200), "UnexpectedAnswer", "as a registry does: HTTP 200"),
    (always(200, LONG), "UnexpectedAnswer", "answers with more than 4194304 bytes"),
    (always(200, "[" * 100_000), "UnexpectedAnswer", "HTTP 200 [[["),
    (always(302, Location="http://127.0.0.1:1/"), "UnexpectedAnswer", "HTTP 302"),
    (behind(realm="http://127.0.0.1:1/token"), "UnexpectedAnswer", "which is not its own"),
    (behind(realm="https://evil.example/token"), "UnexpectedAnswer", "to evil.example, which"),
    (behind(realm="file:///etc/passwd"), "UnexpectedAnswer", "which is not its own"),
    (behind(given="a\r\nHost: b"), "UnexpectedAnswer", '{"token": "a'),
    (behind(given=["t"]), "UnexpectedAnswer", '{"token": ["t"]}'),
]


@pytest.mark.parametrize(("answer", "reason", "words"), WRONG)
async def test_whatever_it_answers_is_said(
    fake: AnsweringServer, answer: Answer, reason: str, words: str
) -> None:
    fake.answer = answer
    error = (await look_up(fake)).error
    assert error is not None
    assert (error.reason, words in error.message) == (reason, True), error.message
    assert len(error.message) < 400
    assert error.message.isprintable()


async def test_a_registry_that_never_answers_is_left(fake: AnsweringServer) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    fake.answer = hang
    error = (await look_up(fake, seconds=0.1)).error
    assert error is not None
    assert error.reason == "RegistryUnreachable"
    assert "gave no answer within 0.1 s" in error.message


async def test_one_that_is_not_named_as_plain_is_asked_by_tls_alone(fake: AnsweringServer) -> None:
    error = (await look_up(fake, image=f"localhost:{fake.port}/weather:1")).error
    assert error is not None
    assert error.reason == "RegistryUnreachable"
    assert "name it in the chart's insecureRegistries" in error.message
    assert fake.requests == []


async def test_a_moved_tag_is_noticed_and_whether_its_old_image_is_left(
    fake: AnsweringServer,
) -> None:
    async def only_the_new(request: web.Request) -> web.Response:
        return web.Response(status=404) if OTHER in request.path else await manifest(request)

    assert await look_up(fake, pinned=OTHER) == Lookup(digest=DIGEST, pinned_exists=True)
    fake.answer = only_the_new
    assert await look_up(fake, pinned=OTHER) == Lookup(digest=DIGEST, pinned_exists=False)
    assert await look_up(fake, pinned=DIGEST) == Lookup(digest=DIGEST, pinned_exists=True)


async def test_a_tag_that_is_gone_may_leave_its_image(fake: AnsweringServer) -> None:
    async def only_by_digest(request: web.Request) -> web.Response:
        return await manifest(request) if "sha256" in request.path else web.Response(status=404)

    fake.answer = only_by_digest
    assert (await look_up(fake, pinned=DIGEST)).pinned_exists
    fake.answer = always(404)
    assert not (await look_up(fake, pinned=DIGEST)).pinned_exists
