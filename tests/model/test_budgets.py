"""Budgets: which are sound, and which thresholds a cost has reached."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import InvalidInput
from tallystick.model.budgets import MAX_THRESHOLDS, Budget, checked_budget

AMOUNTS = st.decimals("0.000000000001", "999999999999.999999999999", places=12)
PERCENTS = st.lists(st.integers(1, 1000), max_size=MAX_THRESHOLDS)


def test_a_budget_without_thresholds_has_the_usual_ones() -> None:
    assert checked_budget("250") == Budget(Decimal(250), (50, 80, 100))


def test_thresholds_are_sorted_and_taken_once_each_and_may_be_none_or_above_the_amount() -> None:
    assert checked_budget(1, [120, 80, 5, 80]).thresholds == (5, 80, 120)
    assert checked_budget(1, []).thresholds == ()
    assert checked_budget(1, range(1, MAX_THRESHOLDS + 1)).thresholds[-1] == MAX_THRESHOLDS


@pytest.mark.parametrize(
    ("amount", "thresholds", "parameter", "word"),
    [
        (0, None, "amount", "more than 0"),
        ("-1", None, "amount", "more than 0"),
        ("-0", None, "amount", "more than 0"),
        ("", None, "amount", "not a decimal"),
        ("ten", None, "amount", "not a decimal"),
        ("1,50", None, "amount", "not a decimal"),
        ("1_000", None, "amount", "not a decimal"),
        ("NaN", None, "amount", "finite"),
        ("Infinity", None, "amount", "finite"),
        (0.1, None, "amount", "float"),
        (True, None, "amount", "bool"),
        (None, None, "amount", "NoneType"),
        ("1000000000000", None, "amount", "below 1000000000000"),
        ("1e400000", None, "amount", "below 1000000000000"),
        ("1e-13", None, "amount", "12 decimal places"),
        ("1e-400000", None, "amount", "12 decimal places"),
        ("0.1234567890123", None, "amount", "12 decimal places"),
        ("1" + "0" * 70 + ".1", None, "amount", "below 1000000000000"),
        ("1." + "0" * 70 + "1", None, "amount", "12 decimal places"),
        (1, [0], "thresholds", "between 1 and 1000"),
        (1, [-50], "thresholds", "between 1 and 1000"),
        (1, [1001], "thresholds", "between 1 and 1000"),
        (1, [10**30], "thresholds", "between 1 and 1000"),
        (1, [50.5], "thresholds", "whole percents"),
        (1, ["50"], "thresholds", "whole percents"),
        (1, "50", "thresholds", "whole percents"),
        (1, [True], "thresholds", "whole percents"),
        (1, range(1, MAX_THRESHOLDS + 2), "thresholds", f"at most {MAX_THRESHOLDS}"),
    ],
)
def test_what_is_no_budget_is_refused_by_its_parameter(amount: Any, thresholds: Any, parameter: str, word: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked_budget(amount, thresholds)
    assert [error.parameter for error in caught.value.errors] == [parameter]
    assert word in caught.value.detail


@given(AMOUNTS, PERCENTS, st.data())
def test_a_threshold_is_passed_exactly_from_its_share_of_the_amount_on(
    amount: Decimal, percents: list[int], data: st.DataObject
) -> None:
    """Costs at a threshold itself, and as little below and above it as a unit price can be."""
    budget = checked_budget(amount, percents)
    share = data.draw(st.sampled_from(budget.thresholds or (100,)))
    edge = amount * share / 100
    cost = edge + data.draw(st.sampled_from([Decimal(0), Decimal("1e-20"), Decimal("-1e-20")]))
    expected = tuple(p for p in sorted(set(percents)) if Fraction(cost) >= Fraction(amount) * p / 100)
    assert budget.passed(cost) == expected
