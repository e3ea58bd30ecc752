"""What a period means once the clock and the account are known (design rule 6)."""

from __future__ import annotations

from typing import Final

from tallystick.errors import InvalidInput
from tallystick.model.months import Month, format_day
from tallystick.model.periods import MAX_MONTHS, check_days, check_months, check_range

MAX_DAYS: Final = 366
"""The most days of one daily report."""


def resolve_months(
    start: str | None, end: str | None, *, current: Month, earliest: Month | None
) -> tuple[Month, Month]:
    """The first and last month of a report, both included.

    Without both the current month; without an end up to the current one; without a start from the account's
    `earliest` month (`None`: it has no jobs), at most 120 months. Raises `InvalidInput` as `check_months` does.
    """
    first, last = check_months(start, end)
    if first is None and last is None:
        return current, current
    if last is None:
        last = current
    if first is None:
        first = min(last, max(earliest or last, last - (MAX_MONTHS - 1)))
    check_range(first, last)
    return first, last


def resolve_days(start: str | None, end: str | None, *, today: int) -> tuple[int, int]:
    """The first and last day of a daily report, both included.

    Without both the current month up to today; without an end up to today; without a start from the first of the
    end's month. Raises `InvalidInput` as `check_days` does, and for more than `MAX_DAYS` days.
    """
    first, last = check_days(start, end)
    if last is None:
        last = today
    if first is None:
        first = Month.of_day(last).first_day
    if last < first:
        raise InvalidInput.parameter("start", f"{format_day(first)} lies after today", code="invalid_period")
    if last - first + 1 > MAX_DAYS:
        raise InvalidInput.parameter(
            "start", f"{last - first + 1} days are asked for; a daily report covers {MAX_DAYS}", code="invalid_period"
        )
    return first, last
