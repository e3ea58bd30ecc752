"""Reports: what they cover, and the boundaries that they find, keep and do without."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from tallystick.errors import InvalidInput, StoreError, StoreUnavailable
from tallystick.ingest import BodyForm
from tallystick.report import growth
from tallystick.store import boundaries
from tallystick.store.database import Connection
from tests.embedded import Deploy, Deployment, Document, job, plan

CONTRACT = Path(__file__).parents[2] / "src/tallystick/demo/data"

JOBS = 91
"""Over ten days: no tier begins on the first job of a day."""

TIERS = [{"after_jobs": 0, "discount": "0"}, {"after_jobs": 20, "discount": "10"}, {"after_jobs": 60, "discount": "25"}]


def spread(jobs: int, *, days: int = 10, month: str = "2025-05") -> list[Document]:
    """Jobs over the first days of a month, in the order of their numbers, of two keys by turns."""
    return [
        job(
            number,
            api_key=f"key {number % 2}",
            completed_at=f"{month}-{1 + number * days // jobs:02d}T10:{number // 60 % 60:02d}:{number % 60:02d}Z",
            tokens={"transcription": number, "note_generation": 1},
        )
        for number in range(jobs)
    ]


@pytest.fixture
def tiered(deployment: Deployment) -> Deployment:
    """`acme` on a plan with 5 free jobs and tiers that start after 20 and 60 jobs."""
    deployment.ledger.plans.put(plan("tiered", free_jobs=5, tiers=TIERS))
    deployment.ledger.accounts.create("acme", plan="tiered")
    return deployment


def ranks(deployment: Deployment) -> list[int]:
    return [rank for (rank,) in deployment.rows("SELECT rank FROM boundary ORDER BY rank")]


def report(deployment: Deployment) -> dict[str, Any]:
    return deployment.ledger.usage("acme", "2025-01", "2025-06").to_dict()


def forget(deployment: Deployment) -> None:
    deployment.rows("DELETE FROM boundary_usage")
    deployment.rows("DELETE FROM boundary")


# The contract


def test_the_contracts_history_gives_the_contracts_report_digit_for_digit(deploy: Deploy) -> None:
    deployment = deploy(now="2025-02-01T00:00:00Z")
    body = (CONTRACT / "january-2025.jobs.ndjson").read_bytes()
    taken = deployment.ledger.record_body(body, BodyForm.LINES)
    assert (taken.duplicates, taken.rejected) == (0, ())
    (account,) = deployment.ledger.accounts.list().accounts
    expected = (CONTRACT / "january-2025.report.json").read_text()
    for _ in range(2):  # once derived, once from what was kept
        found = deployment.ledger.usage(account.name, "2025-01", "2025-01").to_json()
        assert json.loads(found, parse_float=str, object_pairs_hook=list) == json.loads(
            expected, parse_float=str, object_pairs_hook=list
        )


# Boundaries


def test_the_first_report_keeps_the_boundaries_that_it_derived(tiered: Deployment) -> None:
    tiered.ledger.record(spread(JOBS))
    assert ranks(tiered) == []
    first = report(tiered)
    assert ranks(tiered) == [5, 20, 60]
    kept = tiered.contents("boundary", "boundary_usage")
    assert report(tiered) == first
    assert tiered.contents("boundary", "boundary_usage") == kept
    forget(tiered)
    assert report(tiered) == first
    assert tiered.contents("boundary", "boundary_usage") == kept


def test_what_is_kept_of_a_boundary_is_its_jobs_place_and_the_sums_of_its_day_up_to_it(tiered: Deployment) -> None:
    jobs = spread(JOBS)
    tiered.ledger.record(jobs)
    report(tiered)
    for rank, day, job_id in tiered.rows("SELECT rank, day, job_id FROM boundary"):
        assert job_id == jobs[rank - 1]["id"]
        that_day = [each for each in jobs[:rank] if each["completed_at"][:10] == jobs[rank - 1]["completed_at"][:10]]
        assert day == tiered.value("SELECT MIN(day) FROM usage_day") + int(that_day[0]["completed_at"][8:10]) - 1
        sums = tiered.rows(
            "SELECT key_id, jobs, tokens_transcription FROM boundary_usage WHERE rank = ? ORDER BY key_id", rank
        )
        by_key: dict[str, list[int]] = {}
        for each in that_day:
            by_key.setdefault(each["api_key"], []).append(each["tokens"]["transcription"])
        numbers: dict[str, int] = dict(tiered.rows("SELECT name, id FROM api_key"))
        expected = sorted((numbers[name], len(counts), sum(counts)) for name, counts in by_key.items())
        assert [tuple(map(int, row)) for row in sums] == expected


LATE: list[tuple[str, Document, list[int]]] = [
    ("before all", job("late", completed_at="2025-01-01T00:00:00Z"), []),
    ("at the first, with a smaller id", job("a", completed_at=spread(JOBS)[4]["completed_at"]), []),
    ("at the first, with a larger id", job("z", completed_at=spread(JOBS)[4]["completed_at"]), [5]),
    ("between the first and the second", job("late", completed_at=spread(JOBS)[10]["completed_at"]), [5]),
    ("at the second, with a smaller id", job("a", completed_at=spread(JOBS)[19]["completed_at"]), [5]),
    ("at the second, with a larger id", job("z", completed_at=spread(JOBS)[19]["completed_at"]), [5, 20]),
    ("at the last, with a larger id", job("z", completed_at=spread(JOBS)[59]["completed_at"]), [5, 20, 60]),
    ("behind all", job("late", completed_at="2025-06-01T00:00:00Z"), [5, 20, 60]),
    ("a sandbox job before all", job("s", api_key="s", sandbox=True, completed_at="2025-01-01T00:00:00Z"), [5, 20, 60]),
]


@pytest.mark.parametrize(("late", "still_kept"), [entry[1:] for entry in LATE], ids=[entry[0] for entry in LATE])
def test_a_job_throws_away_just_the_boundaries_at_or_behind_it(
    tiered: Deployment, late: Document, still_kept: list[int]
) -> None:
    tiered.ledger.record(spread(JOBS))
    report(tiered)
    assert tiered.ledger.record([late]).accepted == 1
    assert ranks(tiered) == still_kept
    assert {rank for (rank,) in tiered.rows("SELECT rank FROM boundary_usage")} == set(still_kept)
    after = report(tiered)
    forget(tiered)
    assert report(tiered) == after


def test_a_duplicate_or_refused_job_throws_nothing_away(tiered: Deployment) -> None:
    tiered.ledger.record(spread(JOBS))
    report(tiered)
    first = spread(JOBS)[0]
    tiered.ledger.record([first, {**first, "tokens": {}}, {**first, "id": "", "completed_at": "2025-01-01T00:00:00Z"}])
    assert ranks(tiered) == [5, 20, 60]


def test_other_accounts_jobs_throw_nothing_away(tiered: Deployment) -> None:
    tiered.ledger.record(spread(JOBS))
    report(tiered)
    tiered.ledger.record([job("late", account="other", completed_at="2025-01-01T00:00:00Z")])
    assert ranks(tiered) == [5, 20, 60]


def test_a_boundary_on_a_days_last_job_needs_no_job_read_and_is_not_kept(tiered: Deployment) -> None:
    tiered.ledger.record(spread(100))  # ten a day: ranks 20 and 60 end their days
    report(tiered)
    assert ranks(tiered) == [5]


def test_a_report_that_meets_no_boundary_keeps_none(tiered: Deployment) -> None:
    tiered.ledger.record([*spread(JOBS), *spread(3, month="2025-04")])
    tiered.ledger.usage("acme", "2025-04", "2025-04")
    tiered.ledger.usage("acme", "2025-06", "2025-06")
    assert ranks(tiered) == []


def test_a_daily_report_and_a_fleet_report_keep_boundaries_too(
    tiered: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiered.ledger.record(spread(JOBS))
    tiered.ledger.daily("acme", "2025-05-01", "2025-05-04")
    assert ranks(tiered) == [5, 20]
    forget(tiered)
    tiered.ledger.usage_of_accounts("2025-05", "2025-05")
    assert ranks(tiered) == [], "ranks near a month's first job are sooner read than kept"
    monkeypatch.setattr(growth, "NEAR", 4)
    tiered.ledger.usage_of_accounts("2025-05", "2025-05")
    assert ranks(tiered) == [5, 20, 60]


def test_the_boundaries_of_many_accounts_are_kept_a_few_accounts_at_a_time(
    tiered: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"account {number}" for number in range(5)]
    for name in names:
        tiered.ledger.accounts.create(name, plan="tiered")
    tiered.ledger.record([{**each, "account": name} for name in names for each in spread(JOBS)])
    kept: list[int] = []
    keep = boundaries.keep

    def counting(connection: Connection, ranks: Mapping[int, Collection[int]]) -> None:
        kept.append(len(ranks))
        keep(connection, ranks)

    monkeypatch.setattr(boundaries, "keep", counting)
    monkeypatch.setattr("tallystick.ledger.KEPT_AT_ONCE", 2)
    monkeypatch.setattr(growth, "NEAR", 0)
    tiered.ledger.usage_of_accounts("2025-05", "2025-05")
    assert kept == [2, 2, 1]
    assert ranks(tiered) == sorted(len(names) * [5, 20, 60])


@pytest.mark.parametrize("error", [StoreUnavailable("the disk is full"), StoreError("the database is read-only")])
def test_a_report_is_complete_though_its_boundaries_cannot_be_kept(
    tiered: Deployment, monkeypatch: pytest.MonkeyPatch, error: StoreError
) -> None:
    tiered.ledger.record(spread(JOBS))

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("tallystick.store.boundaries.keep", fail)
        found = report(tiered)
        daily = tiered.ledger.daily("acme", "2025-05-01", "2025-05-10")
        fleet = tiered.ledger.usage_of_accounts("2025-05", "2025-05")
    assert ranks(tiered) == []
    assert found == report(tiered)
    assert daily == tiered.ledger.daily("acme", "2025-05-01", "2025-05-10")
    assert fleet == tiered.ledger.usage_of_accounts("2025-05", "2025-05")


def test_boundaries_that_a_job_overtook_before_they_were_kept_are_kept_as_they_are_then(
    tiered: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who keeps a boundary derives it anew under the account's lock, so that a job between does not spoil it."""
    tiered.ledger.record(spread(JOBS))
    ledger = tiered.ledger
    original = ledger._keep

    def keep_late(account_id: int, derived: Any) -> None:
        if ledger.record([job(f"late {n}", completed_at="2025-01-01T00:00:00Z") for n in range(2)]).accepted:
            original(account_id, derived)

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "_keep", keep_late)
        before = report(tiered)
    assert before["totals"]["jobs"] == JOBS
    kept = tiered.contents("boundary", "boundary_usage")
    assert ranks(tiered) == [5, 20, 60]
    after = report(tiered)
    assert after["totals"]["jobs"] == JOBS + 2
    forget(tiered)
    assert report(tiered) == after
    assert tiered.contents("boundary", "boundary_usage") == kept


