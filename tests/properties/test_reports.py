"""Random deployments: every report equals the reference's, however the jobs came and whatever was kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import event
from hypothesis import strategies as st

from tallystick.model.jobs import LedgerJob
from tallystick.model.report import UsageReport
from tests.databases import Databases
from tests.properties.playing import (
    Deployment,
    deployment_of,
    digits,
    expected_digits,
    for_all,
    new_deployment,
    outcome_of,
    reference_of,
    submit_all,
)
from tests.reference import rater
from tests.reference.rater import Document, Provider
from tests.reference.strategies import AccountSettings, Scenario, plan_documents, previous_month, provider_of, scenarios

# What may happen between two batches of jobs.
READ = "read"
FORGET = "forget the boundaries"
REOPEN = "reopen"
CLOSE = "close months"
NOTHING = "nothing"


def check_reports(deployment: Deployment, provider: Provider, scenario: Scenario) -> None:
    """Each account's report equals the reference's, digit by digit and in the same order."""
    for account in scenario.accounts:
        months = scenario.months(account)
        for start, end in ((months[0], months[-1]), (None, None), (None, months[-1])):
            expected = expected_digits(provider, account.name, start, end, scenario.now)
            assert digits(deployment.ledger.usage(account.name, start, end)) == expected


@st.composite
def batches(draw: st.DrawFn, jobs: Sequence[Document]) -> list[tuple[list[Document], str]]:
    """The jobs cut into batches, each with what happens after it."""
    after = st.sampled_from([READ, READ, FORGET, REOPEN, CLOSE, NOTHING])
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(jobs) - 1)), max_size=6)))
    edges = [0, *cuts, len(jobs)]
    return [(list(jobs[start:end]), draw(after)) for start, end in pairwise(edges)]


@for_all(scenarios(faults=False), share=0.5)
def test_a_report_equals_the_references_to_the_last_digit(databases: Databases, scenario: Scenario) -> None:
    with deployment_of(databases, scenario) as deployment:
        provider = reference_of(scenario, scenario.good_jobs)
        live_jobs = sum(len(provider.rated_jobs(account)) for account in provider.accounts.values())
        event(f"{live_jobs // 5 * 5} or more live jobs")
        check_reports(deployment, provider, scenario)


@for_all(st.data(), scenarios(most_accounts=3, most_jobs=12), share=0.5)
def test_batches_reads_and_forgotten_boundaries_change_nothing(
    databases: Databases, data: st.DataObject, scenario: Scenario
) -> None:
    """Accounts are interleaved, duplicates and faults among the jobs; every step is checked against the reference."""
    provider = provider_of(scenario)
    with new_deployment(databases, scenario.now) as deployment:
        deployment.set_up(scenario)
        for batch, then in data.draw(batches(scenario.submissions)):
            assert outcome_of(deployment, batch) == submit_all(provider, batch, scenario.now)
            if then == READ:
                check_reports(deployment, provider, scenario)
            elif then == FORGET:
                deployment.forget_boundaries()
            elif then == REOPEN:
                deployment.reopen()
            elif then == CLOSE:
                close_months(deployment, provider, scenario)
        check_reports(deployment, provider, scenario)
        check_rollups(deployment, scenario)


def close_months(deployment: Deployment, provider: Provider, scenario: Scenario) -> None:
    """Close the first half of each account's months: what comes for them later is booked when it comes (rule 7)."""
    for account in scenario.accounts:
        months = scenario.months(account)
        closed = min(months[len(months) // 2], previous_month(rater.month_of(account.zone, scenario.now)))
        provider.accounts[account.name].closed_through = closed
        deployment.close_month(account.name, closed)


@for_all(st.data(), scenarios(faults=False), share=0.25)
def test_any_order_of_arrival_gives_the_same_report(
    databases: Databases, data: st.DataObject, scenario: Scenario
) -> None:
    """One deployment gets all jobs at once, another one by one in another order, with boundaries kept in between."""
    account = scenario.accounts[0]
    months = scenario.months(account)
    with deployment_of(databases, scenario) as deployment:
        at_once = deployment.ledger.usage(account.name, months[0], months[-1])
    with deployment_of(databases, scenario, []) as deployment:
        for job in data.draw(st.permutations(scenario.good_jobs)):
            assert deployment.ledger.record([job]).accepted == 1
            deployment.ledger.usage(account.name, months[0], months[-1])
        assert deployment.ledger.usage(account.name, months[0], months[-1]) == at_once


@for_all(scenarios(), share=0.2)
def test_sending_everything_again_changes_nothing(databases: Databases, scenario: Scenario) -> None:
    with deployment_of(databases, scenario) as deployment:
        before = [digits(deployment.ledger.usage(account.name)) for account in scenario.accounts]
        again = deployment.ledger.record(scenario.good_jobs)
        assert (again.accepted, again.duplicates, again.rejected) == (0, len(scenario.good_jobs), ())
        assert [digits(deployment.ledger.usage(account.name)) for account in scenario.accounts] == before


@for_all(st.data(), scenarios(faults=False), plan_documents("later"), share=0.2)
def test_a_plan_put_after_the_jobs_rates_them_as_if_it_had_always_been_there(
    databases: Databases, data: st.DataObject, scenario: Scenario, plan: dict[str, Any]
) -> None:
    """Also a plan with new meters, which add columns and lose nothing; and one with other boundaries."""
    provider = reference_of(scenario, scenario.good_jobs)
    with deployment_of(databases, scenario) as deployment:
        check_reports(deployment, provider, scenario)
        deployment.put_plan(rater.ALWAYS, plan)
        provider.put_plan(plan)
        account = scenario.accounts[0]
        month = data.draw(st.sampled_from(scenario.months(account)))
        deployment.ledger.accounts.change(account.name, plan="later", plan_from=month)
        provider.accounts[account.name].plans[month] = "later"
        check_reports(deployment, provider, scenario)


# Sums (design rules 3 and 4).


def whole_report(deployment: Deployment, scenario: Scenario, account: AccountSettings) -> UsageReport:
    months = scenario.months(account)
    return deployment.ledger.usage(account.name, months[0], months[-1])


@for_all(scenarios(faults=False), share=0.2)
def test_months_sum_to_totals_and_keys_to_totals_and_tiers_to_jobs(databases: Databases, scenario: Scenario) -> None:
    with deployment_of(databases, scenario) as deployment:
        for account in scenario.accounts:
            report = whole_report(deployment, scenario, account).to_dict()
            totals, months, keys = report["totals"], report["monthly_breakdown"], list(report["api_keys"].values())
            for name in set(totals) & set(months[0]):
                assert exact_sum(month[name] for month in months) == Fraction(totals[name]), name
            meters = [name for name in totals if name not in NOT_METERS]
            assert sum(key["jobs"] for key in keys) == totals["jobs"]
            for meter, name in zip(provider_of(scenario).meters, meters, strict=True):
                assert sum(key["tokens"][meter] for key in keys) == totals[name]
            for cost in ("base", "final", "savings"):
                name = cost if cost == "savings" else f"{cost}_cost"
                assert exact_sum(key["costs"][cost] for key in keys) == Fraction(totals[name])
            for part in (*months, *keys):
                assert sum(part["tiers"].values()) == part["jobs"]
            assert sum_tiers(months) == sum_tiers(keys)


NOT_METERS = {"jobs", "base_cost", "final_cost", "savings", "effective_discount_percentage", "free_jobs_left"}


def exact_sum(values: Any) -> Fraction:
    return sum((Fraction(value) for value in values), start=Fraction(0))


def sum_tiers(parts: Sequence[dict[str, Any]]) -> Counter[str]:
    return +sum((Counter(part["tiers"]) for part in parts), start=Counter())


@for_all(scenarios(faults=False), share=0.2)
def test_base_less_savings_is_final_everywhere(databases: Databases, scenario: Scenario) -> None:
    with deployment_of(databases, scenario) as deployment:
        for account in scenario.accounts:
            report = whole_report(deployment, scenario, account)
            for part in (report.totals, *report.monthly_breakdown):
                assert Fraction(part.base_cost) - Fraction(part.savings) == Fraction(part.final_cost)
                assert 0 <= part.final_cost <= part.base_cost
            for key in report.api_keys.values():
                assert Fraction(key.costs.base) - Fraction(key.costs.savings) == Fraction(key.costs.final)
                assert 0 <= key.costs.final <= key.costs.base


@for_all(st.data(), scenarios(faults=False), share=0.2)
def test_the_parts_of_a_period_sum_to_the_whole(databases: Databases, data: st.DataObject, scenario: Scenario) -> None:
    account = scenario.accounts[0]
    months = scenario.months(account)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(months) - 1), max_size=4)))
    edges = [0, *cuts, len(months)]
    with deployment_of(databases, scenario) as deployment:
        whole = whole_report(deployment, scenario, account).totals.to_dict()
        parts = [
            deployment.ledger.usage(account.name, months[start], months[end - 1]).totals.to_dict()
            for start, end in pairwise(edges)
        ]
    for name in whole.keys() - {"effective_discount_percentage", "free_jobs_left"}:
        assert exact_sum(part[name] for part in parts) == Fraction(whole[name]), name
    assert {part["free_jobs_left"] for part in parts} == {whole["free_jobs_left"]}


