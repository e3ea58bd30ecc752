"""The forecast on made histories, as `benchmarks.forecast` measures it at length: better than the run rate, and honest.

The histories are always the same, so that this cannot fail by chance.
"""

from __future__ import annotations

import random
import statistics

import pytest

from benchmarks.forecast import Account, Outcome, outcomes
from benchmarks.made_histories import history


def outcomes_of(kind: str) -> list[Outcome | None]:
    return list(outcomes(kind, Account(history(kind, "test", 1)), random.Random(kind)))


@pytest.mark.parametrize("kind", ["weekly", "growth"])
def test_the_forecast_is_nearer_than_the_run_rate_and_its_interval_holds_about_as_often_as_it_says(kind: str) -> None:
    made = [each for each in outcomes_of(kind) if each is not None]
    assert len(made) == 84
    assert statistics.mean(each.error for each in made) < statistics.mean(each.run_rate_error for each in made) / 2
    for field in ("jobs", "tokens", "cost"):
        assert 0.65 <= statistics.mean(getattr(each, field) for each in made) <= 0.97
    assert statistics.median(each.width for each in made) < 0.4


def test_a_new_account_is_told_that_there_is_too_little_before_it_is_foreseen() -> None:
    all_of_them = outcomes_of("new")
    told = [each is None for each in all_of_them]
    # Its first forecasts are on days 1, 4, 8 and 13 of its life; the next one is on the 18th.
    assert told[:5] == [True, True, True, True, False]
    assert not any(told[5:])
