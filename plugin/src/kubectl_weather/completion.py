"""What kubectl asks when a person presses tab after `kubectl weather`."""

import sys

from click.shell_completion import ShellComplete

from kubectl_weather.__main__ import main as command

_NO_FILES, _FILES = ":4", ":0"
"""kubectl's words for what the shell may add: nothing, or names of files."""


def main() -> None:
    """Print one completion a line, then whether names of files fit too, as kubectl wants it.

    https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/
    """
    *words, incomplete = sys.argv[1:] or [""]
    complete = ShellComplete(command, {}, "kubectl-weather", "")
    found = complete.get_completions(words, incomplete)
    for each in found:
        if each.type == "plain":
            print(f"{each.value}\t{each.help or ''}".rstrip())
    print(_FILES if any(each.type == "file" for each in found) else _NO_FILES)
