"""A price plan is checked whole: every error names its key, and a good plan comes back as it went in."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given

from tallystick.errors import InvalidPlan
from tallystick.model.plans import Meter, Reset, parse_plan, parse_plan_toml
from tests.reference.strategies import STANDARD, plan_documents

TOML = """
name = "standard"
currency = "USD"
free_jobs = 100

[[meters]]
id = "transcription"                  # the key in api_keys[...].tokens
report_as = "transcription_tokens"
price = "0.03"
per = 1000

[[meters]]
id = "note_generation"
report_as = "note_tokens"
price = "0.02"
per = 1000

[[tiers]]
after_jobs = 0
discount = "0"

[[tiers]]
after_jobs = 1000
discount = "7"

[[tiers]]
after_jobs = 3000
discount = "12"

[[tiers]]
after_jobs = 5000
discount = "15"
"""

Edit = Callable[[dict[str, Any]], Any]


def edited(edit: Edit) -> dict[str, Any]:
    document = copy.deepcopy(dict(STANDARD))
    edit(document)
    return document


def errors_of(document: Any) -> dict[str, str]:
    with pytest.raises(InvalidPlan) as caught:
        parse_plan(document)
    assert caught.value.code == "invalid_plan"
    for error in caught.value.errors:
        assert error.detail in caught.value.detail
    keys = [error.key for error in caught.value.errors]
    assert len(keys) == len(set(keys))
    return {error.key: error.detail for error in caught.value.errors}


def setting(path: str, value: object) -> Edit:
    """An edit that puts a value at a path such as ``meters[0].price``."""
    steps: list[Any] = [int(s) if s.isdigit() else s for s in path.replace("[", ".").replace("]", "").split(".")]

    def edit(document: dict[str, Any]) -> None:
        place: Any = document
        for step in steps[:-1]:
            place = place[step]
        place[steps[-1]] = value

    return edit


def test_the_designs_plan_is_read_from_toml() -> None:
    plan = parse_plan_toml(TOML)
    assert plan == parse_plan(STANDARD)
    assert (plan.name, plan.currency, plan.free_jobs) == ("standard", "USD", 100)
    assert [(m.id, m.report_as, m.price, m.per) for m in plan.meters] == [
        ("transcription", "transcription_tokens", Decimal("0.03"), 1000),
        ("note_generation", "note_tokens", Decimal("0.02"), 1000),
    ]
    assert [(t.after_jobs, t.discount) for t in plan.tiers] == [
        (0, Decimal(0)),
        (1000, Decimal(7)),
        (3000, Decimal(12)),
        (5000, Decimal(15)),
    ]


@given(plan_documents())
def test_a_plan_comes_back_from_its_document(document: dict[str, Any]) -> None:
    plan = parse_plan(document)
    assert parse_plan(plan.to_document()) == plan


@given(plan_documents())
def test_the_price_of_one_unit_is_exact(document: dict[str, Any]) -> None:
    plan = parse_plan(document)
    for meter, entry in zip(plan.meters, document["meters"], strict=True):
        assert Fraction(meter.unit_price) == Fraction(entry["price"]) / entry["per"]


def test_a_meter_that_the_plan_lacks_costs_nothing() -> None:
    meters = (Meter("pages", "pages"), Meter("note_generation", "note_tokens"))
    assert parse_plan(STANDARD).unit_prices(meters) == (Decimal(0), Decimal("0.00002"))


def test_what_may_be_left_out() -> None:
    plan = parse_plan({"name": "p", "currency": "EUR", "meters": [{"id": "pages", "price": "0.5"}]})
    assert (plan.free_jobs, plan.free_jobs_reset, plan.reset) == (0, Reset.NEVER, Reset.NEVER)
    assert not plan.counts_by_month
    assert [(t.after_jobs, t.discount) for t in plan.tiers] == [(0, Decimal(0))]
    assert [(m.report_as, m.per) for m in plan.meters] == [("pages_tokens", 1)]


@pytest.mark.parametrize(
    ("tiers", "free_jobs"), [("month", "never"), ("never", "month"), ("month", "month"), ("never", "never")]
)
def test_tiers_and_free_jobs_may_each_be_counted_anew_every_month(tiers: str, free_jobs: str) -> None:
    plan = parse_plan_toml(f'reset = "{tiers}"\nfree_jobs_reset = "{free_jobs}"\n{TOML}')
    assert (plan.reset, plan.free_jobs_reset) == (Reset(tiers), Reset(free_jobs))
    assert plan.counts_by_month == ("month" in (tiers, free_jobs))
    assert {name: plan.to_document()[name] for name in ("reset", "free_jobs_reset")} == {
        "reset": tiers,
        "free_jobs_reset": free_jobs,
    }


def test_a_plan_that_was_taken_before_keeps_a_currency_that_there_is_no_more() -> None:
    document = {"name": "p", "currency": "ABC", "meters": [{"id": "pages", "price": "0.5"}]}
    assert parse_plan(document, taken_before=True).currency == "ABC"
    with pytest.raises(InvalidPlan, match="ABC is no currency of ISO 4217"):
        parse_plan(document)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("name", None, "is missing"),
        ("name", 5, "must be text"),
        ("name", "", "must not be empty"),
        ("name", " standard", "space"),
        ("name", "a\nb", "control characters"),
        ("currency", None, "is missing"),
        ("currency", "usd", "three capitals"),
        ("currency", "USDX", "three capitals"),
        ("currency", 840, "three capitals"),
        ("currency", "USB", "USB is no currency of ISO 4217"),
        ("free_jobs", "100", "must be an integer, not str"),
        ("free_jobs", 1.0, "must be an integer, not float"),
        ("free_jobs", True, "must be an integer, not bool"),
        ("free_jobs", -1, "must lie between 0 and"),
        ("free_jobs", 10**12 + 1, "must lie between 0 and"),
        ("reset", "year", 'must be "never" or "month"'),
        ("reset", None, 'must be "never" or "month"'),
        ("reset", True, 'must be "never" or "month"'),
        ("reset", ["month"], 'must be "never" or "month"'),
        ("free_jobs_reset", "Month", 'must be "never" or "month"'),
        ("free_jobs_reset", "", 'must be "never" or "month"'),
        ("meters", None, "is missing"),
        ("meters", [], "at least one"),
        ("meters", {}, "must be a list"),
        ("meters", [{"id": f"m{i}", "price": "1"} for i in range(51)], "at most 50"),
        ("meters[1]", "transcription", "must be a table"),
        ("meters[0].id", None, "is missing"),
        ("meters[0].id", "Transcription", "a-z"),
        ("meters[0].id", 5, "a-z"),
        ("meters[1].id", "transcription", "taken by another meter"),
        ("meters[1].report_as", "transcription_tokens", "taken by another meter"),
        ("meters[1].report_as", "base_cost", "a field of the report itself"),
        ("meters[1].report_as", "jobs", "a field of the report itself"),
        ("meters[1].report_as", "Note tokens", "a-z"),
        ("meters[1].report_as", 5, "a-z"),
        ("meters[1].report_as", "_tokens", "a-z"),
        ("meters[1].price", None, "is missing"),
        ("meters[1].price", 0.03, "must be a decimal in quotes"),
        ("meters[1].price", 1, "must be a decimal in quotes"),
        ("meters[1].price", "", "is not a decimal number"),
        ("meters[1].price", "1,5", "is not a decimal number"),
        ("meters[1].price", "NaN", "is not a finite number"),
        ("meters[1].price", "-0.01", "must not be negative"),
        ("meters[1].price", "0.0000000000001", "at most 12 decimal places"),
        ("meters[1].price", "1000000000", "must be below 1000000000"),
        ("meters[1].price", "1e30", "12 before the point"),
        ("meters[1].price", "0." + "0" * 50, "more digits"),
        ("meters[1].per", 0, "must lie between 1 and"),
        ("meters[1].per", -60, "must lie between 1 and"),
        ("meters[1].per", "60", "must be an integer"),
        ("meters[1].per", 10**9 + 1, "must lie between 1 and"),
        ("tiers", [], "at least one"),
        ("tiers", [{"after_jobs": i, "discount": "0"} for i in range(101)], "at most 100"),
        ("tiers[2]", 3000, "must be a table"),
        ("tiers[0].after_jobs", 1, "must be 0"),
        ("tiers[2].after_jobs", 1000, "must be greater than 1000"),
        ("tiers[2].after_jobs", None, "is missing"),
        ("tiers[3].after_jobs", 2999, "must be greater than 3000"),
        ("tiers[3].after_jobs", 10**12 + 1, "must lie between"),
        ("tiers[3].discount", None, "is missing"),
        ("tiers[3].discount", "100.0001", "must not exceed 100"),
        ("tiers[3].discount", "-1", "must not be negative"),
        ("tiers[3].discount", "7.00001", "at most 4 decimal places"),
        ("tiers[3].discount", 15, "must be a decimal in quotes"),
    ],
)
def test_each_broken_rule_names_its_key(path: str, value: object, reason: str) -> None:
    found = errors_of(edited(setting(path, value)))
    assert reason in found[path]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("colour", "colour"),
        ("meters[0].unit", "meters[0].unit"),
        ("tiers[1].from", "tiers[1].from"),
    ],
)
def test_a_key_that_a_plan_does_not_have_is_named(path: str, key: str) -> None:
    assert "is not a key of a plan" in errors_of(edited(setting(path, 1)))[key]


@pytest.mark.parametrize("document", [None, 5, "plan", []])
def test_what_is_no_table_is_no_plan(document: object) -> None:
    assert errors_of(document)[""] == "must be a table"


@pytest.mark.parametrize(
    ("price", "per", "reason"),
    [
        ("0.01", 60, "0.01 / 60 has no finite decimal form"),
        ("1", 3, "1.0 / 3 has no finite decimal form"),
        ("0.000000000001", 2**9, "more than 20 decimal places"),
    ],
)
def test_a_price_whose_unit_is_no_finite_decimal_is_refused_with_that_reason(price: str, per: int, reason: str) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["meters"][0] |= {"price": price, "per": per}

    assert reason in errors_of(edited(edit))["meters[0].price"]


@pytest.mark.parametrize(
    ("price", "per"), [("0.03", 1000), ("0.03", 60), ("0.000000000001", 2**8), ("0", 7), ("999999999", 1)]
)
def test_a_price_whose_unit_is_a_finite_decimal_is_taken(price: str, per: int) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["meters"][0] |= {"price": price, "per": per}

    assert Fraction(parse_plan(edited(edit)).meters[0].unit_price) == Fraction(price) / per


def test_all_errors_are_told_at_once() -> None:
    def edit(document: dict[str, Any]) -> None:
        document["currency"] = "dollars"
        document["meters"][0]["price"] = 0.03
        document["tiers"][1]["after_jobs"] = 0

    assert errors_of(edited(edit)).keys() == {"currency", "meters[0].price", "tiers[1].after_jobs"}


def test_what_is_not_toml_is_no_plan() -> None:
    with pytest.raises(InvalidPlan, match="is not TOML"):
        parse_plan_toml("name = ")


def test_a_price_without_quotes_is_refused_in_toml_too() -> None:
    with pytest.raises(InvalidPlan) as caught:
        parse_plan_toml(TOML.replace('price = "0.03"', "price = 0.03"))
    assert [error.key for error in caught.value.errors] == ["meters[0].price"]
