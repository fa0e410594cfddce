"""The API key, from the environment or from a file that may change while we run."""

from pathlib import Path


class ApiKey:
    """Gives the current key; a file that changed is read again, a missing one is no key.

    A file wins over a fixed value, because a file can be renewed.
    """

    def __init__(self, value: str = "", file: Path | None = None) -> None:
        self._value = value
        self._file = file
        self._version: tuple[int, int, int] | None = None
        self._from_file = ""

    def __repr__(self) -> str:
        return "ApiKey(…)"

    def read(self) -> str:
        """Return the key, or "" when there is none."""
        if self._file is None:
            return self._value
        try:
            stat = self._file.stat()
            version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if version != self._version:
                self._from_file = self._file.read_text(encoding="utf-8").strip()
                self._version = version
        except (OSError, UnicodeDecodeError):
            self._version, self._from_file = None, ""
        return self._from_file or self._value
