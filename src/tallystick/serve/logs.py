"""The log of a server process: lines on standard error, without tokens."""

from __future__ import annotations

import logging
import sys
from typing import Final

from tallystick.api.striking import STRIKE_TOKENS, guard_logger

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LOGGERS_OF_THE_SERVER: Final = ("uvicorn.error", "uvicorn.asgi", "asyncio", "tallystick.access", "tallystick.api")


def guard_loggers() -> None:
    """Keeps tokens out of what the server's parts log, whatever handlers the program has."""
    for name in _LOGGERS_OF_THE_SERVER:
        guard_logger(name)


def log_to_standard_error() -> None:
    """Logs this process's events to standard error, unless the program has set up its own handlers already."""
    root = logging.getLogger()
    if not root.handlers:
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(logging.Formatter(_FORMAT))
        root.addHandler(lines)
    for handler in root.handlers:
        handler.addFilter(STRIKE_TOKENS)
    for name in ("tallystick", "uvicorn"):
        if logging.getLogger(name).level == logging.NOTSET:
            logging.getLogger(name).setLevel(logging.INFO)