def test_a_boundary_that_ends_its_day_by_the_time_it_is_kept_is_the_right_job(
    tiered: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiered.ledger.record(spread(JOBS))
    ledger = tiered.ledger
    original = ledger._keep

    def keep_late(account_id: int, derived: Any) -> None:
        if ledger.record([job("late", completed_at="2025-01-01T00:00:00Z")]).accepted:
            original(account_id, derived)

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "_keep", keep_late)
        report(tiered)
    of_rank = {entry.rank: entry for entry in ledger.jobs("acme", "2025-01", "2025-06", limit=1000).jobs}
    kept = dict(tiered.rows("SELECT rank, job_id FROM boundary"))
    assert kept == {rank: of_rank[rank].id for rank in (5, 20, 60)}
    days = {day.day: day.jobs for day in ledger.daily("acme", "2025-01-01", "2025-01-01").days}
    may = [day.jobs for day in ledger.daily("acme", "2025-05-01", "2025-05-02").days]
    assert sum([*days.values(), *may]) == 20  # so the second boundary is the last job of its day
    before = report(tiered)
    forget(tiered)
    assert report(tiered) == before


def test_a_plan_with_other_boundaries_finds_its_own(tiered: Deployment) -> None:
    tiered.ledger.record(spread(JOBS))
    report(tiered)
    tiered.ledger.plans.put(
        plan("tiered", free_jobs=7, tiers=[TIERS[0], {"after_jobs": 33, "discount": "50"}]), effective_from="2025-01"
    )
    report(tiered)
    assert ranks(tiered) == [5, 7, 20, 33, 60]


