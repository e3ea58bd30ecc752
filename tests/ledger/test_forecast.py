"""The forecast over a real ledger: what it reads, what it says where there is too little, and nobody else's jobs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tallystick.errors import NotFound
from tallystick.model.forecast import CostEstimate, Estimate, Forecast, FreeJobsForecast, TierForecast
from tests.embedded import Deployment, Document, job, plan

MIDNIGHT = "2024-02-20T00:00:00Z"
"""Of a leap year; twenty of February's days are over, or nearly."""

TIERS = [{"after_jobs": 0, "discount": "0"}, {"after_jobs": 410, "discount": "50"}]


def steady(account: str, first: str, last: str, *, a_day: int = 1, **fields: Any) -> Iterator[Document]:
    """So many jobs at noon of each day, both days included; each costs 30 under the plan of these tests."""
    day, end = (datetime.fromisoformat(f"{text}T12:00:00Z") for text in (first, last))
    while day <= end:
        for number in range(a_day):
            name = f"{account} {fields.get('api_key', '')} {day:%Y-%m-%d} {number}"
            yield job(name, account=account, completed_at=day.isoformat(), tokens={"transcription": 30}, **fields)
        day += timedelta(days=1)


@pytest.fixture
def acme(deployment: Deployment) -> Deployment:
    """One job a day since 2023, 415 of them before the 20th of February; half off after 410, and 100 free."""
    deployment.ledger.plans.put(plan("plain", free_jobs=100, tiers=TIERS))
    deployment.ledger.accounts.create("acme", plan="plain")
    deployment.ledger.record(steady("acme", "2023-01-01", "2024-02-19"))
    deployment.set_clock(MIDNIGHT)
    return deployment


def test_a_month_is_foreseen_from_what_came_and_what_comes_each_day(acme: Deployment) -> None:
    foreseen = acme.ledger.forecast("acme")
    assert (foreseen.month, foreseen.today, foreseen.currency) == ("2024-02", "2024-02-20", "USD")
    usage = acme.ledger.usage("acme").totals
    assert (foreseen.so_far.jobs, foreseen.so_far.final_cost) == (usage.jobs, usage.final_cost)
    assert foreseen.so_far.tokens == {"transcription": 570, "note_generation": 0}
    assert foreseen.too_little is None
    assert foreseen.month_end is not None
    assert foreseen.month_end.jobs == Estimate(29, 29, 29)
    assert foreseen.month_end.tokens == {"transcription": Estimate(870, 870, 870), "note_generation": Estimate(0, 0, 0)}


def test_what_never_changes_is_foreseen_to_the_last_digit_of_the_bill(acme: Deployment) -> None:
    said = acme.ledger.forecast("acme")
    acme.set_clock("2024-02-29T23:00:00Z")
    acme.ledger.record(steady("acme", "2024-02-20", "2024-02-29"))
    came = acme.ledger.usage("acme").totals.final_cost
    assert said.month_end is not None
    assert said.month_end.final_cost == CostEstimate(came, came, came)
    now = acme.ledger.forecast("acme")
    assert now.month_end is not None
    # An hour of the last day is left, in which a twenty-fourth of a job is foreseen.
    assert (now.month_end.jobs.expected, now.so_far.final_cost) == (29, came)


def test_what_has_been_reached_names_its_day(acme: Deployment) -> None:
    acme.ledger.budgets.set("acme", amount="165")
    acme.ledger.budgets.set("acme", "first key", amount="165.01")
    foreseen = acme.ledger.forecast("acme")
    # 410 jobs came up to the 14th. So January's tokens cost 30 each, and February's until then; 15 each from then on.
    assert foreseen.free_jobs == FreeJobsForecast(
        reached=True, expected="2023-04-10", earliest="2023-04-10", latest="2023-04-10", free_jobs=100, left=0
    )
    assert foreseen.next_tier is None
    whole, key = foreseen.budgets
    assert (whole.reached, whole.expected, whole.latest) == (True, "2024-02-06", "2024-02-06")
    assert (key.api_key, key.reached, key.expected) == ("first key", True, "2024-02-06")
    assert whole.month_end_cost == foreseen.month_end.final_cost  # type: ignore[union-attr]  # there is one


