"""The rounding of a bill: half-even to the minor unit, and keys that still sum to it."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.currencies import minor_unit_places
from tallystick.model.report import Costs
from tallystick.model.rounding import RoundedCosts, rounded_costs

AMOUNTS = st.one_of(
    st.decimals(0, 100, places=4), st.decimals(0, 10**15, places=20), st.sampled_from([Decimal(0), Decimal("0.005")])
)


def rounded(currency: str = "USD", /, **base: str) -> RoundedCosts:
    """The rounded bill of keys with these costs, undiscounted."""
    costs = {name: Costs(Decimal(text), Decimal(text), Decimal(0)) for name, text in base.items()}
    return rounded_costs(costs, currency)


@pytest.mark.parametrize(
    ("exact", "to"),
    [
        ("0.005", "0"),
        ("0.015", "0.02"),
        ("0.025", "0.02"),
        ("0.0250000000000000000001", "0.03"),
        ("0.0049999999999999999999", "0"),
        ("2.675", "2.68"),
        ("1", "1"),
    ],
)
def test_the_middle_goes_to_the_even_neighbour(exact: str, to: str) -> None:
    assert rounded(a=exact).base_cost == rounded(a=exact).api_keys["a"].base == Decimal(to)


@pytest.mark.parametrize(
    ("currency", "places", "to"),
    [("JPY", 0, "12"), ("USD", 2, "12.35"), ("KWD", 3, "12.346"), ("CLF", 4, "12.3457"), ("XAU", 2, "12.35")],
)
def test_the_currency_decides_how_far(currency: str, places: int, to: str) -> None:
    assert minor_unit_places(currency) == places
    assert rounded(currency, a="12.34567").final_cost == Decimal(to)


def test_a_missing_unit_goes_to_the_largest_remainder() -> None:
    shares = rounded(a="0.013", b="0.018", c="0.019").api_keys
    assert [shares[name].base for name in "abc"] == [Decimal("0.01"), Decimal("0.02"), Decimal("0.02")]


def test_of_equal_remainders_the_lesser_name_by_its_bytes_comes_first() -> None:
    shares = rounded(é="0.005", z="0.005", Z="0.005").api_keys
    assert [name for name, costs in shares.items() if costs.base] == ["z", "Z"]
    assert {name: costs.base for name, costs in shares.items()} == {"é": 0, "z": Decimal("0.01"), "Z": Decimal("0.01")}


def test_without_keys_there_is_nothing_to_pay() -> None:
    nothing = rounded()
    assert nothing.base_cost == nothing.final_cost == nothing.savings == 0
    assert not nothing.api_keys


@given(
    st.dictionaries(st.text(max_size=3), st.tuples(AMOUNTS, st.sampled_from(["0", "7", "33.3333", "100"])), max_size=8),
    st.sampled_from(["USD", "JPY", "KWD", "CLF"]),
)
def test_keys_sum_to_the_bill_and_no_amount_is_a_unit_away(keys: dict[str, tuple[Decimal, str]], currency: str) -> None:
    exact = {}
    for name, (base, discount) in keys.items():
        final = Fraction(base) * (1 - Fraction(discount) / 100)
        exact[name] = Costs(
            base, Decimal(final.numerator) / 1 if final.denominator == 1 else _decimal(final), Decimal(0)
        )
    bill = rounded_costs(exact, currency)
    unit = Fraction(1, 10 ** minor_unit_places(currency))
    for kind in ("base", "final", "savings"):
        total = Fraction(getattr(bill, "savings" if kind == "savings" else f"{kind}_cost"))
        assert sum(Fraction(getattr(costs, kind)) for costs in bill.api_keys.values()) == total
    for kind in ("base", "final"):
        of_all = sum(Fraction(getattr(costs, kind)) for costs in exact.values())
        assert abs(Fraction(getattr(bill, f"{kind}_cost")) - of_all) <= unit / 2
        for name, costs in bill.api_keys.items():
            assert abs(Fraction(getattr(costs, kind)) - Fraction(getattr(exact[name], kind))) < unit
    assert bill.savings == bill.base_cost - bill.final_cost


def _decimal(amount: Fraction) -> Decimal:
    """The exact decimal of a fraction whose denominator has only twos and fives."""
    places = 0
    while amount.denominator != 1:
        amount, places = amount * 10, places + 1
    return Decimal(amount.numerator).scaleb(-places)
