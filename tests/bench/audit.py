"""What the API server's audit log says of who asked for what, and when."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

WRITES = {"create", "update", "patch", "delete"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One finished request. `at` is when the server received it, in seconds since the epoch."""

    agent: str
    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    at: float
    answered: float

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.verb in WRITES


def requests(log: Path, *, since: int = 0) -> Iterator[Request]:
    """Read the finished requests from an offset of the log on, which may lie within a line."""
    with log.open() as lines:
        lines.seek(max(since - 1, 0))
        if since:
            lines.readline()
        for line in lines:
            if line.endswith("\n") and (event := json.loads(line))["stage"] == "ResponseComplete":
                yield _request(event)


def _request(event: dict[str, object]) -> Request:
    subject = event.get("objectRef") or {}
    assert isinstance(subject, dict)
    return Request(
        agent=str(event.get("userAgent", "")),
        verb=str(event["verb"]),
        resource=subject.get("resource", ""),
        subresource=subject.get("subresource", ""),
        namespace=subject.get("namespace", ""),
        name=subject.get("name", ""),
        at=_seconds(event["requestReceivedTimestamp"]),
        answered=_seconds(event["stageTimestamp"]),
    )


def _seconds(timestamp: object) -> float:
    return datetime.fromisoformat(str(timestamp)).timestamp()