def test_what_is_to_be_reached_names_its_day(acme: Deployment) -> None:
    acme.set_clock("2024-02-10T00:00:00Z")
    acme.ledger.record(steady("beta", "2023-12-01", "2024-02-09"))
    acme.ledger.accounts.change("beta", plan="plain", plan_from="2023-01")
    acme.ledger.budgets.set("beta", amount="1")
    acme.ledger.budgets.set("beta", "first key", amount="1000000")
    foreseen = acme.ledger.forecast("beta")
    assert foreseen.free_jobs is not None
    assert (foreseen.free_jobs.left, foreseen.free_jobs.reached) == (29, False)
    assert "2024-03-01" <= (foreseen.free_jobs.expected or "") <= "2024-03-12"
    assert foreseen.next_tier is not None
    assert (foreseen.next_tier.jobs_left, foreseen.next_tier.discount) == (339, Decimal(50))
    # The free jobs last the month, so that neither budget is reached in it.
    assert [budget.expected for budget in foreseen.budgets] == [None, None]


def test_a_budget_is_foreseen_in_the_month_and_never_beyond(acme: Deployment) -> None:
    spent = acme.ledger.usage("acme").totals.final_cost
    for amount, day in ((spent + 1, "2024-02-20"), (spent + 150, "2024-02-29"), (spent + 151, None)):
        acme.ledger.budgets.set("acme", amount=amount)
        (budget,) = acme.ledger.forecast("acme").budgets
        assert (budget.reached, budget.expected, budget.earliest, budget.latest) == (False, day, day, day)


def test_a_plan_of_next_month_brings_the_next_tier(acme: Deployment) -> None:
    acme.ledger.plans.put(
        plan("better", tiers=[{"after_jobs": 0, "discount": "0"}, {"after_jobs": 300, "discount": "75"}])
    )
    acme.ledger.accounts.change("acme", plan="better", plan_from="2024-03")
    assert acme.ledger.forecast("acme").next_tier == TierForecast(
        reached=False,
        expected="2024-03-01",
        earliest="2024-03-01",
        latest="2024-03-01",
        tier=2,
        after_jobs=300,
        discount=Decimal(75),
        jobs_left=0,
    )


def test_a_plan_that_counts_anew_each_month_is_foreseen_by_the_month(acme: Deployment) -> None:
    tiers = [{"after_jobs": 0, "discount": "0"}, {"after_jobs": 25, "discount": "50"}]
    acme.ledger.plans.put(plan("monthly", free_jobs=10, free_jobs_reset="month", reset="month", tiers=tiers))
    acme.ledger.accounts.change("acme", plan="monthly", plan_from="2024-01")
    said = acme.ledger.forecast("acme")
    assert said.free_jobs == FreeJobsForecast(
        reached=True, expected="2024-02-10", earliest="2024-02-10", latest="2024-02-10", free_jobs=10, left=0
    )
    assert said.next_tier is not None
    assert (said.next_tier.expected, said.next_tier.latest, said.next_tier.jobs_left) == ("2024-02-25", "2024-02-25", 6)
    acme.set_clock("2024-02-29T23:59:59Z")
    acme.ledger.record(steady("acme", "2024-02-20", "2024-02-29"))
    assert said.month_end is not None
    assert said.month_end.final_cost.expected == acme.ledger.usage("acme").totals.final_cost == 15 * 30 + 4 * 15
    # March begins with nothing counted, and everything is reached anew.
    acme.set_clock("2024-03-01T00:00:00Z")
    anew = acme.ledger.forecast("acme")
    assert anew.free_jobs is not None
    assert (anew.free_jobs.left, anew.free_jobs.expected) == (10, "2024-03-10")
    assert anew.next_tier is not None
    assert anew.next_tier.expected == "2024-03-25"


