"""What a registry has under an image's name."""

import hashlib
import ipaddress
import json
from dataclasses import dataclass

from weather_cluster import toolchain
from weather_cluster.errors import ClusterError
from weather_cluster.programs import run

_NOT_THERE = ("manifest unknown", "name unknown", "no such manifest", "not found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An image in a registry: its digest, and its configuration's without "sha256:"."""

    digest: str
    configuration: str


def find(reference: str, *, docker: bool) -> Found | None:
    """Give what the registry has, None where it has nothing. Raises ClusterError."""
    if not docker:
        toolchain.require("skopeo")
    plain = ("--tls-verify=false",) if is_plain(reference) else ()
    skopeo = ("skopeo", "inspect", "--raw", *plain, f"docker://{reference}")
    try:
        text = run(*(("docker", "manifest", "inspect", reference) if docker else skopeo))
    except ClusterError as error:
        if any(words in str(error).lower() for words in _NOT_THERE):
            return None
        raise
    configuration = json.loads(text).get("config", {}).get("digest", "")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Found(digest=f"sha256:{digest}", configuration=configuration.removeprefix("sha256:"))


def is_plain(reference: str) -> bool:
    """Registries on this machine or in a private network speak plain HTTP."""
    host = reference.partition("/")[0].partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"
