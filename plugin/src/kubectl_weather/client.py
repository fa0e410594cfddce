"""The Kubernetes API in a few verbs over dictionaries, through kubectl's proxy."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from weather_operator.kube.resources import Key, Kind, Manifest

from kubectl_weather import kubectl
from kubectl_weather.errors import NotFoundError, items_of, object_of, unanswered
from kubectl_weather.kubectl import LOOPBACK, Address, Target

FIELD_MANAGER = "kubectl-weather"
"""The manager of the fields that a command of this plugin changes."""

PAGE_SIZE = 500
"""How many objects a list gives at once."""

_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"
_TIMEOUT_SECONDS = 30


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Client:
    """One connection to one API server, and the namespace of the command; empty means all."""

    def __init__(self, address: Address, namespace: str) -> None:
        self.address = address
        self.namespace = namespace
        self._skew = timedelta()
        self._connection = (
            _UnixConnection(address.socket)
            if address.socket
            else http.client.HTTPConnection(LOOPBACK, address.port, timeout=_TIMEOUT_SECONDS)
        )

    @property
    def now(self) -> datetime:
        """The time by the server's clock, which also dated all its objects."""
        return datetime.now(UTC) + self._skew

    def get(self, kind: Kind, key: Key) -> Manifest:
        """Return an object. Raises NotFoundError, ForbiddenError, PluginError."""
        return object_of(*self._response("GET", path_of(kind, key)))

    def find(self, kind: Kind, key: Key) -> Manifest | None:
        """Return an object, None where there is none."""
        try:
            return self.get(kind, key)
        except NotFoundError:
            return None

    def list(
        self, kind: Kind, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[Manifest]:
        """Return the objects of a kind, of one namespace or of all."""
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        query = {"limit": str(PAGE_SIZE), **{key: text for key, text in selectors.items() if text}}
        bodies: list[Manifest] = []
        while True:
            path = path_of(kind, Key(namespace=namespace, name=""))
            items, metadata = items_of(*self._response("GET", path, query))
            bodies += items
            if not (token := metadata.get("continue")):
                return bodies
            query["continue"] = token

    def merge(self, kind: Kind, key: Key, patch: Manifest) -> Manifest:
        """Merge a patch into an object, as the user, and return the object."""
        query = {"fieldManager": FIELD_MANAGER}
        return object_of(*self._response("PATCH", path_of(kind, key), query, patch, _MERGE))

    def dry_run_apply(self, kind: Kind, key: Key, manifest: Manifest, *, manager: str) -> Manifest:
        """Return what an object would be after this server-side apply; nothing is changed."""
        query = {"fieldManager": manager, "force": "true", "dryRun": "All"}
        return object_of(*self._response("PATCH", path_of(kind, key), query, manifest, _APPLY))

    def _response(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, bytes]:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        data = None if body is None else json.dumps(body)
        try:
            url = self.address.prefix + (f"{path}?{urlencode(query)}" if query else path)
            self._connection.request(method, url, data, headers)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()  # the next request has another connection
            raise unanswered(str(error) or type(error).__name__) from error
        # A proxy on the way may have removed the date, or written it in its own way.
        with suppress(ValueError):
            date = response.headers.get("Date", "")
            server = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
            self._skew = server - datetime.now(UTC)
        return response.status, text

    def wait_at_most(self, seconds: float) -> None:
        """Wait no longer for an answer than so many seconds from now on, or than by default."""
        self._connection.timeout = min(seconds, _TIMEOUT_SECONDS)
        if self._connection.sock:
            self._connection.sock.settimeout(self._connection.timeout)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def connect(target: Target, *, read_only: bool = False) -> Iterator[Client]:
    """Give a Client for the user's cluster and namespace. Raises PluginError."""
    is_known = target.all_namespaces or target.namespace
    # kubectl looks the namespace up while the proxy starts.
    context = None if is_known else kubectl.start_reading_context(target)
    try:
        with kubectl.proxy(target, read_only=read_only) as address:
            given = "" if target.all_namespaces else target.namespace or ""
            client = Client(address, kubectl.namespace_of_context(context) if context else given)
            try:
                yield client
            finally:
                client.close()
    finally:
        if context:
            kubectl.stop(context)


def path_of(kind: Kind, key: Key) -> str:
    """Return where an object is served; without a name, where its kind is."""
    root = "/apis/" if "/" in kind.api_version else "/api/"
    parts = [root + kind.api_version]
    if key.namespace:
        parts += ["namespaces", key.namespace]
    return "/".join(part for part in [*parts, kind.plural, key.name] if part)
