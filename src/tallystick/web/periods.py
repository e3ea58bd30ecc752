"""The period of a page: from and to, in the URL under the same names as in the API, and the quick choices."""

from __future__ import annotations

from typing import Final, NamedTuple

from tallystick.model.months import Month
from tallystick.model.periods import MAX_MONTHS, check_months, check_range
from tallystick.web import figures
from tallystick.web.request import PageRequest

DEFAULT_MONTHS: Final = 3
"""A page without a period covers the current month and those before it, so many together."""

_QUICK: Final = (
    ("This month", 0, 1),
    ("Last month", 1, 1),
    ("3 months", 0, 3),
    ("6 months", 0, 6),
    ("12 months", 0, 12),
)


class Choice(NamedTuple):
    """A period to choose with one click."""

    label: str
    href: str
    chosen: bool


class Option(NamedTuple):
    """A value to pick, and what people call it."""

    value: str
    label: str


class Filter(NamedTuple):
    """What else a page can be narrowed down by, beside the period: the URL's parameter and its values."""

    name: str
    label: str
    options: list[Option]
    chosen: str


class Chosen(NamedTuple):
    """The period that a page covers, and what else could be chosen."""

    start_month: str
    end_month: str
    label: str
    choices: list[Choice]
    options: list[Option]

    @property
    def file_name(self) -> str:
        """The period as a part of a file's name."""
        return self.start_month if self.start_month == self.end_month else f"{self.start_month}-{self.end_month}"

    @property
    def query(self) -> dict[str, str | None]:
        """The period as it stands in a link to another page."""
        return {"start_month": self.start_month, "end_month": self.end_month}


def chosen_period(
    request: PageRequest, first_month: str | None, current_month: str, *, default_months: int = DEFAULT_MONTHS
) -> Chosen:
    """The period that the URL asks for; the pickers begin with the first month that has jobs.

    Raises `InvalidInput` for months that are none, or too many.
    """
    current = Month.parse(current_month)
    earliest = None if first_month is None else Month.parse(first_month)
    first, last = check_months(request.values.get("start_month"), request.values.get("end_month"))
    last = last or (max(first, current) if first else current)
    first = first or last - (default_months - 1)
    check_range(first, last)
    return Chosen(
        start_month=str(first),
        end_month=str(last),
        label=figures.span_name(str(first), str(last)),
        choices=[_choice(request, label, current - back, months, first, last) for label, back, months in _QUICK],
        options=_options(earliest, first, last, current),
    )


def _choice(request: PageRequest, label: str, end: Month, months: int, first: Month, last: Month) -> Choice:
    start = end - (months - 1)
    href = request.link_here(start_month=str(start), end_month=str(end), **_BEGIN_AGAIN)
    return Choice(label, href, (start, end) == (first, last))


# Another period has other rows: its tables begin with their first page.
_BEGIN_AGAIN: Final[dict[str, str | None]] = dict.fromkeys(
    ("months_page", "keys_page", "days_page", "cursor", "behind", "before")
)


def _options(earliest: Month | None, first: Month, last: Month, current: Month) -> list[Option]:
    """The months from the earliest to the current one, and what was asked for beside them, the newest first."""
    newest = max(current, last)
    oldest = min(first, earliest or first)
    oldest = max(oldest, newest - (2 * MAX_MONTHS - 1))
    return [Option(str(month), figures.month_name(str(month))) for month in reversed(list(oldest.to(newest)))]
