"""``tallystick forecast``, over a database and over a server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tallystick.ledger import Ledger
from tests.cli.conftest import Service
from tests.cli.running import invoke


@pytest.fixture
def busy(database: str) -> str:
    """A database in which an account has made forty jobs on each of the last sixty days, and has a budget."""
    now = datetime.now(UTC)
    with Ledger(database) as ledger:
        ledger.record(
            {
                "id": f"{day} {number}",
                "account": "acme",
                "api_key": "k",
                "completed_at": (now - timedelta(days=day, minutes=1)).isoformat(),
                "tokens": {"transcription": 1000},
            }
            for day in range(60)
            for number in range(40)
        )
        ledger.budgets.set("acme", amount=10**6)
    return database


def test_a_forecast_is_shown_in_tables_that_fit_a_terminal(busy: str) -> None:
    done = invoke("forecast", "--account", "acme", "--database", busy)
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["month", f"{datetime.now(UTC):%Y-%m}", "so", "far", "expected", "low", "high"]
    so_far, expected, low, high = (int(figure.replace(",", "")) for figure in lines[2].split()[1:])
    assert so_far <= low <= expected <= high
    assert "end of 100 free jobs" in done.stdout
    assert "(was)" in done.stdout
    assert [line.split()[-2:] for line in lines if line.startswith("budget of")] == [["not", "foreseen"]]


def test_json_is_what_the_server_answers(service: Service) -> None:
    server = {"TALLYSTICK_URL": service.url, "TALLYSTICK_TOKEN": service.usage}
    done = invoke("forecast", "--json", **server)
    assert json.loads(done.stdout, parse_float=Decimal) == service.ledger.forecast("acme").to_dict()


def test_too_little_history_is_said(acme: str) -> None:
    done = invoke("forecast", "--account", "acme", "--database", acme)
    assert done.exit_code == 0
    assert done.stderr == (
        "too little to tell: the account had no jobs in the 365 days before today; a\nforecast needs 14 days of them\n"
    )
    assert done.stdout.splitlines()[2].split() == ["jobs", "0", "—", "—", "—"]
    needed = invoke("forecast", "--database", acme)
    assert needed.exit_code == 2
