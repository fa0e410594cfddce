"""A kind, or k3d, that plays: a script on PATH that writes down each call and answers a few."""

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """#!/bin/bash
input=$([ "${{*: -1}}" = --config=- ] && cat)
printf '%s\\0%s\\0' "$*" "$input" >> {log}
case "$*" in
{answers}
esac
"""


@dataclass(frozen=True, slots=True)
class Player:
    """A program of this name in a directory that a test puts on PATH."""

    program: str
    directory: Path

    @property
    def _log(self) -> Path:
        return self.directory / f"{self.program}.log"

    def install(self, answers: dict[str, str]) -> None:
        """Write the script; `answers` are shell commands by pattern of a call's words."""
        self.directory.mkdir(exist_ok=True)
        cases = "\n".join(f"  {pattern}) {command} ;;" for pattern, command in answers.items())
        file = self.directory / self.program
        file.write_text(_SCRIPT.format(log=shlex.quote(str(self._log)), answers=cases))
        file.chmod(0o755)

    def calls(self) -> list[tuple[str, str]]:
        """What it was called with so far: words, and what it read."""
        if not self._log.exists():
            return []
        fields = self._log.read_text().split("\0")[:-1]
        return list(zip(fields[::2], fields[1::2], strict=True))


def path_with(directory: Path) -> str:
    """A PATH on which these programs come first."""
    return f"{directory}:{os.environ['PATH']}"


def port_mapped(configuration: str) -> tuple[int, int]:
    """A node's port that kind's configuration maps, and this machine's."""
    ((mapping,),) = (node["extraPortMappings"] for node in json.loads(configuration)["nodes"])
    return mapping["containerPort"], mapping["hostPort"]