# Periods


def months(deployment: Deployment, *period: str | None) -> list[str]:
    found = deployment.ledger.usage("acme", *period)
    listed = [month.month for month in found.monthly_breakdown]
    assert (found.period.start_month, found.period.end_month) == (listed[0], listed[-1])
    return listed


def test_a_period_left_open_is_filled_in_as_the_design_says(tiered: Deployment) -> None:
    assert months(tiered) == ["2025-06"]
    assert months(tiered, None, "2025-03") == ["2025-03"]  # no job yet
    tiered.ledger.record([job(1, completed_at="2024-11-05T00:00:00Z")])
    assert months(tiered) == ["2025-06"]
    assert months(tiered, "2025-04") == ["2025-04", "2025-05", "2025-06"]
    assert months(tiered, "2025-06", None) == ["2025-06"]
    assert months(tiered, None, "2025-01") == ["2024-11", "2024-12", "2025-01"]
    assert months(tiered, None, "2024-05") == ["2024-05"]  # before the first job
    assert months(tiered, "2030-01", "2030-02") == ["2030-01", "2030-02"]
    tiered.ledger.record([job(2, completed_at="1999-01-01T00:00:00Z")])
    assert months(tiered, None, "2025-06")[0] == "2015-07"
    assert len(months(tiered, None, "2025-06")) == 120
    assert len(months(tiered, "2015-07", "2025-06")) == 120
    assert months(tiered, "0001-01", "0001-02") == ["0001-01", "0001-02"]
    assert months(tiered, "9999-11", "9999-12") == ["9999-11", "9999-12"]
    assert months(tiered, None, "0001-01") == ["0001-01"]


