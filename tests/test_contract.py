"""The contract's history gives the contract's report, digit for digit and in its order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import resources

import pytest

from tallystick.ingest import BodyForm
from tallystick.ledger import Ledger
from tests.reference.rater import ALWAYS, Account, Provider, wire
from tests.reference.strategies import STANDARD

DATA = resources.files("tallystick.demo.data")
JOBS = DATA.joinpath("january-2025.jobs.ndjson").read_bytes()
REPORT = DATA.joinpath("january-2025.report.json").read_text("utf-8")

NOW = datetime(2025, 2, 1, tzinfo=UTC)


def ordered(text: str) -> object:
    """JSON with numbers as decimals and objects as lists of pairs, so that the order of members counts."""
    return json.loads(text, parse_float=Decimal, object_pairs_hook=list)


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    now = (NOW - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    with Ledger(database, clock=lambda: now) as ledger:
        yield ledger


def test_the_history_recorded_as_lines_gives_the_report(ledger: Ledger) -> None:
    result = ledger.record_body(JOBS, BodyForm.LINES)
    assert (result.accepted, result.duplicates, result.rejected) == (108, 0, ())
    assert ordered(ledger.usage("acme", "2025-01", "2025-01").to_json()) == ordered(REPORT)


def test_the_history_recorded_job_by_job_in_reverse_gives_the_report(ledger: Ledger) -> None:
    for line in reversed(JOBS.splitlines()):
        assert ledger.record([json.loads(line)]).accepted == 1
        ledger.usage("acme", "2025-01", "2025-01")
    assert ordered(ledger.usage("acme", "2025-01", "2025-01").to_json()) == ordered(REPORT)


def test_the_report_has_the_very_digits_of_the_contract(ledger: Ledger) -> None:
    ledger.record_body(JOBS, BodyForm.LINES)
    assert ledger.usage("acme", "2025-01", "2025-01").to_json(indent=2) == REPORT.rstrip("\n")


def test_the_reference_rater_gives_the_report_too() -> None:
    provider = Provider()
    provider.put_plan(STANDARD)
    provider.accounts["acme"] = Account("UTC", {ALWAYS: "standard"})
    for line in JOBS.splitlines():
        assert provider.submit(json.loads(line), NOW) == "accepted"
    expected = json.loads(REPORT, parse_float=str, object_pairs_hook=list)
    assert wire(provider.usage("acme", "2025-01", "2025-01", NOW)) == expected
