"""Which plan prices a month: an account's plans over time, and each plan's versions over time (rule 8)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from tallystick.model.months import Month
from tallystick.model.plans import BEGINNING, Plan, PlanVersion

Entry = TypeVar("Entry")


class Reign(NamedTuple):
    """Months, the first and the last, that one plan prices in one form."""

    first: Month
    last: Month
    plan: Plan


class Schedule(NamedTuple):
    """An account's plan names from their months on, and the versions of those plans, both ascending."""

    assignments: Sequence[tuple[Month, str]]
    versions: Mapping[str, Sequence[PlanVersion]]

    def version_for(self, month: Month) -> PlanVersion:
        """The plan version that prices a month. The first entry of a history also holds before its month."""
        name = _in_force(self.assignments, [start for start, _ in self.assignments], month)[1]
        versions = self.versions[name]
        return _in_force(versions, [version.effective_from for version in versions], month)

    def reigns(self, first: Month, last: Month) -> Iterator[Reign]:
        """The plans that price the months from `first` to `last`, each as long as it holds without a change."""
        starts = {month for month, _ in self.assignments}
        starts |= {version.effective_from for versions in self.versions.values() for version in versions}
        start, plan = first, self.plan_for(first)
        for month in sorted(month for month in starts if first < month <= last):
            following = self.plan_for(month)
            if following != plan:
                yield Reign(start, month - 1, plan)
                start, plan = month, following
        yield Reign(start, last, plan)

    def plan_for(self, month: Month) -> Plan:
        """The plan that prices a month, as that version has it."""
        return self.version_for(month).plan


def months_priced(versions: Sequence[PlanVersion], effective_from: Month) -> tuple[Month, Month | None]:
    """The months that a version of a plan prices once it is put, the first and the last (`None`: without end).

    `versions` are those that the plan has, ascending; one of the same month gives its place. The earliest version also
    holds before its month.
    """
    starts = [version.effective_from for version in versions]
    following = next((start for start in starts if start > effective_from), None)
    first = effective_from if any(start < effective_from for start in starts) else BEGINNING
    return first, None if following is None else following - 1


def _in_force(entries: Sequence[Entry], starts: list[Month], month: Month) -> Entry:
    return entries[max(0, bisect_right(starts, month) - 1)]
