"""A simulation's shape, its order, and the groups of its distribution."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.simulation import (
    EDGES,
    Simulation,
    build_simulation,
    simulations_csv,
    simulations_from_json,
    wire_of,
)
from tallystick.model.wire import encode

AMOUNTS = st.decimals(0, 10**6, places=6)


def build(*costs: tuple[str, str, str], currency: str = "USD") -> Simulation:
    return build_simulation(
        [(name, Decimal(old), Decimal(new)) for name, old, new in costs],
        start_month="2025-01",
        end_month="2025-12",
        currency=currency,
    )


def test_the_wire_shape_has_plain_numbers_and_every_digit() -> None:
    simulation = build(("acme", "0.1", "1E+2"), ("b", "12345678901234567890.000000000001", "0"))
    assert encode(simulation.to_dict()).decode() == (
        '{"from":"2025-01","to":"2025-12","currency":"USD","old_total":12345678901234567890.100000000001,'
        '"new_total":100.0,"difference":-12345678901234567790.100000000001,"accounts":['
        '{"account":"b","old":12345678901234567890.000000000001,"new":0.0,"difference":-12345678901234567890.000000000001},'
        '{"account":"acme","old":0.1,"new":100.0,"difference":99.9}]}'
    )


def test_the_largest_change_comes_first_then_the_name_by_its_bytes() -> None:
    simulation = build(("é", "1", "2"), ("z", "2", "1"), ("a", "5", "5"), ("most", "0", "9"), ("b", "0", "0"))
    assert [account.account for account in simulation.accounts] == ["most", "z", "é", "a", "b"]
    assert [account.account for account in simulation.movers] == ["most", "z", "é"]


@given(st.dictionaries(st.text(max_size=3), st.tuples(AMOUNTS, AMOUNTS), max_size=30))
def test_accounts_sum_to_the_totals_and_groups_to_the_accounts(costs: dict[str, tuple[Decimal, Decimal]]) -> None:
    simulation = build_simulation(
        [(name, old, new) for name, (old, new) in costs.items()],
        start_month="2025-01",
        end_month="2025-01",
        currency="EUR",
    )
    accounts, groups = simulation.accounts, simulation.distribution
    for field, total in (("old", simulation.old_total), ("new", simulation.new_total)):
        assert sum(Fraction(getattr(account, field)) for account in accounts) == Fraction(total)
    assert Fraction(simulation.new_total) - Fraction(simulation.old_total) == Fraction(simulation.difference)
    assert sum(Fraction(group.difference) for group in groups) == Fraction(simulation.difference)
    assert sum(group.accounts for group in groups) == len(accounts)
    for direction in (-1, 0, 1):
        count = sum(group.accounts for group in groups if group.direction == direction)
        assert count == sum((account.difference > 0) - (account.difference < 0) == direction for account in accounts)
    assert simulations_from_json(encode(wire_of([simulation]))) == (simulation,)


@pytest.mark.parametrize(
    ("old", "new", "label"),
    [
        ("100", "100", "the same"),
        ("0", "0", "the same"),
        ("100", "100.000000000001", "0–5 % more"),
        ("100", "104.999999999999", "0–5 % more"),
        ("100", "105", "5–10 % more"),
        ("100", "110", "10–20 % more"),
        ("100", "120", "20–50 % more"),
        ("100", "149.99", "20–50 % more"),
        ("100", "150", "≥ 50 % more"),
        ("0", "0.000001", "≥ 50 % more"),
        ("100", "99.999999999999", "0–5 % less"),
        ("100", "95", "5–10 % less"),
        ("100", "50", "≥ 50 % less"),
        ("100", "0", "≥ 50 % less"),
    ],
)
def test_an_account_is_in_the_group_of_its_change(old: str, new: str, label: str) -> None:
    (group,) = [group for group in build(("a", old, new)).distribution if group.accounts]
    assert group.label == label


def test_the_groups_go_from_much_less_to_much_more() -> None:
    groups = build().distribution
    assert len(groups) == 2 * (len(EDGES) + 1) + 1
    assert [group.direction for group in groups] == [-1] * 5 + [0] + [1] * 5
    assert (groups[0].label, groups[-1].label) == ("≥ 50 % less", "≥ 50 % more")


def test_several_currencies_are_a_list_and_one_is_itself() -> None:
    dollars, euros = build(("a", "1", "2")), build(("b", "1", "2"), currency="EUR")
    assert wire_of([dollars]) == dollars.to_dict()
    assert json.loads(encode(wire_of([euros, dollars])))[0]["currency"] == "EUR"
    assert simulations_from_json(encode(wire_of([euros, dollars]))) == (euros, dollars)


def test_csv_has_a_row_for_each_account_and_guards_names() -> None:
    dollars, euros = build(("=a", "1", "0.5")), build(("b", "1", "2"), currency="EUR")
    assert simulations_csv([euros, dollars]).splitlines() == [
        "account,currency,old,new,difference",
        "b,EUR,1.0,2.0,1.0",
        "'=a,USD,1.0,0.5,-0.5",
    ]


def test_it_is_printed_as_a_table() -> None:
    shown = str(build(("acme", "1", "0.5")))
    assert shown.splitlines()[0] == "Simulation 2025-01 to 2025-12 (USD)"
    assert "acme     1.0  0.5        -0.5" in shown
