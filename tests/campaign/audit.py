"""What the API server's audit log says of a plan's namespace."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

OPERATOR = "weather-operator"
_WRITES = frozenset({"create", "update", "patch", "delete"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write that was answered, with when it came and was answered, in seconds."""

    agent: str
    verb: str
    kind: str
    subresource: str
    name: str
    manager: str
    code: int
    came: float
    answered: float

    @property
    def is_operators(self) -> bool:
        """Whether the operator asked for it."""
        return self.agent == OPERATOR

    def __str__(self) -> str:
        what = f"{self.verb} {self.kind}/{self.name} {self.subresource}".strip()
        return f"{what} by {self.manager or self.agent}: {self.code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLog:
    """The log from an offset on."""

    file: Path
    since: int

    @classmethod
    def from_now(cls, file: Path) -> "AuditLog":
        """Return the log of what is yet to come."""
        return cls(file=file, since=file.stat().st_size)

    def writes(self, namespace: str) -> list[Write]:
        """Return the writes into a namespace."""
        found = self._events(f'"namespace":"{namespace}"')
        return [_write(event) for event in found if event["verb"] in _WRITES]

    def _events(self, word: str) -> Iterator[dict[str, object]]:
        with self.file.open() as lines:
            lines.seek(self.since)
            for line in lines:
                if word in line and line.endswith("\n"):
                    event = json.loads(line)
                    if event["stage"] == "ResponseComplete" and "objectRef" in event:
                        yield event


class Quiet:
    """Tells for how long the operator has written nothing into some namespaces.

    That is counted in renewals of its Lease, one in two seconds where it has the time: an operator
    that is starved, or starts, is not quiet.
    """

    def __init__(self, file: Path, lease: str, namespaces: tuple[str, ...]) -> None:
        self._file = file
        self._offset = file.stat().st_size
        self._words = tuple(f'"namespace":"{name}"' for name in namespaces)
        self._lease = f'"name":"{lease}"'
        self._renewals = 0

    def renewals(self) -> int:
        """How often the Lease was renewed since the last write, or since this began."""
        with self._file.open() as lines:
            lines.seek(self._offset)
            while (line := lines.readline()).endswith("\n"):
                self._offset = lines.tell()
                self._count(line)
        return self._renewals

    def _count(self, line: str) -> None:
        is_renewal = '"resource":"leases"' in line and self._lease in line
        if not is_renewal and not any(word in line for word in self._words):
            return
        event = json.loads(line)
        if event.get("userAgent") != OPERATOR or event["verb"] not in _WRITES:
            return
        if is_renewal:
            self._renewals += event.get("responseStatus", {}).get("code") == 200
        elif event["objectRef"]["resource"] != "events":
            self._renewals = 0


def _write(event: dict[str, object]) -> Write:
    subject, answer = event["objectRef"], event.get("responseStatus") or {}
    assert isinstance(subject, dict)
    assert isinstance(answer, dict)
    query = parse_qs(urlsplit(str(event["requestURI"])).query)
    return Write(
        agent=str(event.get("userAgent", "")),
        verb=str(event["verb"]),
        kind=subject.get("resource", ""),
        subresource=subject.get("subresource", ""),
        name=subject.get("name", ""),
        manager=query.get("fieldManager", [""])[0],
        code=int(answer.get("code", 0)),
        came=_seconds(event["requestReceivedTimestamp"]),
        answered=_seconds(event["stageTimestamp"]),
    )


def _seconds(timestamp: object) -> float:
    return datetime.fromisoformat(str(timestamp)).timestamp()
