"""The Kubernetes API in a few verbs that speak dictionaries, through kubectl's socket."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from weather_operator.kube.resources import Key, Kind
from weather_operator.model import GROUP

from kubectl_weather import kubectl
from kubectl_weather.errors import (
    ChangedError,
    ForbiddenError,
    NotFoundError,
    NotServedError,
    PluginError,
)
from kubectl_weather.kubectl import Target

Body = dict[str, Any]

FIELD_MANAGER = "kubectl-weather"
"""Who is said to have written a field that a command of this plugin changed."""

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"

_PAGE = 500
_SECONDS = 30
_NOT_INSTALLED = f"this cluster does not know {GROUP}: install the operator first (make install)"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Api:
    """One connection to one API server, and the namespace that is meant; empty means all."""

    def __init__(self, path: Path, namespace: str) -> None:
        self.socket = path
        self.namespace = namespace
        self._skew = timedelta()
        self._connection = _UnixConnection(path)

    @property
    def now(self) -> datetime:
        """Return the time by the server's clock, which is the clock of all its objects."""
        return datetime.now(UTC) + self._skew

    def get(self, kind: Kind, key: Key) -> Body:
        """Return an object. Raises NotFoundError, ForbiddenError, PluginError."""
        return self._request("GET", path_of(kind, key))

    def find(self, kind: Kind, key: Key) -> Body | None:
        """Return an object, None where there is none."""
        try:
            return self.get(kind, key)
        except NotFoundError:
            return None

    def list(
        self, kind: Kind, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[Body]:
        """Return the objects of a kind, of one namespace or of all."""
        chosen = {"labelSelector": labels, "fieldSelector": fields}
        query = {"limit": str(_PAGE), **{name: value for name, value in chosen.items() if value}}
        found: list[Body] = []
        while True:
            page = self._request("GET", path_of(kind, Key(namespace=namespace, name="")), query)
            found += page["items"]
            if not (token := page["metadata"].get("continue")):
                return found
            query["continue"] = token

    def merge(self, kind: Kind, key: Key, patch: Body) -> Body:
        """Merge a patch into an object, as the viewer, and return the object."""
        query = {"fieldManager": FIELD_MANAGER}
        return self._request("PATCH", path_of(kind, key), query, patch, MERGE)

    def try_apply(self, kind: Kind, key: Key, manifest: Body, *, manager: str) -> Body:
        """Return what an object would be after this server-side apply; nothing is changed."""
        query = {"fieldManager": manager, "force": "true", "dryRun": "All"}
        return self._request("PATCH", path_of(kind, key), query, manifest, APPLY)

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = "application/json",
    ) -> Body:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        data = None if body is None else json.dumps(body)
        try:
            address = f"{path}?{urlencode(query)}" if query else path
            self._connection.request(method, address, data, headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            said = str(error) or type(error).__name__
            raise PluginError(f"the cluster does not answer: {said}") from error
        if date := answer.headers.get("Date"):
            server = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
            self._skew = server - datetime.now(UTC)
        if answer.status >= 300:
            raise error_of(answer.status, text)
        found: Body = json.loads(text)
        return found

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def connect(target: Target, *, read_only: bool = False) -> Iterator[Api]:
    """Give an Api for the viewer's cluster and namespace. Raises PluginError."""
    known = target.everywhere or target.namespace
    asked = None if known else kubectl.ask_namespace(target)
    try:
        with kubectl.proxy(target, read_only=read_only) as path:
            named = "" if target.everywhere else target.namespace or ""
            api = Api(path, kubectl.answered_namespace(asked) if asked else named)
            try:
                yield api
            finally:
                api.close()
    finally:
        if asked:
            kubectl.stop(asked)


def path_of(kind: Kind, key: Key) -> str:
    """Return where an object is served; without a name, where its kind is."""
    root = "/apis/" if "/" in kind.api_version else "/api/"
    parts = [root + kind.api_version]
    if key.namespace:
        parts += ["namespaces", key.namespace]
    return "/".join(part for part in [*parts, kind.plural, key.name] if part)


def error_of(status: int, text: bytes) -> PluginError:
    """Return the error that an answer stands for, in a sentence."""
    try:
        answer = json.loads(text)
    except ValueError:
        if status == 404:
            return NotServedError(_NOT_INSTALLED)
        # Not the API server: kubectl did not get through to it.
        said = text.decode(errors="replace").strip().removeprefix("Error trying to reach service: ")
        return PluginError(f"the cluster does not answer: {said[:500]}")
    message = answer.get("message") or f"HTTP {status}"
    details = answer.get("details") or {}
    if status == 401:
        return PluginError("the cluster does not know you: log in again, or check the kubeconfig")
    if status == 403:
        return ForbiddenError(f"you lack a right: {message}")
    if status == 404 and not details.get("name"):
        return NotServedError(_NOT_INSTALLED)
    if status == 404:
        return NotFoundError(message)
    if status == 409:
        return ChangedError(message)
    return PluginError(message)