@pytest.mark.parametrize(
    ("now", "zone", "month", "today"),
    [
        ("2024-02-29T23:59:59.999999Z", "UTC", "2024-02", "2024-02-29"),
        ("2024-03-01T00:00:00Z", "UTC", "2024-03", "2024-03-01"),
        ("2024-02-29T23:59:59Z", "Pacific/Kiritimati", "2024-03", "2024-03-01"),
        ("2024-03-01T00:00:00Z", "Pacific/Pago_Pago", "2024-02", "2024-02-29"),
        ("2024-03-31T00:30:00Z", "Europe/Berlin", "2024-03", "2024-03-31"),
    ],
)
def test_the_months_edges_are_those_of_the_accounts_zone(
    acme: Deployment, now: str, zone: str, month: str, today: str
) -> None:
    acme.ledger.accounts.change("acme", time_zone=zone)
    acme.set_clock(now)
    foreseen = acme.ledger.forecast("acme")
    assert (foreseen.month, foreseen.today) == (month, today)
    assert foreseen.month_end is not None
    last = {"2024-02": 29, "2024-03": 31}[month]
    so_far, most = foreseen.so_far.jobs, foreseen.month_end.jobs.high
    assert foreseen.month_end.jobs.low >= so_far
    # One job a day is left at most, today's included.
    assert so_far <= most <= so_far + last - int(today[-2:]) + 1


# Too little


def test_an_account_without_jobs_is_not_guessed_at(acme: Deployment) -> None:
    acme.ledger.accounts.create("empty", plan="plain")
    acme.ledger.budgets.set("empty", amount=5)
    foreseen = acme.ledger.forecast("empty")
    assert foreseen.too_little == (
        "the account had no jobs in the 365 days before today; a forecast needs 14 days of them"
    )
    assert (foreseen.month_end, foreseen.so_far.jobs) == (None, 0)
    assert foreseen.free_jobs == FreeJobsForecast(
        reached=False, expected=None, earliest=None, latest=None, free_jobs=100, left=100
    )
    assert foreseen.next_tier is not None
    assert (foreseen.next_tier.after_jobs, foreseen.next_tier.expected) == (410, None)
    (budget,) = foreseen.budgets
    assert (budget.too_little, budget.month_end_cost, budget.expected) == (foreseen.too_little, None, None)


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        ("2024-02-20", "2024-02-20", "had no jobs in the 365 days before today"),
        ("2024-02-19", "2024-02-19", "go back 1 day;"),
        ("2024-02-07", "2024-02-19", "go back 13 days"),
        ("2024-02-06", "2024-02-19", None),
        ("2024-01-01", "2024-01-06", "had jobs on 6 of the last 50 days"),
        ("2024-01-01", "2024-01-07", None),
        ("2023-02-01", "2023-02-15", "had no jobs in the 365 days before today"),
    ],
)
def test_a_short_history_is_said_and_a_long_enough_one_told(
    acme: Deployment, first: str, last: str, says: str | None
) -> None:
    acme.set_clock("2024-02-20T13:00:00Z")
    acme.ledger.record(steady("beta", first, last, a_day=3))
    acme.ledger.budgets.set("beta", amount=5)
    foreseen = acme.ledger.forecast("beta")
    if says is None:
        assert foreseen.too_little is None
        assert foreseen.month_end is not None
    else:
        assert says in (foreseen.too_little or "")
        assert foreseen.month_end is None
        assert foreseen.so_far.jobs == acme.ledger.usage("beta").totals.jobs


def test_nothing_is_said_of_jobs_that_lie_further_back_than_a_forecast_looks(acme: Deployment) -> None:
    acme.set_clock("2024-02-20T13:00:00Z")
    acme.ledger.record(steady("beta", "2022-11-01", "2022-12-31", a_day=3))
    assert acme.ledger.forecast("beta").too_little == (
        "the account had no jobs in the 365 days before today; a forecast needs 14 days of them"
    )
    acme.ledger.record(steady("beta", "2024-02-16", "2024-02-19", a_day=3))
    assert acme.ledger.forecast("beta").too_little == (
        "the account's jobs of the last 365 days go back 4 days; a forecast needs 14"
    )


def test_what_was_reached_is_told_also_where_the_history_is_short(acme: Deployment) -> None:
    acme.ledger.record(steady("beta", "2024-02-18", "2024-02-19", a_day=120))
    acme.ledger.budgets.set("beta", amount="0.001")
    acme.ledger.accounts.change("beta", plan="plain", plan_from="2023-01")
    foreseen = acme.ledger.forecast("beta")
    assert foreseen.too_little is not None
    assert foreseen.free_jobs is not None
    assert (foreseen.free_jobs.reached, foreseen.free_jobs.expected) == (True, "2024-02-18")
    assert [budget.expected for budget in foreseen.budgets] == ["2024-02-18"]


