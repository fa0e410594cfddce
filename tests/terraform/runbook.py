"""The commands of terraform/RUNBOOK.md, and a shell that runs them as a reader would."""

import os
import re
import subprocess
import textwrap
from pathlib import Path

from terraform.runner import SOURCE

RUNBOOK = (SOURCE / "RUNBOOK.md").read_text()


def steps(heading: str) -> list[str]:
    """Return the commands of each numbered step below a heading."""
    chapter = RUNBOOK.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.split(r"^[0-9]+\. ", chapter, flags=re.MULTILINE)[1:]
    return [
        "\n".join(
            textwrap.dedent(each)
            for each in re.findall(r"^   ```sh\n(.*?)^   ```", step, re.M | re.S)
        )
        for step in found
    ]


def run(
    project: Path, *commands: str, seconds: float = 600, echo: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run in terraform/ of the project, until the first command that fails.

    Programs in `bin` beside the project come before the machine's own. With `echo` each command is
    shown before it runs.
    """
    found = f"{project.parent / 'bin'}:{os.environ['PATH']}"
    shown = ["trap 'echo \"$ $BASH_COMMAND\" >&3' DEBUG"] if echo else []
    script = "\n".join([*shown, *commands])
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"exec 3>&1 >/dev/null\n{script}" if echo else script],
        cwd=project / "terraform",
        env={**os.environ, "PATH": found, "EDITOR": "true"},
        stdin=subprocess.DEVNULL,
        stdout=None if echo else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=seconds,
    )
