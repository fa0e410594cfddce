"""What an image registry has under a name, read from its own bytes.

A digest is the hash of the manifest exactly as the registry serves it; what a program prints of it
may be indented anew. Passwords are those of `docker login`, `podman login` and `buildah login`.

OCI distribution: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
Tokens: https://distribution.github.io/distribution/spec/auth/token/
"""

import base64
import hashlib
import json
import re
import socket
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from ipaddress import ip_address
from typing import Any

from weather_cluster import settings
from weather_cluster.errors import ClusterError

DOCKER_HUB = "docker.io"
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_LARGEST_ANSWER = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryImage:
    """An image in a registry: its digest, and its configuration's ("" for an index)."""

    digest: str
    configuration: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Registry:
    name: str
    insecure: bool

    @property
    def host(self) -> str:
        return "registry-1.docker.io" if self.name == DOCKER_HUB else self.name

    def get(self, path: str, headers: dict[str, str]) -> _Answer:
        """Send a GET by HTTPS; where that is allowed, without verifying, and by plain HTTP."""
        try:
            return _get(f"https://{self.host}{path}", headers, insecure=self.insecure)
        except ssl.SSLError as error:
            if self.insecure:
                return _get(f"http://{self.host}{path}", headers)
            raise ClusterError(
                f"{self.name} cannot be verified over HTTPS ({error.reason or error}): if it is "
                "yours and speaks plain HTTP, or has a certificate of its own, say INSECURE=1"
            ) from error


def find(reference: str, *, insecure: bool) -> RegistryImage | None:
    """Return what a registry has under this name with a tag, None when it has nothing.

    An `insecure` registry may speak plain HTTP or show any certificate. Raises ClusterError when
    the registry does not answer, or not to these passwords.
    """
    name, repository, tag = _parts(reference)
    registry = _Registry(name=name, insecure=insecure)
    path = f"/v2/{repository}/manifests/{tag}"
    headers = {"Accept": ", ".join(_MANIFESTS)}
    try:
        answer = registry.get(path, headers)
        if answer.status == 401:
            challenge = answer.headers.get("WWW-Authenticate", "")
            headers["Authorization"] = _authorization(registry, repository, challenge)
            answer = registry.get(path, headers)
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise ClusterError(f"the registry {name} does not answer: {reason}") from error
    return _image_in(answer, reference)


def is_this_machine(reference: str) -> bool:
    """Tell whether an image's registry is at an address of this machine, which no wire leads to."""
    host, _, _ = _parts(reference)
    name = urllib.parse.urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


def _parts(reference: str) -> tuple[str, str, str]:
    """Return registry, repository and tag, as container programs read them."""
    path, _, tag = reference.rpartition(":")
    host, slash, rest = path.partition("/")
    if slash and (set(".:") & set(host) or host == "localhost"):
        return host, rest, tag
    return DOCKER_HUB, path if slash else f"library/{path}", tag


def _image_in(answer: _Answer, reference: str) -> RegistryImage | None:
    if answer.status == 404:
        return None
    registry = _parts(reference)[0]
    if answer.status in (401, 403):
        raise ClusterError(
            f"{registry} does not let you read {reference}: log in with docker login {registry} "
            f"(or buildah login {registry})"
        )
    manifest = _object_in(answer.body)
    if answer.status != 200 or "schemaVersion" not in manifest:
        begin = answer.body[:120].decode(errors="replace")
        raise ClusterError(f"{registry} answers {reference} with HTTP {answer.status}: {begin!r}")
    return RegistryImage(
        digest=f"sha256:{hashlib.sha256(answer.body).hexdigest()}",
        configuration=manifest.get("config", {}).get("digest", ""),
    )


def _authorization(registry: _Registry, repository: str, challenge: str) -> str:
    """Return the header that answers a registry's challenge; "" when there is none to give."""
    password = _password_for(registry.name)
    basic = f"Basic {password}" if password else ""
    if not challenge.lower().startswith("bearer "):
        return basic
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = asked.get("realm", "")
    if urllib.parse.urlsplit(realm).scheme != "https" and not registry.insecure:
        raise ClusterError(f"{registry.name} sends for a token to {realm!r}, which is not HTTPS")
    query = {"scope": f"repository:{repository}:pull"}
    if "service" in asked:
        query["service"] = asked["service"]
    headers = {"Authorization": basic} if basic else {}
    url = f"{realm}{'&' if '?' in realm else '?'}{urllib.parse.urlencode(query)}"
    found = _object_in(_get(url, headers, insecure=registry.insecure).body)
    token = found.get("token") or found.get("access_token")
    return f"Bearer {token}" if isinstance(token, str) else basic


def _password_for(registry: str) -> str | None:
    """Return "user:password" of a registry in base64, None when nobody logged in there."""
    names = [registry, f"https://{registry}"]
    if registry == DOCKER_HUB:
        names.append("https://index.docker.io/v1/")
    for logins in _logins():
        for name in names:
            helper = logins.get("credHelpers", {}).get(name) or logins.get("credsStore")
            found = _from_helper(helper, name) if helper else None
            found = found or logins.get("auths", {}).get(name, {}).get("auth")
            if found:
                return str(found)
    return None


def _logins() -> Iterator[dict[str, Any]]:
    for file in settings.login_files():
        try:
            yield _object_in(file.read_bytes())
        except OSError:
            continue


def _from_helper(helper: str, name: str) -> str | None:
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=name,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    found = _object_in(done.stdout.encode()) if done.returncode == 0 else {}
    if not found.get("Secret"):
        return None
    return base64.b64encode(f"{found.get('Username', '')}:{found['Secret']}".encode()).decode()


def _get(url: str, headers: dict[str, str], *, insecure: bool = False) -> _Answer:
    """Send a GET whose redirects lose the headers. Raises OSError, SSLError where TLS failed."""
    context = ssl._create_unverified_context() if insecure else ssl.create_default_context()  # noqa: S323 - this machine's own, or named by the user
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(url)  # noqa: S310 - http and https alone are built above
    for name, value in {**headers, "Accept-Encoding": "identity"}.items():
        # Another host, which a registry redirects to, is not to see a password.
        add = request.add_header if name == "Accept" else request.add_unredirected_header
        add(name, value)
    try:
        with opener.open(request, timeout=30) as answer:
            return _read(answer.status, answer)
    except urllib.error.HTTPError as answer:
        with answer:
            return _read(answer.code, answer)
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            raise error.reason from error
        raise


def _read(status: int, answer: Any) -> _Answer:
    body = answer.read(_LARGEST_ANSWER + 1)
    if len(body) > _LARGEST_ANSWER:
        raise ClusterError(f"{answer.url} answers with more than {_LARGEST_ANSWER} bytes")
    return _Answer(status=status, headers=answer.headers, body=body)


def _object_in(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
