"""The log of a server process: lines on standard error, without tokens."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from tallystick.model.tokens import strike_tokens
from tallystick.striking import STRIKE_TOKENS, guard_logger

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LOGGERS_OF_THE_SERVER: Final = ("uvicorn.error", "uvicorn.asgi", "asyncio", "tallystick.access", "tallystick.api")


def guard_loggers() -> None:
    """Keeps tokens out of what the server's parts log, whatever handlers the program has."""
    for name in _LOGGERS_OF_THE_SERVER:
        guard_logger(name)


class JsonLines(logging.Formatter):
    """A JSON object a line: when, how grave, by whom, what; of a request its figures, of an error its trace."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "request", {}),
        }
        # The filter that strikes tokens leaves a trace as text.
        if trace := record.exc_text or (record.exc_info and self.formatException(record.exc_info)):
            line["trace"] = trace
        return strike_tokens(msgspec.json.encode(line).decode())


def log_to_standard_error(form: Literal["text", "json"] = "text") -> None:
    """Logs this process's events to standard error, unless the program has set up its own handlers already."""
    root = logging.getLogger()
    if not root.handlers:
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(JsonLines() if form == "json" else logging.Formatter(_FORMAT))
        root.addHandler(lines)
    for handler in root.handlers:
        handler.addFilter(STRIKE_TOKENS)
    for name in ("tallystick", "uvicorn"):
        if logging.getLogger(name).level == logging.NOTSET:
            logging.getLogger(name).setLevel(logging.INFO)
