"""A log filter that keeps tokens out of every line."""

from __future__ import annotations

import logging
import re
import traceback
from typing import Final

from tallystick.model.tokens import strike_tokens

# Longer than any word of a route and shorter than a token's secret, which may stand in a path without its prefix.
_LONG_RUN: Final = re.compile(r"[0-9A-Za-z]{40,}")


class StrikeTokens(logging.Filter):
    """Replaces whatever has a token's form in a record's message, traceback and stack."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = strike_tokens(record.getMessage()), None
        if record.exc_info and record.exc_info[0] is not None:
            # Handlers that format the exception themselves would tell it again, unstruck.
            record.exc_text = strike_tokens("".join(traceback.format_exception(*record.exc_info)).rstrip())
            record.exc_info = None
        if record.stack_info:
            record.stack_info = strike_tokens(record.stack_info)
        return True


STRIKE_TOKENS: Final = StrikeTokens()


def strike_path(path: str) -> str:
    """A path fit for the log: without tokens, and without anything else as long as a token's secret."""
    return _LONG_RUN.sub("…", strike_tokens(path))


def guard_logger(name: str) -> logging.Logger:
    """The logger of that name, with the filter on it once."""
    logger = logging.getLogger(name)
    logger.addFilter(STRIKE_TOKENS)  # adding a filter that is there does nothing
    return logger
