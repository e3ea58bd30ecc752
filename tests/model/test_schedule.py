"""Which plan prices a month: the last that began by then; the first of a history also holds before it (rule 8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.months import Month
from tallystick.model.plans import PlanVersion, parse_plan
from tallystick.model.schedule import Schedule
from tests.reference.rater import ALWAYS, Account, Provider
from tests.reference.strategies import STANDARD

MONTHS = st.builds(Month.of, st.integers(2020, 2021), st.integers(1, 12))


def version(name: str, month: Month, free_jobs: int) -> PlanVersion:
    return PlanVersion(month, parse_plan({**STANDARD, "name": name, "free_jobs": free_jobs}))


SCHEDULE = Schedule(
    [(Month(0), "old"), (Month.of(2025, 3), "new"), (Month.of(2025, 5), "old")],
    {
        "old": [
            version("old", Month(0), 1),
            version("old", Month.of(2025, 2), 2),
            version("old", Month.of(2025, 6), 3),
        ],
        "new": [version("new", Month.of(2025, 4), 4)],
    },
)


@pytest.mark.parametrize(
    ("month", "name", "free_jobs"),
    [
        ("1970-01", "old", 1),
        ("2025-01", "old", 1),
        ("2025-02", "old", 2),
        ("2025-03", "new", 4),  # its only version begins a month later, and holds before
        ("2025-04", "new", 4),
        ("2025-05", "old", 2),
        ("2025-06", "old", 3),
        ("9999-12", "old", 3),
    ],
)
def test_a_month_is_priced_by_the_plan_and_version_that_began_last(month: str, name: str, free_jobs: int) -> None:
    plan = SCHEDULE.plan_for(Month.parse(month))
    assert (plan.name, plan.free_jobs) == (name, free_jobs)


@given(st.dictionaries(MONTHS, st.sampled_from("ab")), st.dictionaries(MONTHS, st.integers(1, 9)), MONTHS)
def test_the_reference_agrees(assigned: dict[Month, str], versions: dict[Month, int], month: Month) -> None:
    provider, account = (
        Provider(),
        Account(plans={ALWAYS: "a"} | {str(start): name for start, name in assigned.items()}),
    )
    for start, free_jobs in {Month(0): 0, **versions}.items():
        for name in "ab":
            document = {**STANDARD, "name": name, "free_jobs": free_jobs}
            provider.put_plan(document, ALWAYS if start == Month(0) else str(start))
    histories = {
        name: [version(name, start, n) for start, n in sorted({Month(0): 0, **versions}.items())] for name in "ab"
    }
    schedule = Schedule(sorted({Month(0): "a", **assigned}.items()), histories)
    expected = provider.plan_in(account, str(month))
    plan = schedule.plan_for(month)
    assert (plan.name, plan.free_jobs) == (expected["name"], expected["free_jobs"])
