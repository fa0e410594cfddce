"""The API key, from the environment or from a file that may change while we run."""

from pathlib import Path


class ApiKey:
    """Gives the key as it is now; a file that changed is read again, one that is gone is no key.

    A file wins over a fixed value, because a file can be renewed.
    """

    def __init__(self, value: str = "", file: Path | None = None) -> None:
        self._value = value
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._from_file = ""

    def __repr__(self) -> str:
        return "ApiKey(…)"

    def read(self) -> str:
        """Return the key, or "" when there is none."""
        if self._file is None:
            return self._value
        try:
            found = self._file.stat()
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen != self._seen:
                self._from_file = self._file.read_text(encoding="utf-8").strip()
                self._seen = seen
        except (OSError, UnicodeDecodeError):
            self._seen, self._from_file = None, ""
        return self._from_file or self._value
