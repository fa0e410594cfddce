"""Logs, one JSON object a line."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime

STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """Writes time, level, message, and the fields given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **{
                name: value
                for name, value in vars(record).items()
                if name not in STANDARD_ATTRIBUTES
            },
        }
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False, default=str)


def log_to_stderr(filter_: Callable[[logging.LogRecord], bool] | None = None) -> None:
    """Send every log line of this process, or those that a filter lets through, to stderr."""
    handler = logging.StreamHandler()
    if filter_:
        handler.addFilter(filter_)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
