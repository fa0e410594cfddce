"""Terraform itself, at work on a copy of terraform/."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "terraform"
PROVIDER = "registry.terraform.io/hashicorp/aws"
NOT_COPIED = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate*")


def mirrors() -> Iterator[Path]:
    """Directories that hold the provider, so that it need not be downloaded."""
    data = Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser()
    usual = [Path("~/.terraform.d/plugins").expanduser(), data / "terraform/plugins"]
    system = [Path("/usr/local/share/terraform/plugins"), Path("/usr/share/terraform/plugins")]
    optional = sorted(Path("/opt").glob("*"))
    yield from (place for place in [*usual, *system, *optional] if (place / PROVIDER).is_dir())


@dataclass(frozen=True)
class Terraform:
    """Runs in folders of one copy; what a run leaves behind stays there."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run to the end, or for 15 minutes: a provider that retries for ever is a failure."""
        settings = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
        # The provider's schemas are large: a fifth of the processor's time went into collecting.
        settings["GOGC"] = "400"
        return subprocess.run(
            ["timeout", "--signal=INT", "900", "terraform", *arguments],
            cwd=self.root / folder,
            env={**settings, **self.environment, "TF_IN_AUTOMATION": "1", "TF_CLI_ARGS": ""},
            capture_output=True,
            text=True,
            check=False,
        )

    def init(self, folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Prepare a folder, with the provider of this machine if it has one."""
        found = next(mirrors(), None)
        place = [f"-plugin-dir={found}"] if found else []
        return self.run(folder, "init", "-input=false", "-no-color", *place, *arguments)

    def do(self, folder: str, *arguments: str) -> str:
        """Run what must succeed, and say what it said."""
        done = self.run(folder, *arguments)
        assert done.returncode == 0, f"terraform {arguments[0]}:\n{done.stdout}\n{done.stderr}"
        return done.stdout


def copied(to: Path) -> Path:
    """Copy terraform/, without what a run of one's own has left in it."""
    return Path(shutil.copytree(SOURCE, to / "terraform", ignore=NOT_COPIED))
