"""What a plan's users ask of the API server, and what is recorded of its objects meanwhile."""

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import kubeconfig as kubeconfigs

Body = dict[str, Any]

_GROUPS = {
    "namespaces": "api/v1",
    "services": "api/v1",
    "deployments": "apis/apps/v1",
    "replicasets": "apis/apps/v1",
    "poddisruptionbudgets": "apis/policy/v1",
    "horizontalpodautoscalers": "apis/autoscaling/v2",
    "ingresses": "apis/networking.k8s.io/v1",
    "weatherapps": "apis/weather.quantspark.io/v1",
    "weatherreleases": "apis/weather.quantspark.io/v1",
}
CHILDREN = (
    "deployments",
    "services",
    "poddisruptionbudgets",
    "horizontalpodautoscalers",
    "ingresses",
)
_APPLY, _MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
_TIMEOUT_SECONDS = 90.0
_TRIED_AGAIN = frozenset({0, 409, 429, 500, 503, 504})


class Api:
    """The API server for one user, who tries again for a while when it does not answer."""

    def __init__(self, kubeconfig: Path) -> None:
        config = kubeconfigs.read(kubeconfig)
        self._server, self._tls = kubeconfigs.server_of(config), kubeconfigs.tls_of(config)

    def apply(self, kind: str, body: Body) -> Body:
        """Apply an object: what its user said before and says no longer goes."""
        metadata = body["metadata"]
        path = _path(kind, metadata.get("namespace", ""), metadata["name"])
        return self._ask("PATCH", f"{path}?fieldManager=user&force=true", body, _APPLY) or {}

    def patch(self, kind: str, namespace: str, name: str, patch: Body) -> None:
        """Merge a patch into an object, if it is there."""
        path = _path(kind, namespace, name)
        self._ask("PATCH", f"{path}?fieldManager=somebody", patch, _MERGE)

    def scale(self, namespace: str, name: str, number: int) -> None:
        """Scale a Deployment, if it is there."""
        path = f"{_path('deployments', namespace, name)}/scale?fieldManager=somebody"
        self._ask("PATCH", path, {"spec": {"replicas": number}}, _MERGE)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object, if it is there; what it owns goes with it, later."""
        self._ask("DELETE", _path(kind, namespace, name))

    def list(self, kind: str, namespace: str) -> list[Body]:
        """Return the objects of a kind in a namespace."""
        found: list[Body] = (self._ask("GET", _path(kind, namespace)) or {})["items"]
        return found

    @contextmanager
    def recording(self, kinds: tuple[str, ...], namespace: str) -> Iterator["Record"]:
        """Record each state of a new namespace's objects of these kinds while the context lasts."""
        record = Record()
        threads = [
            threading.Thread(target=self._record, args=(record, kind, namespace), daemon=True)
            for kind in kinds
        ]
        for thread in threads:
            thread.start()
        try:
            yield record
        finally:
            record.ended.set()
            for thread in threads:
                thread.join(30)

    def _record(self, record: "Record", kind: str, namespace: str) -> None:
        """Follow one kind; a watch that ends goes on where it was, so that no state is missed."""
        version = ""
        while not record.ended.is_set():
            query = {"watch": "true", "timeoutSeconds": "5", "resourceVersion": version}
            try:
                path = f"{_path(kind, namespace)}?{urllib.parse.urlencode(query)}"
                with self._open("GET", path, None, "", timeout=20) as lines:
                    for line in lines:
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            record.is_whole = False
                            version = ""
                            break
                        version = event["object"]["metadata"]["resourceVersion"]
                        record.states.append((int(version), event["type"], kind, event["object"]))
            except (OSError, ValueError):
                record.ended.wait(0.3)

    def _ask(
        self, method: str, path: str, body: Body | None = None, content_type: str = ""
    ) -> Body | None:
        """Return the answer, None where there is no such object."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while True:
            try:
                with self._open(method, path, body, content_type, timeout=30) as answer:
                    found: Body = json.load(answer)
                    return found
            except urllib.error.HTTPError as error:
                with error:
                    code, said = error.code, error.read().decode()
            except (OSError, ValueError) as error:
                code, said = 0, str(error)
            if code == 404:
                return None
            if code not in _TRIED_AGAIN or time.monotonic() > deadline:
                raise AssertionError(f"{method} {path}: {code} {said}")
            time.sleep(0.3)

    def _open(
        self, method: str, path: str, body: Body | None, content_type: str, *, timeout: float
    ) -> Any:
        headers = {"User-Agent": "campaign", "Accept": "application/json"}
        if content_type:
            headers["Content-Type"] = content_type
        request = urllib.request.Request(  # noqa: S310 - to the cluster's own server
            f"{self._server}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers=headers,
            method=method,
        )
        return urllib.request.urlopen(  # noqa: S310
            request, timeout=timeout, context=self._tls
        )


class Record:
    """Each state of the objects: its version, the event's type, the kind and the object.

    It `is_whole` unless the API server forgot states before they were told.
    """

    def __init__(self) -> None:
        self.states: list[tuple[int, str, str, Body]] = []
        self.ended = threading.Event()
        self.is_whole = True

    def in_order(self) -> list[tuple[int, str, str, Body]]:
        """Return the states of all kinds in the order in which they came to be."""
        return sorted(self.states, key=lambda state: state[0])


def _path(kind: str, namespace: str = "", name: str = "") -> str:
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"{_GROUPS[kind]}{within}/{kind}{f'/{name}' if name else ''}"
