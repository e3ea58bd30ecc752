"""The explanation of a bill: each line can be multiplied again, and the lines sum to the report."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tallystick.errors import InvalidInput, NotFound
from tallystick.model.explanation import ExplainedLine, ExplainedMonth, Explanation
from tallystick.model.report import UsageReport
from tallystick.model.wire import encode
from tests.embedded import Deployment, job, plan

TIERS = [{"after_jobs": 0, "discount": "0"}, {"after_jobs": 20, "discount": "10"}, {"after_jobs": 60, "discount": "25"}]
PERIOD = ("2025-04", "2025-06")
NOTHING = Decimal(0)


def check(explanation: Explanation, report: UsageReport) -> None:
    """Every line is what its own figures say, and all of them are the report."""
    for line in explanation.lines:
        base = line.quantity * Fraction(line.price_per_unit)
        assert base == Fraction(line.base_cost)
        assert base * (1 - Fraction(line.discount) / 100) == Fraction(line.final_cost)
        assert line.free_jobs in (0, line.jobs)
        assert 1 <= line.first_rank <= line.last_rank
    totals = report.totals
    sums = {cost: getattr(totals, cost) for cost in ("base_cost", "final_cost", "savings")}
    assert encode(explanation.to_dict()["totals"]) == encode(sums)
    for month in report.monthly_breakdown:
        lines = [line for line in explanation.lines if line.month == month.month]
        assert sum(line.base_cost for line in lines) == month.base_cost
        assert sum(line.final_cost for line in lines) == month.final_cost
        assert jobs_by(lines, "tier") == {int(name[4:]): jobs for name, jobs in month.tiers.items() if jobs}
    for name, key in report.api_keys.items():
        lines = [line for line in explanation.lines if line.api_key == name]
        assert sum(line.final_cost for line in lines) == key.costs.final
        assert {
            meter: sum(line.quantity for line in lines if line.meter == meter) for meter in key.tokens
        } == key.tokens
        assert jobs_by(lines, "api_key") == {name: key.jobs}
    assert list(dict.fromkeys(line.month for line in explanation.lines)) == [
        month.month for month in report.monthly_breakdown if month.jobs
    ]


def jobs_by(lines: list[ExplainedLine], field: str) -> dict[Any, int]:
    """Each job once: a job with several meters is on a line of each."""
    jobs = {(getattr(line, field), line.month, line.api_key, line.first_rank): line.jobs for line in lines}
    sums: dict[Any, int] = {}
    for (value, *_), count in jobs.items():
        sums[value] = sums.get(value, 0) + count
    return sums


@pytest.fixture
def acme(deployment: Deployment) -> Deployment:
    """`acme` on a plan with 5 free jobs and tiers after 20 and 60; 91 jobs in May and June of two keys by turns."""
    deployment.ledger.plans.put(plan("tiered", free_jobs=5, tiers=TIERS))
    deployment.ledger.accounts.create("acme", plan="tiered")
    taken = deployment.ledger.record(
        [
            job(
                number,
                api_key=f"key {number % 2}",
                completed_at=f"2025-{5 + number // 50:02d}-{1 + number % 10:02d}T00:00:00Z",
                tokens={"transcription": number, "note_generation": 1},
            )
            for number in range(91)
        ]
    )
    assert taken.accepted == 91
    return deployment


def test_each_line_can_be_multiplied_again_and_they_sum_to_the_report(acme: Deployment) -> None:
    for _ in range(2):  # once with boundaries derived, once with those that were kept
        explanation = acme.ledger.explain("acme", *PERIOD)
        check(explanation, acme.ledger.usage("acme", *PERIOD))
    assert acme.count("boundary") == 1


def test_a_line_tells_what_it_covers(acme: Deployment) -> None:
    explanation = acme.ledger.explain("acme", *PERIOD)
    line = next(line for line in explanation.lines if line.month == "2025-06" and line.tier == 3)
    assert (line.api_key, line.meter, line.first_rank, line.last_rank) == ("key 0", "transcription", 61, 91)
    assert (line.price_per_unit, line.discount, line.plan, line.plan_version) == (
        Decimal(1),
        Decimal(25),
        "tiered",
        None,
    )
    assert (explanation.currency, explanation.period.start_month) == ("USD", "2025-04")
    free = [line for line in explanation.lines if line.free_jobs]
    assert {(line.first_rank, line.last_rank, line.price_per_unit, line.final_cost) for line in free} == {
        (1, 5, NOTHING, NOTHING)
    }
    assert sum(line.jobs for line in free if line.meter == "transcription") == 5


def test_months_tell_how_many_jobs_came_before_and_who_priced_them(acme: Deployment) -> None:
    acme.ledger.plans.put(plan("tiered", free_jobs=5, tiers=TIERS[:2]), effective_from="2025-06")
    explanation = acme.ledger.explain("acme", *PERIOD)
    assert explanation.months == (
        ExplainedMonth(month="2025-04", jobs_before=0, jobs=0, plan="tiered", plan_version=None),
        ExplainedMonth(month="2025-05", jobs_before=0, jobs=50, plan="tiered", plan_version=None),
        ExplainedMonth(month="2025-06", jobs_before=50, jobs=41, plan="tiered", plan_version="2025-06"),
    )
    assert {(line.month, line.plan_version) for line in explanation.lines} == {
        ("2025-05", None),
        ("2025-06", "2025-06"),
    }
    assert [(entry.plan_version, len(entry.document["tiers"])) for entry in explanation.plans] == [
        (None, 3),
        ("2025-06", 2),
    ]
    check(explanation, acme.ledger.usage("acme", *PERIOD))


def test_an_account_that_changes_its_plan_is_told_which_one_priced_each_line(acme: Deployment) -> None:
    acme.ledger.accounts.change("acme", plan="standard", plan_from="2025-06")
    explanation = acme.ledger.explain("acme", *PERIOD)
    assert {(line.month, line.plan) for line in explanation.lines} == {("2025-05", "tiered"), ("2025-06", "standard")}
    assert {line.price_per_unit for line in explanation.lines if line.month == "2025-06"} == {0}
    check(explanation, acme.ledger.usage("acme", *PERIOD))


def test_a_meter_that_was_not_used_has_no_line_and_no_job_is_lost(deployment: Deployment) -> None:
    deployment.ledger.plans.put(plan("p"))
    deployment.ledger.accounts.create("acme", plan="p")
    deployment.ledger.record([job(1, tokens={}), job(2, tokens={}, api_key="b"), job(3, tokens={"note_generation": 4})])
    explanation = deployment.ledger.explain("acme")
    assert [(line.api_key, line.meter, line.quantity, line.jobs) for line in explanation.lines] == [
        ("first key", "note_generation", 4, 2),
        ("b", "transcription", 0, 1),
    ]
    check(explanation, deployment.ledger.usage("acme"))


def test_a_meter_that_the_plan_lacks_has_the_price_0(deployment: Deployment) -> None:
    deployment.ledger.plans.put(plan("video", meters=[{"id": "video", "price": "0.6", "per": 60}]))
    deployment.ledger.plans.put(plan("p"))
    deployment.ledger.accounts.create("acme", plan="p")
    deployment.ledger.record([job(1, tokens={"video": 60})])
    (line,) = deployment.ledger.explain("acme").lines
    assert (line.meter, line.quantity, line.price_per_unit, line.final_cost) == ("video", 60, NOTHING, NOTHING)


def test_amounts_have_the_digits_of_the_wire(acme: Deployment) -> None:
    for line in acme.ledger.explain("acme", *PERIOD).lines:
        for value in (line.price_per_unit, line.discount, line.base_cost, line.final_cost):
            assert isinstance(value, Decimal)
            assert str(value) == encode(value).decode()


def test_it_comes_back_from_its_json(acme: Deployment) -> None:
    explanation = acme.ledger.explain("acme", *PERIOD)
    assert Explanation.from_json(encode(explanation.to_dict())) == explanation


def test_an_account_without_jobs_has_no_lines(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("new")
    explanation = deployment.ledger.explain("new")
    assert (explanation.lines, explanation.totals.final_cost, len(explanation.months)) == ((), NOTHING, 1)
    assert "total" in str(explanation)


def test_it_refuses_what_a_report_refuses(acme: Deployment) -> None:
    with pytest.raises(NotFound):
        acme.ledger.explain("nobody")
    for months in (("2025-13", None), ("2025-02", "2025-01"), ("2000-01", "2025-01")):
        with pytest.raises(InvalidInput):
            acme.ledger.explain("acme", *months)
