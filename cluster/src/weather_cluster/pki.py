"""A certificate authority for one cluster, and who speaks to its API server."""

import base64
from dataclasses import dataclass
from pathlib import Path

import trustme
import yaml

MASTERS = "system:masters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """An authority whose certificate and key lie in `directory`, beside those it issues."""

    directory: Path
    ca: trustme.CA

    @property
    def certificate(self) -> Path:
        """The file with the authority's own certificate."""
        return self.directory / "ca.crt"

    @property
    def key(self) -> Path:
        """The file with the authority's own key."""
        return self.directory / "ca.key"

    def issue(
        self, name: str, *addresses: str, user: str | None = None, group: str | None = None
    ) -> tuple[Path, Path]:
        """Write `name`.crt and `name`.key, for servers at these addresses or for a user."""
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
        """Write a kubeconfig that stands for itself: it holds its certificates."""
        certificate, key = self.issue(path.stem, user=user, group=group)
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "weather",
                    "cluster": {
                        "server": server,
                        "certificate-authority-data": _encoded(self.certificate),
                    },
                }
            ],
            "users": [
                {
                    "name": user,
                    "user": {
                        "client-certificate-data": _encoded(certificate),
                        "client-key-data": _encoded(key),
                    },
                }
            ],
            "contexts": [{"name": "weather", "context": {"cluster": "weather", "user": user}}],
            "current-context": "weather",
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path


def create(directory: Path) -> Authority:
    """Make a new authority in a directory of its own."""
    directory.mkdir(mode=0o700)
    authority = Authority(directory=directory, ca=trustme.CA(organization_name="weather-cluster"))
    authority.ca.cert_pem.write_to_path(authority.certificate)
    _write_private(authority.key, authority.ca.private_key_pem)
    return authority


def _write_private(path: Path, blob: trustme.Blob) -> None:
    path.touch(mode=0o600)
    blob.write_to_path(path)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
