"""From an image's tag to its digest, by the API that nearly every registry has.

One HEAD is enough with most registries. A registry that wants a token names who gives it, which is
believed only of its own host or domain; from one that leaves the digest out the content is read,
whose hash the digest is. Whatever it answers, it becomes a digest or a RegistryError.

OCI distribution: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
Tokens: https://distribution.github.io/distribution/spec/auth/token/
"""

import hashlib
import json
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from weather_operator.releases.image_reference import (
    DOCKER_HUB,
    ImageReference,
    RegistryError,
    is_digest,
)

_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_LARGEST_ANSWER = 4 * 1024 * 1024
_EXCERPT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes = b""


def new_session() -> aiohttp.ClientSession:
    """Return a session for a RegistryClient, by the proxy that the environment names, if any."""
    return aiohttp.ClientSession(auto_decompress=False, trust_env=True)


class RegistryClient:
    """Reads registries over HTTPS, those in `insecure_registries` (`host:port`) over plain HTTP.

    No host gets a request but the one that the image names, and the token server that this one
    names under its own domain. Redirects are not followed, and no password is known.
    """

    def __init__(
        self, session: aiohttp.ClientSession, *, insecure_registries: tuple[str, ...]
    ) -> None:
        self._session = session
        self._insecure_registries = insecure_registries

    async def digest_of(self, reference: ImageReference) -> str:
        """Return the digest of the reference's own digest, where it has one, else of its tag.

        Raises RegistryError.
        """
        try:
            return await self._resolve(reference)
        except aiohttp.ClientConnectorSSLError as error:
            message = (
                f"{reference.registry} does not speak HTTPS: if it speaks plain HTTP, "
                "name it in the chart's insecureRegistries"
            )
            raise RegistryError("RegistryUnreachable", message) from error
        except aiohttp.ClientError as error:
            message = f"{reference.registry} does not answer: {error or type(error).__name__}"
            raise RegistryError("RegistryUnreachable", message) from error

    async def _resolve(self, reference: ImageReference) -> str:
        host = "registry-1.docker.io" if reference.registry == DOCKER_HUB else reference.registry
        scheme = "http" if reference.registry in self._insecure_registries else "https"
        name = reference.digest or reference.tag
        url = URL(f"{scheme}://{host}/v2/{reference.repository}/manifests/{name}")
        headers = {"Accept": ", ".join(_MANIFESTS)}
        # A HEAD does not count against the number of pulls that a registry allows.
        answer = await self._send("HEAD", url, headers)
        if answer.status == 401:
            headers["Authorization"] = await self._authorize(reference, url, answer)
            answer = await self._send("HEAD", url, headers)
        digest = answer.headers.get("Docker-Content-Digest", "")
        if answer.status == 200 and is_digest(digest):
            return digest
        return _digest_in(await self._send("GET", url, headers), reference)

    async def _authorize(self, reference: ImageReference, url: URL, unauthorized: _Answer) -> str:
        """Return the Authorization header for a token that anybody gets."""
        challenge = unauthorized.headers.get("WWW-Authenticate", "")
        challenged = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        if not challenge.lower().startswith("bearer ") or "realm" not in challenged:
            raise _denied(reference)
        realm = URL(challenged["realm"])
        if not _is_own_token_server(realm, url):
            message = (
                f"{reference.registry} sends for a token to {realm.host}, which is not its own"
            )
            raise RegistryError("UnexpectedAnswer", message)
        query = {"scope": f"repository:{reference.repository}:pull"}
        if "service" in challenged:
            query["service"] = challenged["service"]
        answer = await self._send("GET", realm.update_query(query), {})
        if answer.status in (400, 401, 403, 404):
            raise _denied(reference)
        token = _token_in(answer)
        if answer.status != 200 or token is None:
            raise _unexpected(realm.host or "", answer)
        return f"Bearer {token}"

    async def _send(self, method: str, url: URL, headers: dict[str, str]) -> _Answer:
        headers = {**headers, "Accept-Encoding": "identity"}
        async with self._session.request(
            method, url, headers=headers, allow_redirects=False
        ) as answer:
            body = bytearray()
            async for part in answer.content.iter_chunked(64 * 1024):
                body += part
                if len(body) > _LARGEST_ANSWER:
                    message = f"{url.host} answers with more than {_LARGEST_ANSWER} bytes"
                    raise RegistryError("UnexpectedAnswer", message)
            return _Answer(status=answer.status, headers=answer.headers, body=bytes(body))


def _digest_in(answer: _Answer, reference: ImageReference) -> str:
    if answer.status == 200 and _is_manifest(answer):
        return f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
    if answer.status == 404:
        name = reference.digest or f"tag {reference.tag}"
        message = f"{reference.registry} has no {name} of {reference.repository}"
        raise RegistryError("NotFound", message)
    if answer.status in (401, 403):
        raise _denied(reference)
    if answer.status == 429 or answer.status >= 500:
        message = f"{reference.registry} cannot answer now: {_excerpt(answer)}"
        raise RegistryError("RegistryUnreachable", message)
    raise _unexpected(reference.registry, answer)


def _is_manifest(answer: _Answer) -> bool:
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    return kind in _MANIFESTS and "schemaVersion" in _object_in(answer)


def _token_in(answer: _Answer) -> str | None:
    found = _object_in(answer)
    token = found.get("token") or found.get("access_token")
    return token if isinstance(token, str) and re.fullmatch(r"[!-~]+", token) else None


def _object_in(answer: _Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_own_token_server(realm: URL, registry: URL) -> bool:
    """Tell whether a token server is the registry's own: of its host, or of its domain by HTTPS."""
    if (realm.scheme, realm.host, realm.port) == (registry.scheme, registry.host, registry.port):
        return True
    return (
        realm.scheme == "https"
        and realm.port == 443
        and _domain(realm.host) == _domain(registry.host) is not None
    )


def _domain(host: str | None) -> str | None:
    try:
        ip_address(host or "")
    except ValueError:
        labels = (host or "").lower().split(".")
        return ".".join(labels[-2:]) if len(labels) > 1 else None
    return None


def _denied(reference: ImageReference) -> RegistryError:
    message = (
        f"{reference.registry} does not let everybody read {reference.repository}: either it is "
        "not there, or name the image by its digest, since the operator knows no password"
    )
    return RegistryError("AccessDenied", message)


def _unexpected(host: str, answer: _Answer) -> RegistryError:
    message = f"{host} does not answer as a registry does: {_excerpt(answer)}"
    return RegistryError("UnexpectedAnswer", message)


def _excerpt(answer: _Answer) -> str:
    text = answer.body[: 4 * _EXCERPT].decode(errors="replace")
    printable = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"HTTP {answer.status} {printable[:_EXCERPT]}".strip()
