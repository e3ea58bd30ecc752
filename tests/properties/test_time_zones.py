"""Jobs on the edges of days and months fall where the design's rule 12 puts them, to the microsecond.

The edges are written out by hand: the instant at which a day begins, the day before it and the day itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.databases import Databases
from tests.properties.playing import Deployment, digits, expected_digits, new_deployment, submit_all
from tests.reference import rater
from tests.reference.strategies import STANDARD


@dataclass(frozen=True)
class Edge:
    """The instant, in UTC, at which a day of a zone ends and another begins."""

    zone: str
    instant: str
    before: str
    behind: str

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.instant).replace(tzinfo=UTC)

    def __str__(self) -> str:
        return f"{self.zone} {self.behind}"


EDGES = (
    Edge("UTC", "2025-01-01T00:00:00", "2024-12-31", "2025-01-01"),
    Edge("UTC", "2024-02-29T00:00:00", "2024-02-28", "2024-02-29"),
    Edge("UTC", "2024-03-01T00:00:00", "2024-02-29", "2024-03-01"),
    # At 00:01 on 1 November the clock fell back to 23:01 on 31 October; November had begun a minute earlier.
    Edge("America/St_Johns", "2009-10-31T02:30:00", "2009-10-30", "2009-10-31"),
    Edge("America/St_Johns", "2009-11-01T02:30:00", "2009-10-31", "2009-11-01"),
    Edge("America/St_Johns", "2009-11-02T03:30:00", "2009-11-01", "2009-11-02"),
    Edge("America/St_Johns", "2010-03-14T03:30:00", "2010-03-13", "2010-03-14"),
    Edge("America/St_Johns", "2010-04-01T02:30:00", "2010-03-31", "2010-04-01"),
    # 13:45 ahead in summer, 12:45 in winter.
    Edge("Pacific/Chatham", "2024-03-31T10:15:00", "2024-03-31", "2024-04-01"),
    Edge("Pacific/Chatham", "2024-04-06T10:15:00", "2024-04-06", "2024-04-07"),
    Edge("Pacific/Chatham", "2024-04-07T11:15:00", "2024-04-07", "2024-04-08"),
    Edge("Pacific/Chatham", "2024-04-30T11:15:00", "2024-04-30", "2024-05-01"),
    Edge("Asia/Kolkata", "2024-02-29T18:30:00", "2024-02-29", "2024-03-01"),
    Edge("Asia/Kolkata", "2024-12-31T18:30:00", "2024-12-31", "2025-01-01"),
    # The date line moved: 29 December was followed by the 31st.
    Edge("Pacific/Apia", "2011-12-29T10:00:00", "2011-12-28", "2011-12-29"),
    Edge("Pacific/Apia", "2011-12-30T10:00:00", "2011-12-29", "2011-12-31"),
    Edge("Pacific/Apia", "2011-12-31T10:00:00", "2011-12-31", "2012-01-01"),
    # Here the skipped day was the last of the year.
    Edge("Pacific/Kiritimati", "1994-12-31T10:00:00", "1994-12-30", "1995-01-01"),
    # Midnight is skipped: the day begins at 01:00.
    Edge("Asia/Beirut", "2024-03-30T22:00:00", "2024-03-30", "2024-03-31"),
    Edge("Asia/Beirut", "2024-03-31T21:00:00", "2024-03-31", "2024-04-01"),
    # At midnight the clock falls back to 23:00: the day begins an hour later.
    Edge("Asia/Beirut", "2024-10-26T22:00:00", "2024-10-26", "2024-10-27"),
    Edge("America/Sao_Paulo", "2018-11-04T03:00:00", "2018-11-03", "2018-11-04"),
    Edge("America/Sao_Paulo", "2018-02-18T03:00:00", "2018-02-17", "2018-02-18"),
    Edge("America/Sao_Paulo", "2018-12-01T02:00:00", "2018-11-30", "2018-12-01"),
    # The skipped midnight is that of the month itself.
    Edge("America/Asuncion", "2017-10-01T04:00:00", "2017-09-30", "2017-10-01"),
    # At 01:00 on the first of the month the clock falls back to midnight; the first midnight counts.
    Edge("America/Havana", "2015-11-01T04:00:00", "2015-10-31", "2015-11-01"),
    # Daylight saving of half an hour.
    Edge("Australia/Lord_Howe", "2024-03-31T13:00:00", "2024-03-31", "2024-04-01"),
    Edge("Australia/Lord_Howe", "2024-04-06T13:00:00", "2024-04-06", "2024-04-07"),
    Edge("Australia/Lord_Howe", "2024-04-07T13:30:00", "2024-04-07", "2024-04-08"),
    Edge("Australia/Lord_Howe", "2024-04-30T13:30:00", "2024-04-30", "2024-05-01"),
    Edge("Australia/Lord_Howe", "2024-10-05T13:30:00", "2024-10-05", "2024-10-06"),
    Edge("Australia/Lord_Howe", "2024-10-06T13:00:00", "2024-10-06", "2024-10-07"),
    Edge("America/New_York", "2024-11-01T04:00:00", "2024-10-31", "2024-11-01"),
    Edge("America/New_York", "2024-12-01T05:00:00", "2024-11-30", "2024-12-01"),
    Edge("Europe/London", "2024-03-31T00:00:00", "2024-03-30", "2024-03-31"),
    Edge("Europe/London", "2024-03-31T23:00:00", "2024-03-31", "2024-04-01"),
    Edge("Europe/London", "2024-11-01T00:00:00", "2024-10-31", "2024-11-01"),
)

EACH_EDGE = pytest.mark.parametrize("edge", EDGES, ids=str)


@pytest.fixture(scope="module")
def deployment(databases: Databases) -> Iterator[Deployment]:
    with new_deployment(databases, datetime(2026, 1, 1, tzinfo=UTC)) as deployment:
        yield deployment


def record(deployment: Deployment, account: str, *times: str) -> None:
    jobs = [
        {"id": time, "account": account, "api_key": "key", "completed_at": time, "tokens": {"transcription": 1}}
        for time in times
    ]
    assert deployment.ledger.record(jobs).accepted == len(times)


def jobs_by_month(deployment: Deployment, account: str, start: str, end: str) -> dict[str, int]:
    report = deployment.ledger.usage(account, start, end)
    return {month.month: month.jobs for month in report.monthly_breakdown if month.jobs}


def jobs_by_day(deployment: Deployment, account: str, start: str, end: str) -> dict[str, int]:
    report = deployment.ledger.daily(account, start, end)
    return {day.day: day.jobs for day in report.days if day.jobs}


def text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


@EACH_EDGE
def test_a_microsecond_before_an_edge_is_one_day_and_the_edge_itself_the_next(
    deployment: Deployment, edge: Edge
) -> None:
    account, microsecond = f"edge {edge}", timedelta(microseconds=1)
    deployment.ledger.accounts.create(account, time_zone=edge.zone)
    record(deployment, account, *(text(edge.moment + n * microsecond) for n in (-1, 0, 1)))
    assert jobs_by_day(deployment, account, edge.before, edge.behind) == {edge.before: 1, edge.behind: 2}
    before, behind = edge.before[:7], edge.behind[:7]
    expected = {before: 1, behind: 2} if before != behind else {behind: 3}
    assert jobs_by_month(deployment, account, before, behind) == expected


@EACH_EDGE
def test_digits_finer_than_a_microsecond_are_cut_and_stay_before_the_edge(deployment: Deployment, edge: Edge) -> None:
    account = f"finer {edge}"
    deployment.ledger.accounts.create(account, time_zone=edge.zone)
    last_second = text(edge.moment - timedelta(seconds=1)).replace(".000000Z", "")
    record(deployment, account, f"{last_second}.9999999Z", f"{last_second}.999999999999Z")
    assert jobs_by_day(deployment, account, edge.before, edge.behind) == {edge.before: 2}
    assert jobs_by_month(deployment, account, edge.before[:7], edge.behind[:7]) == {edge.before[:7]: 2}


@EACH_EDGE
def test_the_reference_has_the_same_edges(edge: Edge) -> None:
    start = rater.day_start(edge.zone, datetime.fromisoformat(edge.behind).date())
    assert start == edge.moment
    assert rater.day_of(edge.zone, start).isoformat() == edge.behind
    assert rater.day_of(edge.zone, start - timedelta(microseconds=1)).isoformat() == edge.before


def test_october_does_not_reopen_when_the_clock_of_st_johns_falls_back_into_it(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("st john's", time_zone="America/St_Johns")
    record(
        deployment,
        "st john's",
        "2009-11-01T02:29:59.999999Z",  # 23:59:59.999999 on 31 October
        "2009-11-01T02:30:00Z",  # 00:00 on 1 November
        "2009-11-01T02:30:59.999999Z",  # 00:00:59.999999
        "2009-11-01T02:31:00Z",  # the clock reads 23:01 on 31 October again
        "2009-11-01T03:29:59.999999Z",  # 23:59:59.999999, for the second time
        "2009-11-01T03:30:00Z",  # 00:00 on 1 November, for the second time
    )
    assert jobs_by_month(deployment, "st john's", "2009-10", "2009-11") == {"2009-10": 1, "2009-11": 5}
    assert jobs_by_day(deployment, "st john's", "2009-10-31", "2009-11-01") == {"2009-10-31": 1, "2009-11-01": 5}


def test_apias_skipped_day_is_reported_and_empty(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("apia", time_zone="Pacific/Apia")
    record(deployment, "apia", "2011-12-30T09:59:59.999999Z", "2011-12-30T10:00:00Z", "2011-12-31T09:59:59.999999Z")
    report = deployment.ledger.daily("apia", "2011-12-29", "2012-01-01")
    assert [(day.day, day.jobs) for day in report.days] == [
        ("2011-12-29", 1),
        ("2011-12-30", 0),
        ("2011-12-31", 2),
        ("2012-01-01", 0),
    ]
    assert jobs_by_month(deployment, "apia", "2011-12", "2012-01") == {"2011-12": 3}


def test_an_offset_says_which_instant_it_was_and_the_accounts_zone_which_day(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("kolkata", time_zone="Asia/Kolkata")
    record(
        deployment,
        "kolkata",
        "2025-01-01T00:00:00+05:30",
        "2024-12-31T13:30:00-05:00",
        "2025-01-01T08:29:59.999999+14:00",  # 23:59:59.999999 in Kolkata
    )
    assert jobs_by_month(deployment, "kolkata", "2024-12", "2025-01") == {"2024-12": 1, "2025-01": 2}


def test_the_current_month_is_that_of_the_accounts_zone(databases: Databases) -> None:
    with new_deployment(databases, datetime(2024, 12, 31, 18, 30, tzinfo=UTC)) as deployment:
        for zone, month in (("UTC", "2024-12"), ("Asia/Kolkata", "2025-01"), ("Pacific/Kiritimati", "2025-01")):
            deployment.ledger.accounts.create(zone, time_zone=zone)
            period = deployment.ledger.usage(zone).period
            assert (period.start_month, period.end_month) == (month, month)
        deployment.now -= timedelta(microseconds=1)
        assert deployment.ledger.usage("Asia/Kolkata").period.end_month == "2024-12"


@pytest.mark.parametrize("zone", ["America/St_Johns", "Pacific/Chatham", "Asia/Kolkata", "Pacific/Pago_Pago"])
def test_another_zone_moves_the_cut_day_of_each_boundary_that_was_kept(databases: Databases, zone: str) -> None:
    """Jobs five hours apart, so that most boundaries fall within a day, in either zone."""
    now, first = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 1, 30, tzinfo=UTC)
    tiers = [{"after_jobs": after, "discount": str(after)} for after in range(0, 24, 3)]
    provider = rater.Provider()
    provider.put_plan(STANDARD)
    provider.put_plan({**STANDARD, "name": "steps", "free_jobs": 1, "tiers": tiers})
    provider.accounts["acme"] = rater.Account(zone, {rater.ALWAYS: "steps"})
    jobs = [
        {
            "id": f"{number:02}",
            "account": "acme",
            "api_key": f"key {number % 2}",
            "completed_at": text(first + timedelta(hours=5 * number)),
            "tokens": {"transcription": number},
        }
        for number in range(24)
    ]
    assert submit_all(provider, jobs, now)["accepted"] == len(jobs)
    with new_deployment(databases, now) as deployment:
        deployment.put_plan(rater.ALWAYS, provider.plans["steps"][rater.ALWAYS])
        deployment.ledger.accounts.create("acme", plan="steps")
        deployment.ledger.record(jobs)
        deployment.ledger.usage("acme", "2025-01", "2025-02")
        deployment.ledger.accounts.change("acme", time_zone=zone)
        report = deployment.ledger.usage("acme", "2025-01", "2025-02")
    assert digits(report) == expected_digits(provider, "acme", "2025-01", "2025-02", now)
