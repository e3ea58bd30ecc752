"""Playing a random deployment to the real `Ledger`, over a database of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from tallystick.ledger import Ledger
from tallystick.model.plans import parse_plan
from tallystick.model.report import DailyReport, UsageReport
from tallystick.model.wire import encode
from tallystick.settings import Settings
from tests.databases import Databases, run
from tests.reference.rater import ALWAYS, Document, Provider, wire
from tests.reference.strategies import Scenario, provider_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


PARTS = {"sqlite": 1.0, "postgresql": 0.2}
"""How many of a test's examples each engine plays. A database of PostgreSQL takes longer to make and to open."""


def for_all(
    *strategies: st.SearchStrategy[Any], share: float
) -> Callable[[Callable[..., None]], Callable[[Databases], None]]:
    """A property test over databases of each engine in turn, with so many of the profile's examples.

    What opens a database costs a hundred times what does not.
    """
    assert settings.default is not None
    most = settings.default.max_examples * share

    def decorate(check: Callable[..., None]) -> Callable[[Databases], None]:
        tests = {
            engine: settings(max_examples=max(1, round(most * part)))(given(*strategies)(check))
            for engine, part in PARTS.items()
        }

        def test(databases: Databases) -> None:
            tests[databases.engine](databases=databases)

        test.__name__ = check.__name__
        test.__doc__ = check.__doc__
        return test

    return decorate


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


class Deployment:
    """A database, open as a `Ledger` whose clock stands at `now`."""

    def __init__(self, address: str, now: datetime, settings: Settings | None = None) -> None:
        self.address = address
        self.now = now
        self._settings = settings
        self.ledger = self._open()

    def _open(self) -> Ledger:
        return Ledger(self.address, settings=self._settings, clock=lambda: microseconds(self.now))

    def reopen(self) -> None:
        """Close the database and open it again: what was only in memory is gone."""
        self.ledger.close()
        self.ledger = self._open()

    def rows(self, query: str) -> list[Any]:
        """What the database itself answers, behind the ledger's back."""
        return [tuple(row) for row in run(self.address, query)]

    def forget_boundaries(self) -> None:
        """Throw away every boundary that is kept, behind the ledger's back."""
        run(self.address, "DELETE FROM boundary_usage")
        run(self.address, "DELETE FROM boundary")

    def close_month(self, account: str, month: str) -> None:
        """Close an account's months up to one, as statements will."""
        place = int(month[:4]) * 12 + int(month[5:]) - 1
        run(
            self.address,
            "UPDATE account_state SET closed_through = ? WHERE account_id = (SELECT id FROM account WHERE name = ?)",
            place,
            account,
        )

    def set_up(self, scenario: Scenario) -> None:
        """Put the scenario's plans and create its accounts."""
        note(f"{scenario}")
        for month, document in scenario.plans:
            self.put_plan(month, document)
        for account in scenario.accounts:
            (_, first), *others = account.plans
            self.ledger.accounts.create(account.name, time_zone=account.zone, plan=first)
            for month, plan in others:
                self.ledger.accounts.change(account.name, plan=plan, plan_from=month)

    def put_plan(self, month: str, document: Document) -> None:
        """Put a plan version that holds from a month on."""
        self.ledger.plans.put(parse_plan(document), effective_from=None if month == ALWAYS else month)


@contextmanager
def opened(address: str, now: datetime, settings: Settings | None = None) -> Iterator[Deployment]:
    """A deployment over a database that is there already."""
    deployment = Deployment(address, now, settings)
    try:
        yield deployment
    finally:
        deployment.ledger.close()


@contextmanager
def new_deployment(databases: Databases, now: datetime, given: Settings | None = None) -> Iterator[Deployment]:
    """A deployment over a database of its own, with the standard plan in it."""
    with databases.fresh() as address, opened(address, now, given) as deployment:
        yield deployment


@contextmanager
def deployment_of(
    databases: Databases, scenario: Scenario, jobs: Sequence[Document] | None = None
) -> Iterator[Deployment]:
    """The scenario's plans and accounts, and some jobs all at once: its good ones unless others are given."""
    with new_deployment(databases, scenario.now) as deployment:
        deployment.set_up(scenario)
        jobs = scenario.good_jobs if jobs is None else jobs
        result = deployment.ledger.record(jobs)
        assert result.accepted == len(jobs), result.rejected
        yield deployment


def submit_all(provider: Provider, jobs: Sequence[Document], now: datetime) -> dict[str, Any]:
    """What the reference makes of a batch, in the form of `IngestResult.to_dict`, without the rejections' words."""
    outcomes = [provider.submit(job, now) for job in jobs]
    return {
        "accepted": outcomes.count("accepted"),
        "duplicates": outcomes.count("duplicate"),
        "rejected": [
            {"index": index, "id": jobs[index]["id"], "code": outcome}
            for index, outcome in enumerate(outcomes)
            if outcome not in ("accepted", "duplicate")
        ],
    }


def reference_of(scenario: Scenario, jobs: Sequence[Document]) -> Provider:
    """The scenario in the reference, with some jobs that are all good."""
    provider = provider_of(scenario)
    assert submit_all(provider, jobs, scenario.now)["accepted"] == len(jobs)
    return provider


def outcome_of(deployment: Deployment, jobs: Sequence[Document]) -> dict[str, Any]:
    """What the ledger makes of a batch, in the same form."""
    result = deployment.ledger.record(jobs).to_dict()
    for rejection in result["rejected"]:
        assert rejection.pop("detail")
    return result


def digits(report: UsageReport | DailyReport) -> object:
    """The report as it goes over the wire: members in their order, each number as the digits that stand there."""
    return json.loads(encode(report.to_dict()), parse_float=str, object_pairs_hook=list)


def expected_digits(provider: Provider, account: str, start: str | None, end: str | None, now: datetime) -> object:
    """The reference's report in the form of `digits`."""
    return wire(provider.usage(account, start, end, now))