@pytest.mark.parametrize(
    ("period", "code", "parameter"),
    [
        (("2025-13", None), "invalid_month", "start_month"),
        (("2025-1", None), "invalid_month", "start_month"),
        (("x", None), "invalid_month", "start_month"),
        (("", None), "invalid_month", "start_month"),
        (("0000-01", None), "invalid_month", "start_month"),
        (("２０２５-01", None), "invalid_month", "start_month"),
        ((None, "2025-00"), "invalid_month", "end_month"),
        ((None, "2025-01\n"), "invalid_month", "end_month"),
        (("2025-02", "2025-01"), "invalid_period", "end_month"),
        (("2025-07", None), "invalid_period", "end_month"),
        (("2015-06", "2025-06"), "invalid_period", "start_month"),
        (("0001-01", None), "invalid_period", "start_month"),
    ],
)
def test_a_period_that_is_none_is_refused_by_every_report(
    tiered: Deployment, period: tuple[str | None, str | None], code: str, parameter: str
) -> None:
    ledger = tiered.ledger
    calls: list[Callable[[], object]] = [
        lambda: ledger.usage("acme", *period),
        lambda: ledger.usage_of_accounts(*period),
        lambda: ledger.jobs("acme", *period),
    ]
    for call in calls:
        with pytest.raises(InvalidInput) as caught:
            call()
        assert (caught.value.code, [field.parameter for field in caught.value.errors]) == (code, [parameter])


def test_free_jobs_left_are_those_of_the_whole_life_whatever_is_asked_for(tiered: Deployment) -> None:
    def left(*period: str) -> int:
        return tiered.ledger.usage("acme", *period).totals.free_jobs_left

    assert left() == 5
    tiered.ledger.record([job(1), job(2, completed_at="2025-01-01T00:00:00Z"), job(3, api_key="s", sandbox=True)])
    assert left() == left("2024-01", "2024-02") == left("2030-01", "2030-01") == 3
    tiered.ledger.record(spread(10))
    assert left() == 0


