"""What a kubeconfig of a test cluster says, for clients of the tests' own."""

import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any

import yaml


def read(path: Path) -> Any:
    """The kubeconfig as a document."""
    return yaml.safe_load(path.read_text())


def server_of(config: Any) -> str:
    """The URL of the API server."""
    return str(config["clusters"][0]["cluster"]["server"])


def tls_of(config: Any) -> ssl.SSLContext:
    """What trusts the server and is trusted by it."""
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    with tempfile.NamedTemporaryFile() as chain:
        for part in ("client-certificate-data", "client-key-data"):
            chain.write(base64.b64decode(user[part]) + b"\n")
        chain.flush()
        context.load_cert_chain(chain.name)
    return context
