"""``tallystick db``: what it says, what it prints for programs, and with which status it ends; on both engines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tallystick.cli.db import sentence
from tallystick.model.maintenance import Difference
from tallystick.store import migrations
from tests.cli.running import invoke, run, terminal
from tests.databases import SqliteDatabases, is_sqlite
from tests.databases import run as execute
from tests.db import filled
from tests.db.filled import ACME, BERLIN, ELEVENTH, FIRST_KEY, SECOND_KEY
from tests.embedded import Deployment


@pytest.fixture
def database(deployment: Deployment) -> str:
    filled.fill(deployment)
    return deployment.database


def tamper(database: str) -> None:
    for statement in (
        f"UPDATE usage_day SET jobs = 31 WHERE day = {ELEVENTH} AND key_id = {FIRST_KEY}",
        f"DELETE FROM usage_month WHERE account_id = {ACME} AND key_id = {SECOND_KEY}",
        "UPDATE boundary SET job_id = 'job_099'",
        f"UPDATE account_state SET live_jobs = 0 WHERE account_id = {BERLIN}",
    ):
        execute(database, statement)


DIFFERENCES = """\
acme: usage_day 2025-01-11, key 'first': jobs is 31, should be 30
acme: boundary rank 100: job_id is job_099, should be job_100
acme: usage_month 2025-01, key 'second': the row is missing, jobs should be 60
berlin: account_state: live_jobs is 0, should be 2
"""


def test_a_check_of_what_is_right_says_so(database: str) -> None:
    done = invoke("db", "check", "--database", database)
    assert (done.exit_code, done.stdout) == (0, "nothing differs; 2 accounts and 125 jobs walked\n")


def test_a_check_prints_each_difference_and_ends_with_1(database: str) -> None:
    tamper(database)
    done = invoke("db", "check", TALLYSTICK_DATABASE=database)
    assert done.exit_code == 1
    assert done.stdout == DIFFERENCES + "4 differences; 2 accounts and 125 jobs walked\n"


def test_a_repair_prints_what_it_repaired_and_ends_with_0(database: str) -> None:
    tamper(database)
    done = invoke("db", "check", "--repair", "--database", database)
    assert done.exit_code == 0
    assert done.stdout == DIFFERENCES + "4 differences, 4 repaired, none left; 2 accounts and 125 jobs walked\n"
    assert invoke("db", "check", "--database", database).exit_code == 0
    assert "database.repair" in invoke("audit", "--database", database).stdout


def test_a_repair_that_leaves_something_says_so_and_ends_with_1(database: str) -> None:
    tamper(database)
    execute(database, f"UPDATE account_state SET time_zone = 'Mars/Olympus' WHERE account_id = {BERLIN}")
    done = invoke("db", "check", "--repair", "--database", database)
    assert done.exit_code == 1
    assert "berlin: account_state: there is no time_zone Mars/Olympus\n" in done.stdout
    assert "4 differences, 3 repaired, 1 cannot be; 2 accounts and 125 jobs walked\n" in done.stdout


def test_a_check_for_programs_is_one_json_object(database: str) -> None:
    done = invoke("db", "check", "--json", "--database", database)
    assert (done.exit_code, json.loads(done.stdout)) == (
        0,
        {"differences": [], "accounts": 2, "jobs": 125, "repaired": 0},
    )
    tamper(database)
    done = invoke("db", "check", "--json", "--database", database)
    assert done.exit_code == 1
    printed = json.loads(done.stdout)
    assert printed["differences"][2] == {
        "account": "acme",
        "account_id": 1,
        "table": "usage_month",
        "place": "2025-01",
        "key": "second",
        "key_id": 2,
        "field": "jobs",
        "kept": None,
        "recomputed": 60,
        "repairable": True,
    }
    assert [difference["field"] for difference in printed["differences"]] == ["jobs", "job_id", "jobs", "live_jobs"]
    done = invoke("db", "check", "--json", "--repair", "--database", database)
    assert (done.exit_code, json.loads(done.stdout)["repaired"]) == (0, 4)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"table": "usage_day", "place": "2025-01-11", "key_id": 7, "kept": 3, "recomputed": None},
            "acme: usage_day 2025-01-11, key 7 (which does not exist): should not be there, jobs is 3",
        ),
        (
            {"account": None, "table": "usage_month", "place": "2025-01", "kept": 3, "recomputed": None},
            "account 1 (which does not exist): usage_month 2025-01: should not be there, jobs is 3",
        ),
        (
            {
                "account": "a\x1bb",
                "table": "job",
                "place": "j\t1",
                "field": "state",
                "kept": "live",
                "recomputed": "sandbox",
            },
            "a\\x1bb: job 'j\\t1': state is live, should be sandbox",
        ),
        (
            {"table": "job", "place": "1", "field": "key_id", "kept": 7, "recomputed": None, "repairable": False},
            "acme: job '1': there is no key_id 7",
        ),
        (
            {"table": "account_state", "place": "", "field": "time_zone", "kept": None, "recomputed": None},
            "acme: account_state: the row is missing",
        ),
    ],
)
def test_a_sentence_names_whose_where_and_what(fields: dict[str, str | int | None], expected: str) -> None:
    ordinary = {"account": "acme", "account_id": 1, "key": None, "key_id": None, "field": "jobs"}
    assert sentence(Difference(**{**ordinary, **fields})) == expected  # type: ignore[arg-type]  # mixed by design


def test_on_a_terminal_a_bar_shows_how_far_it_is_below_what_is_found(database: str) -> None:
    tamper(database)
    with terminal("db", "check", "--database", database) as shown:
        assert shown.wait() == 1
    assert "125 jobs" in shown.plain
    assert "100%" in shown.plain
    for line in [*DIFFERENCES.splitlines(), "4 differences; 2 accounts and 125 jobs walked"]:
        assert line in shown.plain


def test_elsewhere_nothing_but_the_result_is_printed(database: str) -> None:
    done = run("db", "check", "--database", database)
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing differs; 2 accounts and 125 jobs walked\n", "")


def test_a_backup_says_what_it_wrote(sqlite: SqliteDatabases, tmp_path: Path) -> None:
    with sqlite.fresh() as database:
        file = tmp_path / "copy.db"
        done = invoke("db", "backup", file, "--database", database)
        assert (done.exit_code, done.stdout) == (0, f"{file}: {file.stat().st_size:,} bytes\n")
        done = invoke("db", "backup", file, "--database", database)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == f"error: {file} exists already; --force replaces it\n"
        done = invoke("db", "backup", file, "--force", "--json", "--database", database)
        assert json.loads(done.stdout) == {"file": str(file), "size_bytes": file.stat().st_size}


def test_a_version_is_told_with_status_0_only_where_it_is_this_programs(database: str) -> None:
    done = invoke("db", "version", "--database", database)
    assert done.exit_code == 0
    assert done.stdout.split()[:2] == ["engine", "SQLite" if is_sqlite(database) else "PostgreSQL"]
    assert done.stdout.split()[-4:] == ["schema", migrations.HEAD, "program", migrations.HEAD]
    execute(database, "UPDATE alembic_version SET version_num = '9999'")
    done = invoke("db", "version", "--database", database)
    assert (done.exit_code, done.stderr) == (1, "the schema is newer than this program; use a newer Tallystick\n")
    done = invoke("db", "version", "--json", "--database", database)
    assert done.exit_code == 1
    assert {**json.loads(done.stdout), "engine": ""} == {
        "engine": "",
        "schema": "9999",
        "program": migrations.HEAD,
        "state": "newer",
    }


def test_an_upgrade_says_from_which_schema_to_which(sqlite: SqliteDatabases) -> None:
    with sqlite.empty() as database:
        done = invoke("db", "upgrade", "--database", database)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "error: there is no database" in done.stderr
        Path(database.removeprefix("sqlite:///")).touch()
        done = invoke("db", "upgrade", "--database", database)
        assert (done.exit_code, done.stdout) == (0, f"schema none → {migrations.HEAD}\n")
        done = invoke("db", "upgrade", "--database", database)
        assert (done.exit_code, done.stdout) == (0, f"schema {migrations.HEAD} already; nothing to do\n")
        done = invoke("db", "upgrade", "--json", "--database", database)
        assert json.loads(done.stdout) == {"before": migrations.HEAD, "after": migrations.HEAD}
