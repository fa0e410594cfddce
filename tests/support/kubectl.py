"""kubectl, as a user of one cluster types it."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.api_reader import reader_of
from weather_cluster.clusters import Cluster

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Runs programs the way a user's shell does after `eval "$(weather-cluster env)"`."""

    kubeconfig: Path
    bin: Path
    host: str

    @classmethod
    def of(cls, cluster: Cluster) -> "Shell":
        """A shell on this cluster."""
        return cls(kubeconfig=cluster.kubeconfig, bin=cluster.bin, host=cluster.host)

    @property
    def environment(self) -> dict[str, str]:
        """Return what a child process needs to talk to this cluster and to no other."""
        return {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": f"{self.bin}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "WEATHER_CLUSTER_HOST": self.host,
        }

    def run(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program in the repository's root and return how it ended."""
        return subprocess.run(
            words, input=text, text=True, capture_output=True, env=self.environment, cwd=ROOT
        )

    def kubectl(self, *words: str, text: str | None = None) -> str:
        """Return what kubectl printed; fail with its words where it failed."""
        run = self.run("kubectl", *words, text=text)
        assert run.returncode == 0, f"kubectl {' '.join(words)}: {run.stderr}"
        return run.stdout

    def get(self, *words: str) -> Any:
        """Return an object, or a list of them, as `kubectl get` with these words does."""
        return reader_of(self.kubeconfig).get(*words)

    def version_of(self, kind: str) -> str:
        """Return the API version in which the server prefers to serve a kind."""
        for line in self.kubectl("api-resources", "--no-headers").splitlines():
            *_, version, _, name = line.split()
            if name == kind:
                return version
        raise AssertionError(f"no {kind} is served")

    def apply(self, manifest: dict[str, Any]) -> None:
        """Apply one manifest."""
        self.kubectl("apply", "-f", "-", text=json.dumps(manifest))


@contextmanager
def own_namespace(shell: Shell, purpose: str, *, is_restricted: bool = False) -> Iterator[str]:
    """A new namespace, gone with the context, if wanted under the restricted standard."""
    name = f"{purpose}-{secrets.token_hex(4)}"
    if is_restricted:
        restricted(shell, name)
    else:
        shell.kubectl("create", "namespace", name)
    yield name
    shell.kubectl("delete", "namespace", name, "--wait=false")


def restricted(shell: Shell, name: str) -> None:
    """Make a namespace under the restricted Pod Security standard."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": name, "labels": labels}
    shell.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