@for_all(scenarios(faults=False), share=0.2)
def test_the_days_equal_the_references_and_sum_to_the_months_that_hold_them(
    databases: Databases, scenario: Scenario
) -> None:
    provider = reference_of(scenario, scenario.good_jobs)
    with deployment_of(databases, scenario) as deployment:
        for account in scenario.accounts:
            for month in whole_report(deployment, scenario, account).monthly_breakdown:
                first = date.fromisoformat(f"{month.month}-01")
                last = date.fromisoformat(f"{rater.next_month(month.month)}-01") - timedelta(days=1)
                daily = deployment.ledger.daily(account.name, str(first), str(last))
                assert digits(daily) == rater.wire(provider.daily(account.name, first, last))
                days, whole = [day.to_dict() for day in daily.days], month.to_dict()
                for name in days[0].keys() & whole.keys():
                    assert exact_sum(day[name] for day in days) == Fraction(whole[name]), name
                report = deployment.ledger.usage(account.name, month.month, month.month).to_dict()
                assert sum_keys([day["api_keys"] for day in days]) == sum_keys([report["api_keys"]])


def sum_keys(breakdowns: Sequence[dict[str, Any]]) -> dict[tuple[str, str], Fraction]:
    """Every figure of every key, summed."""
    sums: dict[tuple[str, str], Fraction] = {}
    for breakdown in breakdowns:
        for name, key in breakdown.items():
            for figures in ({"jobs": key["jobs"]}, key["tokens"], key["costs"], key["tiers"]):
                for figure, value in figures.items():
                    sums[name, figure] = sums.get((name, figure), Fraction(0)) + Fraction(value)
    return sums


