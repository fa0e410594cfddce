"""What `kubectl get` returns, without a process for each question.

A test that waits asks ten times a second, and each kubectl takes 56 ms of one core to start.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from support import kubeconfig as kubeconfigs

_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_TIMEOUT_SECONDS = 60.0
# A connection that was kept open may have been closed by the server meanwhile.
_RETRIES = urllib3.Retry(connect=0, read=1, redirect=0)


@dataclass(frozen=True, slots=True)
class _Resource:
    """Where the API server has the objects of a kind."""

    api_version: str
    kind: str
    plural: str
    is_namespaced: bool

    def path(self, namespace: str, name: str) -> str:
        """The path of one object, or of all; those of a namespace unless that is empty."""
        root = f"/api{'' if self.api_version == 'v1' else 's'}/{self.api_version}"
        within = f"/namespaces/{namespace}" if self.is_namespaced and namespace else ""
        return f"{root}{within}/{self.plural}" + (f"/{name}" if name else "")


class ApiReader:
    """Reads objects by the words of `kubectl get`; fails as it does, with AssertionError."""

    def __init__(self, kubeconfig: Path) -> None:
        config = kubeconfigs.read(kubeconfig)
        self._server = kubeconfigs.server_of(config)
        self._namespace = config["contexts"][0]["context"].get("namespace", "default")
        self._pool = urllib3.PoolManager(
            ssl_context=kubeconfigs.tls_of(config), timeout=_TIMEOUT_SECONDS, retries=_RETRIES
        )
        self._resources: dict[str, _Resource] = {}

    def get(self, *words: str) -> Any:
        """Return the object of this name, or a list: `[-n NAMESPACE] KIND[,KIND] [NAME]`."""
        wanted = _WORDS.parse_args(words)
        namespace = "" if wanted.all_namespaces else wanted.namespace or self._namespace
        selectors = {"labelSelector": wanted.selector, "fieldSelector": wanted.field_selector}
        query = urlencode({key: value for key, value in selectors.items() if value})
        bodies: list[dict[str, Any]] = []
        for name in wanted.kinds.lower().split(","):
            resource = self._resource(name)
            path = f"{resource.path(namespace, wanted.name)}?{query}"
            answer = self._ask(path)
            found = [answer] if wanted.name else answer["items"]
            for body in found:
                # In a list the server does not say what each object is.
                body.update(apiVersion=resource.api_version, kind=resource.kind)
                if not wanted.show_managed_fields:
                    body["metadata"].pop("managedFields", None)
            bodies += found
        return bodies[0] if wanted.name else {"kind": "List", "items": bodies}

    def _resource(self, name: str) -> _Resource:
        if name not in self._resources:
            # A definition may have come since.
            self._resources = dict(self._discover())
        assert name in self._resources, f'the server doesn\'t have a resource type "{name}"'
        return self._resources[name]

    def _discover(self) -> Iterator[tuple[str, _Resource]]:
        """Yield each resource by each of its names: of one that several have, the first wins."""
        known: set[str] = set()
        for group in [each for at in ("/api", "/apis") for each in self._ask(at)["items"]]:
            prefix = f"{group['metadata']['name']}/" if group["metadata"].get("name") else ""
            # Those that the server prefers come first.
            for version, each in _in_versions(group):
                resource = _Resource(
                    prefix + version,
                    each["responseKind"]["kind"],
                    each["resource"],
                    each["scope"] == "Namespaced",
                )
                names = {each["resource"], each["singularResource"], *each.get("shortNames", ())}
                for name in names - known:
                    yield name, resource
                known |= names

    def _ask(self, path: str) -> Any:
        try:
            accept = {"Accept": f"{_DISCOVERY},application/json"}
            answer = self._pool.request("GET", self._server + path, headers=accept)
        except urllib3.exceptions.HTTPError as error:
            raise AssertionError(f"{path}: {error}") from error
        assert answer.status == 200, f"{path}: {answer.status} {answer.data.decode()}"
        return json.loads(answer.data)


def reader_of(kubeconfig: Path) -> ApiReader:
    """The reader for what this kubeconfig says now."""
    return _reader(kubeconfig, kubeconfig.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _reader(kubeconfig: Path, _changed: int) -> ApiReader:
    return ApiReader(kubeconfig)


def _in_versions(group: Any) -> Iterator[tuple[str, Any]]:
    for version in group["versions"]:
        for resource in version["resources"]:
            yield version["version"], resource


_WORDS = argparse.ArgumentParser(add_help=False, exit_on_error=False)
_WORDS.add_argument("-n", "--namespace", default="")
_WORDS.add_argument("-A", "--all-namespaces", action="store_true")
_WORDS.add_argument("-l", "--selector", default="")
_WORDS.add_argument("--field-selector", default="")
_WORDS.add_argument("--show-managed-fields", action="store_true")
_WORDS.add_argument("kinds")
_WORDS.add_argument("name", nargs="?", default="")
