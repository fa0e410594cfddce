"""A client of the API server for the few requests that bringing a cluster up needs."""

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from weather_cluster.pki import Authority


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A client with an administrator's rights."""

    server: str
    context: ssl.SSLContext = field(repr=False)

    def answers(self, path: str) -> bool:
        """Tell whether a GET succeeds; False too while the server cannot be reached."""
        return self.get(path) is not None

    def get(self, path: str) -> Any:
        """Return the object or plain text at this path, None when the GET fails."""
        try:
            return self._send("GET", path)
        except OSError:
            return None

    def is_true(self, path: str, condition: str) -> bool:
        """Tell whether the object at this path has this condition with status True."""
        conditions = (self.get(path) or {}).get("status", {}).get("conditions", ())
        return any(c["type"] == condition and c["status"] == "True" for c in conditions)

    def apply(self, path: str, manifest: dict[str, Any]) -> None:
        """Create or change the object at this path by server-side apply; raises OSError."""
        self._send("PATCH", f"{path}?fieldManager=weather-cluster&force=true", manifest)

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 the address is ours
            self.server + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.context)
        )
        with opener.open(request, timeout=5) as answer:
            text = answer.read()
            is_json = answer.headers.get_content_type() == "application/json"
            return json.loads(text) if is_json else text.decode()


def connect(server: str, authority: Authority) -> Api:
    """Return a client of the API server at this URL, in the group system:masters."""
    certificate, key = authority.issue("weather-cluster", group="system:masters")
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(certificate, key)
    return Api(server=server, context=context)
