"""Periods: the first and last month or day that is asked for (design rule 6).

What holds without a clock is checked here, by the SDK before a request and by the server alike. What an end that
is left out means depends on the current month, so that is the report's business.
"""

from __future__ import annotations

from typing import Final

from tallystick.errors import InvalidInput
from tallystick.model.months import Month, parse_day

MAX_MONTHS: Final = 120
"""The most months of one report, both ends included."""


def check_months(start: str | None, end: str | None) -> tuple[Month | None, Month | None]:
    """The months that `start_month` and `end_month` name; `None` stays `None`.

    Raises `InvalidInput`, naming the parameter: code ``invalid_month`` for a text that is not ``YYYY-MM``, and
    ``invalid_period`` where both are given and the range is reversed or longer than `MAX_MONTHS`.
    """
    first = None if start is None else Month.parse(start, "start_month")
    last = None if end is None else Month.parse(end, "end_month")
    if first is not None and last is not None:
        check_range(first, last)
    return first, last


def check_range(first: Month, last: Month) -> None:
    """Raises `InvalidInput` (code ``invalid_period``) for a reversed range and for more than `MAX_MONTHS` months."""
    if last < first:
        raise InvalidInput.parameter("end_month", f"{last} lies before start_month, {first}", code="invalid_period")
    months = last.index - first.index + 1
    if months > MAX_MONTHS:
        raise InvalidInput.parameter(
            "start_month",
            f"{first} to {last} are {months} months; a report covers at most {MAX_MONTHS}",
            code="invalid_period",
        )


def check_days(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """The days (since 1970-01-01) that `start` and `end` name; `None` stays `None`.

    Raises `InvalidInput`, naming the parameter: code ``invalid_day`` for a text that is not ``YYYY-MM-DD``, and
    ``invalid_period`` where both are given and the range is reversed.
    """
    first = None if start is None else parse_day(start, "start")
    last = None if end is None else parse_day(end, "end")
    if first is not None and last is not None and last < first:
        raise InvalidInput.parameter("end", f"{end} lies before start, {start}", code="invalid_period")
    return first, last
