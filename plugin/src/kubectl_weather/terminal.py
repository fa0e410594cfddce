"""What others wrote, made fit for a terminal."""

import re

# What moves a terminal's cursor, restyles or renames it, or turns round what follows.
_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def in_one_line(text: str) -> str:
    """Return a text as one line in which what would be a command to the terminal is spelt out.

    Names and messages are from whoever may write to the cluster, or from a container's log.
    """
    return _COMMANDS.sub(_spelt, text)


def _spelt(found: re.Match[str]) -> str:
    character = found[0]
    return " " if character in "\n\t" else ascii(character).strip("'")
