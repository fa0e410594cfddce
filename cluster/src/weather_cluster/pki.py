"""A cluster's certificate authority, and the kubeconfigs of those who use its API server."""

import base64
from dataclasses import dataclass
from pathlib import Path

import trustme
import yaml

MASTERS = "system:masters"
CERTIFICATE = "ca.crt"
KEY = "ca.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The authority of the cluster with this name; certificates and keys are in `directory`."""

    cluster: str
    directory: Path
    ca: trustme.CA

    @property
    def certificate(self) -> Path:
        """The file with the authority's own certificate."""
        return self.directory / CERTIFICATE

    @property
    def key(self) -> Path:
        """The file with the authority's own key."""
        return self.directory / KEY

    def issue(
        self, name: str, *addresses: str, user: str | None = None, group: str | None = None
    ) -> tuple[Path, Path]:
        """Write and return `name`.crt and `name`.key, for a server at these addresses or a user."""
        issued = self.ca.issue_cert(
            *(addresses or (name.replace(":", "-"),)),
            common_name=user or name,
            organization_name=group,
        )
        certificate, key = self.directory / f"{name}.crt", self.directory / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        _write_private(key, issued.private_key_pem)
        return certificate, key

    def kubeconfig(
        self, path: Path, server: str, user: str, *, group: str | None = MASTERS
    ) -> Path:
        """Write a kubeconfig that contains its certificates, and return its path.

        Its one context has the cluster's name, so that kubeconfigs can be merged.
        """
        certificate, key = self.issue(path.stem, user=user, group=group)
        user_name = f"{self.cluster}-{user}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": self.cluster,
                    "cluster": {
                        "server": server,
                        "certificate-authority-data": _encoded(self.certificate),
                    },
                }
            ],
            "users": [
                {
                    "name": user_name,
                    "user": {
                        "client-certificate-data": _encoded(certificate),
                        "client-key-data": _encoded(key),
                    },
                }
            ],
            "contexts": [
                {"name": self.cluster, "context": {"cluster": self.cluster, "user": user_name}}
            ],
            "current-context": self.cluster,
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path


def create(cluster: str, directory: Path) -> Authority:
    """Create a cluster's authority and the authority's directory."""
    directory.mkdir(mode=0o700)
    ca = trustme.CA(organization_name="weather-cluster")
    authority = Authority(cluster=cluster, directory=directory, ca=ca)
    authority.ca.cert_pem.write_to_path(authority.certificate)
    _write_private(authority.key, authority.ca.private_key_pem)
    return authority


def load(cluster: str, directory: Path) -> Authority:
    """Return the authority that was created in this directory."""
    certificate, key = ((directory / name).read_bytes() for name in (CERTIFICATE, KEY))
    ca = trustme.CA.from_pem(certificate, key)
    return Authority(cluster=cluster, directory=directory, ca=ca)


def _write_private(path: Path, blob: trustme.Blob) -> None:
    path.touch(mode=0o600)
    blob.write_to_path(path)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
