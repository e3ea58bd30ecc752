"""``tallystick simulate``: tables, JSON, CSV, a chart, and progress on a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tallystick.ledger import Ledger
from tallystick.model.instants import parse_instant
from tests.cli.running import invoke, terminal
from tests.embedded import job, plan

NEW = """\
name = "new"
currency = "USD"
[[meters]]
id = "transcription"
report_as = "transcription_tokens"
price = "0.9"
"""
MONTHS = ("--from", "2025-06", "--to", "2025-06")


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Two accounts that paid 1 USD for a token of transcription and 2 for a note, and one that paid nothing."""
    address = f"sqlite:///{tmp_path}/tallystick.db"
    now = parse_instant("2025-06-15T12:00:00Z")
    with Ledger(address, clock=lambda: now) as ledger:
        ledger.plans.put(plan("old"))
        for name, tokens in (
            ("acme", {"transcription": 1000}),
            ("[b]globex[/]", {"transcription": 10, "note_generation": 3}),
            ("idle", {}),
        ):
            ledger.accounts.create(name, plan="old")
            ledger.record([job(account=name, tokens=tokens)])
    return address


@pytest.fixture
def new(tmp_path: Path) -> Path:
    file = tmp_path / "new.toml"
    file.write_text(NEW)
    return file


def test_json_has_exactly_the_shape_that_is_documented(database: str, new: Path) -> None:
    result = invoke("simulate", new, *MONTHS, "--json", "--database", database)
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout, parse_float=str) == {
        "from": "2025-06",
        "to": "2025-06",
        "currency": "USD",
        "old_total": "1016.0",
        "new_total": "909.0",
        "difference": "-107.0",
        "accounts": [
            {"account": "acme", "old": "1000.0", "new": "900.0", "difference": "-100.0"},
            {"account": "[b]globex[/]", "old": "16.0", "new": "9.0", "difference": "-7.0"},
            {"account": "idle", "old": "0.0", "new": "0.0", "difference": "0.0"},
        ],
    }


def test_tables_show_the_sums_who_moves_and_how_it_is_spread(database: str, new: Path) -> None:
    shown = invoke("simulate", new, *MONTHS, "--database", database).stdout
    assert re.search(r"^USD +1,016\.0 +909\.0 +-107\.0 +-10\.53 %$", shown, re.MULTILINE)
    assert re.search(r"^acme +1,000\.0 +900\.0 +-100\.0 +-10\.00 %$", shown, re.MULTILINE)
    assert re.search(r"^\[b\]globex\[/\] +16\.0 +9\.0 +-7\.0 +-43\.75 %$", shown, re.MULTILINE)
    assert "who pays more" not in shown
    assert re.search(r"^10–20 % less +1 +-100\.0 ", shown, re.MULTILINE)
    assert shown.endswith("2 pay less, 0 more, 1 the same, of 3 accounts\n")
    assert max(map(len, shown.splitlines())) <= 80


def test_csv_has_a_row_for_each_account(database: str, new: Path) -> None:
    result = invoke("simulate", new, *MONTHS, "--csv", "--database", database)
    assert result.stdout.splitlines() == [
        "account,currency,old,new,difference",
        "acme,USD,1000.0,900.0,-100.0",
        "[b]globex[/],USD,16.0,9.0,-7.0",
        "idle,USD,0.0,0.0,0.0",
    ]


def test_one_account_and_standard_input(database: str) -> None:
    result = invoke("simulate", "-", *MONTHS, "--account", "acme", "--json", "--database", database, text=NEW)
    assert [account["account"] for account in json.loads(result.stdout)["accounts"]] == ["acme"]


@pytest.mark.parametrize(("name", "begins"), [("changes.png", b"\x89PNG"), ("changes.SVG", b"<svg")])
def test_the_distribution_is_drawn_to_a_file(
    database: str, new: Path, tmp_path: Path, name: str, begins: bytes
) -> None:
    result = invoke("simulate", new, *MONTHS, "--chart", tmp_path / name, "--json", "--database", database)
    assert result.exit_code == 0
    assert re.search(rf"{name}: [\d,]+ bytes", result.stderr)
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_of_several_currencies_each_has_its_part(database: str, new: Path, tmp_path: Path) -> None:
    with Ledger(database) as ledger:
        ledger.plans.put(plan("euro", currency="EUR"))
        ledger.accounts.create("euro", plan="euro")
    result = invoke("simulate", new, *MONTHS, "--database", database)
    assert "the plan is in USD; for accounts that pay in EUR its amounts are taken as theirs" in result.stderr
    assert result.stdout.count("Cost under another plan, 2025-06") == 2
    shown = invoke("simulate", new, *MONTHS, "--json", "--database", database)
    assert [part["currency"] for part in json.loads(shown.stdout)] == ["EUR", "USD"]
    drawn = invoke("simulate", new, *MONTHS, "--chart", tmp_path / "c.png", "--database", database)
    assert (drawn.exit_code, "a chart shows one currency" in drawn.stderr) == (2, True)
    assert not (tmp_path / "c.png").exists()


def test_mistakes_are_told_before_anything_is_read(new: Path, tmp_path: Path) -> None:
    new.write_text(NEW.replace('"0.9"', "0.9"))
    result = invoke("simulate", new, "--database", "sqlite:///nowhere/x.db")
    assert result.stderr.startswith("error: line 6: meters[0].price: must be a decimal in quotes")
    new.write_text(NEW)
    assert "--from: must be a month" in invoke("simulate", new, "--from", "2025", "--database", "x").stderr
    for arguments in (("--chart", tmp_path / "c.pdf"), ("--csv", "--json")):
        assert invoke("simulate", new, *arguments, "--database", "x").exit_code == 2


def test_on_a_terminal_it_shows_how_far_it_is(database: str, new: Path) -> None:
    with terminal("simulate", new, *MONTHS, "--database", database) as running:
        assert running.wait() == 0
        assert re.search(r"accounts .* 3 of 3 ", running.plain)
        assert "of 3 accounts" in running.plain
