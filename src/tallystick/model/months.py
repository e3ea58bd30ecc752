"""Calendar months, ``YYYY-MM``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from tallystick.errors import InvalidInput

_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_LAST_DAY: Final = date.max.toordinal() - _EPOCH_ORDINAL


@dataclass(frozen=True, order=True, slots=True)
class Month:
    """A calendar month. `index` counts months from year 0, so that the next month is one more."""

    index: int

    @classmethod
    def of(cls, year: int, month: int) -> Month:
        """The month of a year (1 to 9999) and a number from 1 to 12."""
        return cls(year * 12 + month - 1)

    @classmethod
    def parse(cls, text: str, parameter: str = "month") -> Month:
        """The month that ``YYYY-MM`` names. Raises `InvalidInput` (code ``invalid_month``) naming `parameter`."""
        match = _MONTH.fullmatch(text) if isinstance(text, str) else None
        if match is None or match[1] == "0000":
            raise InvalidInput.parameter(parameter, "must be a month of the form YYYY-MM", code="invalid_month")
        return cls.of(int(match[1]), int(match[2]))

    @classmethod
    def of_day(cls, day: int) -> Month:
        """The month that holds a day (days since 1970-01-01)."""
        moment = date.fromordinal(day + _EPOCH_ORDINAL)
        return cls.of(moment.year, moment.month)

    @property
    def year(self) -> int:
        return self.index // 12

    @property
    def month(self) -> int:
        """1 to 12."""
        return self.index % 12 + 1

    @property
    def first_day(self) -> int:
        """The first day, as days since 1970-01-01; past 9999-12 the day after the last."""
        if self.year > 9999:
            return _LAST_DAY + 1
        return date(self.year, self.month, 1).toordinal() - _EPOCH_ORDINAL

    @property
    def last_day(self) -> int:
        """The last day, as days since 1970-01-01."""
        return (self + 1).first_day - 1

    def __add__(self, months: int) -> Month:
        return Month(self.index + months)

    def __sub__(self, months: int) -> Month:
        return Month(self.index - months)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    def to(self, last: Month) -> Iterator[Month]:
        """The months from this one to `last`, both included, ascending."""
        return (Month(index) for index in range(self.index, last.index + 1))


def parse_day(text: str, parameter: str) -> int:
    """The day (days since 1970-01-01) that ``YYYY-MM-DD`` names. Raises `InvalidInput` naming `parameter`."""
    try:
        if not isinstance(text, str) or not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        raise InvalidInput.parameter(parameter, "must be a day of the form YYYY-MM-DD", code="invalid_day") from None


def format_day(day: int) -> str:
    """``YYYY-MM-DD``."""
    return date.fromordinal(day + _EPOCH_ORDINAL).isoformat()