# What the database keeps (design rule 13).


def check_rollups(deployment: Deployment, scenario: Scenario) -> None:
    zones = {account.name: account.zone for account in scenario.accounts}
    meters = [f"tokens_{meter}" for meter in provider_of(scenario).meters]
    sums = ", ".join(["jobs", *meters])
    jobs = deployment.rows(
        f"SELECT account.name, job.account_id, job.key_id, job.booked_at, {', '.join(meters)}"
        " FROM job JOIN account ON account.id = job.account_id"
        " JOIN api_key ON api_key.account_id = job.account_id AND api_key.id = job.key_id"
        " WHERE api_key.kind = 'live'"
    )
    days: dict[tuple[int, int, int], list[int]] = {}
    months: dict[tuple[int, int, int], list[int]] = {}
    live: Counter[int] = Counter()
    for name, account_id, key_id, booked_at, *tokens in jobs:
        day = rater.day_of(zones[name], rater.instant("1970-01-01T00:00:00Z") + timedelta(microseconds=booked_at))
        place = (account_id, (day - date(1970, 1, 1)).days, key_id)
        days[place] = add(days.get(place), [1, *tokens])
        place = (account_id, day.year * 12 + day.month - 1, key_id)
        months[place] = add(months.get(place), [1, *tokens])
        live[account_id] += 1
    assert kept(deployment.rows(f"SELECT account_id, day, key_id, {sums} FROM usage_day")) == days
    assert kept(deployment.rows(f"SELECT account_id, month, key_id, {sums} FROM usage_month")) == months
    assert +Counter(dict(deployment.rows("SELECT account_id, live_jobs FROM account_state"))) == live


def add(known: list[int] | None, more: list[int]) -> list[int]:
    return more if known is None else [a + b for a, b in zip(known, more, strict=True)]


def kept(rows: Sequence[tuple[int, ...]]) -> dict[tuple[int, int, int], list[int]]:
    return {(account, place, key): list(sums) for account, place, key, *sums in rows}


@for_all(st.data(), scenarios(most_accounts=1, faults=False), share=0.2)
def test_another_time_zone_moves_the_jobs_to_its_days_and_months(
    databases: Databases, data: st.DataObject, scenario: Scenario
) -> None:
    zone = data.draw(st.sampled_from(["UTC", "Pacific/Apia", "America/St_Johns", "Pacific/Pago_Pago"]))
    account = replace(scenario.accounts[0], zone=zone)
    moved = replace(scenario, accounts=(account,))
    with deployment_of(databases, scenario) as deployment:
        whole_report(deployment, scenario, scenario.accounts[0])
        deployment.ledger.accounts.change(account.name, time_zone=zone)
        check_reports(deployment, reference_of(moved, moved.good_jobs), moved)
        check_rollups(deployment, moved)


# The ledger, job by job.