def test_a_key_may_have_too_little_where_the_account_has_enough(acme: Deployment) -> None:
    acme.ledger.accounts.create_key("acme", "unused")
    acme.ledger.record(steady("acme", "2024-02-15", "2024-02-19", api_key="late key"))
    for key in ("unused", "late key", "first key"):
        acme.ledger.budgets.set("acme", key, amount=1000)
    foreseen = acme.ledger.forecast("acme")
    assert foreseen.too_little is None
    assert {budget.api_key: budget.too_little for budget in foreseen.budgets} == {
        "first key": None,
        "late key": "the API key's jobs of the last 365 days go back 5 days; a forecast needs 14",
        "unused": "the API key had no jobs in the 365 days before today; a forecast needs 14 days of them",
    }
    assert [budget.month_end_cost is None for budget in foreseen.budgets] == [False, True, True]


# Whose


def test_an_account_is_foreseen_from_its_own_jobs_alone(acme: Deployment) -> None:
    before = acme.ledger.forecast("acme")
    acme.ledger.record(steady("other", "2023-06-01", "2024-02-19", a_day=7))
    acme.ledger.record(steady("acme", "2023-06-01", "2024-02-19", api_key="trial", sandbox=True))
    acme.ledger.budgets.set("other", amount=1)
    acme.ledger.budgets.set("other", "first key", amount=1)
    assert acme.ledger.forecast("acme") == before
    for nobody in ("", "nobody", "\0", "\ud800"):
        with pytest.raises(NotFound) as caught:
            acme.ledger.forecast(nobody)
        assert caught.value.code == "unknown_account"


def test_two_keys_parts_are_foreseen_to_sum_to_the_whole(acme: Deployment) -> None:
    acme.set_clock("2024-02-20T00:00:00Z")
    for key in ("one", "two"):
        acme.ledger.record(steady("beta", "2023-01-01", "2024-02-19", api_key=key))
        acme.ledger.budgets.set("beta", key, amount=10**6)
    acme.ledger.accounts.change("beta", plan="plain", plan_from="2023-01")
    acme.ledger.budgets.set("beta", amount=10**6)
    whole, *keys = (budget.month_end_cost for budget in acme.ledger.forecast("beta").budgets)
    assert whole is not None
    assert sum(cost.expected for cost in keys if cost) == whole.expected == Decimal(29 * 30)


def test_the_same_is_foreseen_twice_and_by_whoever_reads_it(acme: Deployment) -> None:
    acme.ledger.budgets.set("acme", amount=500)
    foreseen = acme.ledger.forecast("acme")
    assert acme.ledger.forecast("acme") == foreseen
    acme.rows("DELETE FROM boundary_usage")
    acme.rows("DELETE FROM boundary")
    assert acme.ledger.forecast("acme") == foreseen


def test_a_job_booked_a_little_ahead_of_the_clock_does_no_harm(acme: Deployment) -> None:
    """Jobs may be five minutes early, so that one may lie in a day or a month that has not begun."""
    acme.set_clock("2024-02-20T23:58:00Z")
    acme.ledger.budgets.set("acme", amount=acme.ledger.usage("acme").totals.final_cost + 1)
    acme.ledger.record([job("early", completed_at="2024-02-21T00:01:00Z", tokens={"transcription": 30})])
    foreseen = acme.ledger.forecast("acme")
    assert (foreseen.so_far.jobs, foreseen.budgets[0].expected) == (20, "2024-02-21")
    acme.set_clock("2024-02-29T23:58:00Z")
    acme.ledger.record([job("earlier", completed_at="2024-03-01T00:01:00Z", tokens={"transcription": 30})])
    assert acme.ledger.forecast("acme").so_far.jobs == 20


def test_a_forecast_survives_the_wire(acme: Deployment) -> None:
    from tallystick.model.wire import encode

    acme.ledger.budgets.set("acme", amount="1000")
    for account in ("acme", "empty"):
        if account == "empty":
            acme.ledger.accounts.create("empty")
        foreseen = acme.ledger.forecast(account)
        assert Forecast.from_json(encode(foreseen.to_dict()), currency="USD") == foreseen
        assert "currency" not in foreseen.to_dict()
