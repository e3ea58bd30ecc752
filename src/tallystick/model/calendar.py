"""Days and months of a time zone, as stretches of instants (design rule 12).

A day runs from the first instant at which the zone's wall clock reads its midnight or later to the first such
instant of the next day. So days follow each other without gap or overlap whatever the clocks do: a midnight
that is skipped (Beirut) starts the day at the jump, a clock that falls back over midnight (St John's until 2011)
does not reopen the day before, and a day that never was (Apia, 2011-12-30) is empty.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from tallystick.model import instants
from tallystick.model.instants import EPOCH
from tallystick.model.months import Month

_EPOCH_ORDINAL: Final = EPOCH.toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
_MIDNIGHT: Final = datetime.min.time()
_AT_THE_END: Final = 2 * instants.DAY
"""Within two days of the end of year 9999 local times would leave `datetime`; days are then told in UTC."""


class Calendar:
    """The days of one time zone; day numbers count from 1970-01-01."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._span = lru_cache(maxsize=4096)(lambda day: (self.day_start(day), self.day_start(day + 1)))
        self._midnights = lru_cache(maxsize=4096)(self._midnights_within)

    def day_of(self, instant: int) -> int:
        """The day to which an instant belongs."""
        day, midnights = self._midnights(instant // instants.DAY)
        for midnight in midnights:
            if instant < midnight:
                break
            day += 1
        return day

    def month_of(self, instant: int) -> Month:
        """The month to which an instant belongs."""
        return month_of_day(self.day_of(instant))

    def day_start(self, day: int) -> int:
        """The first instant of a day: the least one whose wall clock reads its midnight or later."""
        try:
            midnight = datetime.combine(date.fromordinal(day + _EPOCH_ORDINAL), _MIDNIGHT)
            return self._first_reaching(midnight)
        except (OverflowError, ValueError):
            return instants.LAST + 1 if day > 0 else instants.FIRST - instants.DAY

    def day_span(self, day: int) -> tuple[int, int]:
        """The first instant of a day and that of the next; remembered for the days asked last."""
        return self._span(day)

    def span(self, first: int, last: int) -> tuple[int, int]:
        """The first instant of a day and that of the one after another."""
        return self._span(first)[0], self._span(last)[1]

    def month_start(self, month: Month) -> int:
        """The first instant of a month."""
        return self.day_start(month.first_day)

    def _first_reaching(self, wall: datetime) -> int:
        # fold=0 is the first of two equal readings. For a reading that a jump skips it gives an instant
        # behind the jump, fold=1 one before it, and the jump lies between.
        late = self._instant(wall.replace(tzinfo=self.zone, fold=0))
        if self._wall(late) == wall:
            return late
        early = self._instant(wall.replace(tzinfo=self.zone, fold=1))
        while late - early > 1:
            middle = (early + late) // 2
            if self._wall(middle) >= wall:
                late = middle
            else:
                early = middle
        return late

    @staticmethod
    def _instant(moment: datetime) -> int:
        return (moment - EPOCH) // _MICROSECOND

    def _wall(self, instant: int) -> datetime:
        return (EPOCH + timedelta(microseconds=instant)).astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _midnights_within(self, utc_day: int) -> tuple[int, tuple[int, ...]]:
        """The day at the start of a UTC day, and every day start later within it."""
        start = utc_day * instants.DAY
        if start > instants.LAST - _AT_THE_END:
            return utc_day, ()
        day = self._day_at(start)
        midnights: list[int] = []
        while (midnight := self.day_start(day + 1 + len(midnights))) < start + instants.DAY:
            midnights.append(midnight)
        return day, tuple(midnights)

    def _day_at(self, instant: int) -> int:
        # The wall clock's date is the day, but where it fell back over a midnight the day has begun already.
        day = (EPOCH + timedelta(microseconds=instant)).astimezone(self.zone).toordinal() - _EPOCH_ORDINAL
        while self.day_start(day + 1) <= instant:
            day += 1
        return day


@lru_cache(maxsize=65536)
def month_of_day(day: int) -> Month:
    """The month that holds a day; remembered, since ingest asks it for every job."""
    return Month.of_day(day)