@for_all(st.data(), scenarios(faults=False), share=0.25)
def test_the_ledger_lists_each_live_job_with_the_references_rank_and_cost(
    databases: Databases, data: st.DataObject, scenario: Scenario
) -> None:
    limit = data.draw(st.integers(1, 20))
    provider = reference_of(scenario, scenario.good_jobs)
    with deployment_of(databases, scenario) as deployment:
        for account in scenario.accounts:
            months = scenario.months(account)
            rated = provider.rated_jobs(provider.accounts[account.name])
            entries = all_pages(deployment, account.name, months[0], months[-1], limit)
            assert [entry.rank for entry in entries] == list(range(1, len(rated) + 1))
            assert [comparable(entry, provider) for entry in entries] == [
                expected_entry(job, provider) for job in rated
            ]
            report = deployment.ledger.usage(account.name, months[0], months[-1])
            assert exact_sum(entry.base_cost for entry in entries) == Fraction(report.totals.base_cost)
            assert exact_sum(entry.final_cost for entry in entries) == Fraction(report.totals.final_cost)
            tiers = Counter(f"tier{entry.tier}" for entry in entries)
            assert tiers == sum_tiers([month.to_dict() for month in report.monthly_breakdown])


@for_all(scenarios(faults=False), share=0.2)
def test_the_ledger_of_some_months_keeps_lifetime_ranks(databases: Databases, scenario: Scenario) -> None:
    account = scenario.accounts[0]
    with deployment_of(databases, scenario) as deployment:
        months = scenario.months(account)
        every = all_pages(deployment, account.name, months[0], months[-1], 1000)
        by_month = [entry for month in months for entry in all_pages(deployment, account.name, month, month, 3)]
        assert by_month == every


def all_pages(deployment: Deployment, account: str, start: str, end: str, limit: int) -> list[LedgerJob]:
    entries: list[LedgerJob] = []
    cursor = None
    while True:
        page = deployment.ledger.jobs(account, start, end, cursor=cursor, limit=limit)
        assert len(page.jobs) <= limit
        entries += page.jobs
        cursor = page.next_cursor
        if cursor is None:
            return entries
        assert len(page.jobs) == limit


def comparable(entry: LedgerJob, provider: Provider) -> dict[str, object]:
    shown = entry.to_dict()
    for money in ("discount", "base_cost", "final_cost"):
        shown[money] = Fraction(shown[money])
    shown["completed_at"] = rater.instant(shown["completed_at"])
    shown["booked_at"] = rater.instant(shown["booked_at"])
    return shown


def expected_entry(rated: rater.RatedJob, provider: Provider) -> dict[str, object]:
    return {
        "rank": rated.rank,
        "id": rated.job.id,
        "api_key": rated.job.api_key,
        "completed_at": rated.job.completed_at,
        "booked_at": rated.job.booked_at,
        "late": rated.job.booked_at != rated.job.completed_at,
        "tokens": {meter: rated.job.tokens.get(meter, 0) for meter in provider.meters},
        "tier": rated.tier,
        "free": rated.free,
        "discount": rated.discount,
        "base_cost": rated.base,
        "final_cost": rated.final,
    }


# All accounts.


@for_all(st.data(), scenarios(most_accounts=4, faults=False), share=0.2)
def test_the_list_of_accounts_has_each_ones_totals_the_costliest_first(
    databases: Databases, data: st.DataObject, scenario: Scenario
) -> None:
    months = sorted({month for account in scenario.accounts for month in scenario.months(account)})[-24:]
    start, end, limit = months[0], months[-1], data.draw(st.integers(1, 5))
    with deployment_of(databases, scenario) as deployment:
        pages = [deployment.ledger.usage_of_accounts(start, end, limit=limit)]
        while pages[-1].next_cursor is not None:
            pages.append(deployment.ledger.usage_of_accounts(start, end, cursor=pages[-1].next_cursor, limit=limit))
        listed = [account for page in pages for account in page.accounts]
        totals = {a.name: deployment.ledger.usage(a.name, start, end).totals for a in scenario.accounts}
    order = sorted(totals, key=lambda name: (-Fraction(totals[name].final_cost), name.encode()))
    assert [account.account for account in listed] == order
    for account in listed:
        for figure in ("jobs", "tokens", "base_cost", "final_cost", "savings"):
            assert getattr(account, figure) == getattr(totals[account.account], figure), figure
    for page in pages:
        (of_all,) = page.totals
        assert (of_all.currency, of_all.accounts) == ("USD", len(listed))
        for figure in ("jobs", "base_cost", "final_cost", "savings"):
            assert Fraction(getattr(of_all, figure)) == exact_sum(getattr(account, figure) for account in listed), (
                figure
            )
