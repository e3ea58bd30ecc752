"""``tallystick close``: what became of each account, and the exit status."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tallystick.ledger import Ledger
from tests.cli.running import invoke


def test_accounts_that_fail_are_told_at_the_end_and_hold_up_no_other(acme: str, tmp_path: Path) -> None:
    keys = {"TALLYSTICK_SIGNING_FOLDER": str(tmp_path / "keys")}
    january = {"api_key": "k", "completed_at": "2025-01-15T00:00:00Z", "tokens": {"transcription": 1000}}
    with Ledger(acme) as ledger:
        ledger.record([{"id": name, "account": name, **january} for name in ("beta", "zeta")])
    with closing(sqlite3.connect(acme.removeprefix("sqlite:///"))) as connection, connection:
        wrong = "SELECT id FROM account WHERE name IN ('acme', 'zeta')"
        connection.execute(f"UPDATE usage_month SET jobs = jobs + 1 WHERE account_id IN ({wrong})")
    closed = invoke("close", "2025-01", "--database", acme, **keys)
    assert closed.exit_code == 1
    assert [line.split() for line in closed.stdout.splitlines()[2:]] == [
        ["acme", "—", "failed"],
        ["beta", "2025-01"],
        ["zeta", "—", "failed"],
    ]
    assert "1 of 3 accounts are closed through 2025-01; 2 failed\n" in closed.stderr
    told = closed.stderr.replace("\n", " ")
    for name in ("acme", "zeta"):
        assert f"error: the jobs of '{name}' do not sum to what its reports show" in told
    assert max(map(len, [*closed.stdout.splitlines(), *closed.stderr.splitlines()])) <= 80
    again = invoke("close", "2025-01", "--database", acme, "--json", **keys)
    assert again.exit_code == 1
    accounts = json.loads(again.stdout)["accounts"]
    assert [(each["outcome"], (each["error"] or {}).get("code")) for each in accounts] == [
        ("failed", "rollups_differ"),
        ("already", None),
        ("failed", "rollups_differ"),
    ]
