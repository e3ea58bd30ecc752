"""Instants: whole microseconds since 1970-01-01T00:00:00Z, as an integer (design rule 9)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from tallystick.errors import InvalidInput

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

FIRST: Final = 0
LAST: Final = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
"""The last instant that can be told: 9999-12-31T23:59:59.999999Z."""

# RFC 3339, with any number of second digits. fromisoformat() takes far more (weeks, missing parts, 24:00).
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


def parse_instant(text: str) -> int:
    """The instant that an RFC 3339 time names.

    Digits finer than a microsecond are cut, never rounded into the next second or month. Raises
    `InvalidInput` where the form is wrong, the offset is missing or the year lies outside 1970-9999.
    """
    if len(text) == 20 and text[4] == text[7] == "-" and text[10] == "T" and text[19] == "Z" and text[11:13] != "24":
        # By far the most common form; what else may be wrong with it, the rest of this function tells. No suppress():
        # it takes as long as everything else here.
        # Nor calls: this is asked for every job.
        try:
            since = datetime.fromisoformat(text) - EPOCH
            if since.days >= 0:
                return (since.days * 86_400 + since.seconds) * SECOND
        except ValueError:
            pass
    if not _RFC3339.fullmatch(text):
        raise InvalidInput(
            "is not a time of the form 2025-01-11T20:12:01Z; it needs a date, a time and an offset (Z or +02:00)"
        )
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise InvalidInput(f"is not a time: {error}") from None
    return _checked(_microseconds(moment))


def _microseconds(moment: datetime) -> int:
    # Three times as fast as dividing by a timedelta, and asked for every job.
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def from_datetime(moment: datetime) -> int:
    """The instant of an aware `datetime`. Raises `InvalidInput` for a naive one."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise InvalidInput("is a datetime without a time zone; give it one, such as datetime.now(UTC)")
    return _checked(_microseconds(moment))


def read_instant(given: str | datetime, parameter: str) -> int:
    """The instant that an RFC 3339 time or an aware `datetime` names. Raises `InvalidInput` naming `parameter`."""
    try:
        if isinstance(given, datetime):
            return from_datetime(given)
        if isinstance(given, str):
            return parse_instant(given)
    except InvalidInput as error:
        raise InvalidInput.parameter(parameter, error.detail) from None
    raise InvalidInput.parameter(parameter, f"must be a datetime or a text, not {type(given).__name__}")


def _checked(instant: int) -> int:
    if not FIRST <= instant <= LAST:
        raise InvalidInput("lies outside the years 1970 to 9999")
    return instant


def to_datetime(instant: int) -> datetime:
    """The instant as a `datetime` in UTC."""
    # By place, since keywords take longer than the sum.
    return EPOCH + timedelta(0, 0, instant)


def format_instant(instant: int) -> str:
    """RFC 3339 in UTC; a fraction only where there is one: ``2025-01-11T20:12:01Z``."""
    return to_datetime(instant).isoformat().replace("+00:00", "Z")