def test_keys_without_live_jobs_in_the_period_are_not_listed(tiered: Deployment) -> None:
    tiered.ledger.accounts.create_key("acme", "unused")
    tiered.ledger.record(
        [
            job(1, api_key="june"),
            job(2, api_key="may", completed_at="2025-05-01T00:00:00Z"),
            job(3, api_key="sandbox", sandbox=True),
        ]
    )
    tiered.ledger.accounts.revoke_key("acme", "may")
    assert list(tiered.ledger.usage("acme").api_keys) == ["june"]
    assert list(tiered.ledger.usage("acme", "2025-05", "2025-06").api_keys) == ["june", "may"]


# Days


def test_a_daily_report_has_each_day_of_its_period_and_sums_to_the_months(tiered: Deployment) -> None:
    tiered.ledger.record(spread(JOBS))
    days = tiered.ledger.daily("acme", "2025-04-30", "2025-06-01").days
    assert [day.day for day in days][:2] == ["2025-04-30", "2025-05-01"]
    assert [day.day for day in days][-2:] == ["2025-05-31", "2025-06-01"]
    assert len(days) == 33
    totals = tiered.ledger.usage("acme", "2025-05", "2025-05").totals
    assert sum(day.jobs for day in days) == totals.jobs == JOBS
    assert sum(day.base_cost for day in days) == totals.base_cost
    assert sum(day.final_cost for day in days) == totals.final_cost
    keys = tiered.ledger.usage("acme", "2025-05", "2025-05").api_keys
    for name, key in keys.items():
        parts = [day.api_keys[name] for day in days if name in day.api_keys]
        assert sum(part.costs.final for part in parts) == key.costs.final
        for tier in key.tiers:
            assert sum(part.tiers[tier] for part in parts) == key.tiers[tier]


def test_a_daily_report_may_begin_in_the_middle_of_a_month(tiered: Deployment) -> None:
    tiered.ledger.record(spread(JOBS))
    whole = {day.day: day for day in tiered.ledger.daily("acme", "2025-05-01", "2025-05-31").days}
    for start in range(1, 12):
        for day in tiered.ledger.daily("acme", f"2025-05-{start:02d}", f"2025-05-{start + 2:02d}").days:
            assert day == whole[day.day]


def test_days_left_open_are_filled_in(tiered: Deployment) -> None:
    def period(*asked: str | None) -> tuple[str, str]:
        found = tiered.ledger.daily("acme", *asked)
        return found.start, found.end

    assert period() == ("2025-06-01", "2025-06-15")
    assert period("2025-06-10") == ("2025-06-10", "2025-06-15")
    assert period(None, "2025-02-20") == ("2025-02-01", "2025-02-20")
    assert period("2024-06-15", "2025-06-15") == ("2024-06-15", "2025-06-15")
    assert period("0001-01-01", "0001-01-02") == ("0001-01-01", "0001-01-02")
    assert period("9999-12-30", "9999-12-31") == ("9999-12-30", "9999-12-31")


@pytest.mark.parametrize(
    ("asked", "code", "parameter"),
    [
        (("2025-02-29", None), "invalid_day", "start"),
        (("2025-2-1", None), "invalid_day", "start"),
        ((None, "20250201"), "invalid_day", "end"),
        ((None, ""), "invalid_day", "end"),
        (("2025-02-02", "2025-02-01"), "invalid_period", "end"),
        (("2025-06-16", None), "invalid_period", "start"),
        (("2024-06-14", "2025-06-15"), "invalid_period", "start"),
    ],
)
def test_days_that_are_none_are_refused(
    tiered: Deployment, asked: tuple[str | None, str | None], code: str, parameter: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        tiered.ledger.daily("acme", *asked)
    assert (caught.value.code, [field.parameter for field in caught.value.errors]) == (code, [parameter])
