"""What cannot be opened as an SQLite database is refused with a reason, and nothing is made or changed."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tallystick.errors import StoreError, StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.store import migrations, sqlite
from tallystick.store.database import Store
from tallystick.store.schema import metadata

NOBODY = 65534


def refusal(database: str) -> StoreError:
    with pytest.raises(StoreError) as caught:
        Ledger(database)
    return caught.value


@contextmanager
def without_privileges() -> Iterator[None]:
    """Files' permissions bind everybody but root, who runs the tests in many a container."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("content", [b"hello", b"hello world, this is no database\n" * 100, b"SQLite format 3\0" * 64])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    error = refusal(f"sqlite:///{file}")
    assert not isinstance(error, StoreUnavailable)
    assert "the database cannot be opened: file is not a database" in error.detail
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    error = refusal(f"sqlite:///{tmp_path}")
    assert error.detail == "the database cannot be opened: unable to open database file"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    error = refusal(f"sqlite:///{tmp_path}/missing/tallystick.db")
    assert error.code == "invalid_database"
    assert error.detail == f"there is no folder {tmp_path}/missing to hold the database"


def test_a_file_that_may_only_be_read_is_refused() -> None:
    # Not below pytest's folders, which nobody else may enter.
    with tempfile.TemporaryDirectory(prefix="tallystick-") as folder:
        file = Path(folder, "tallystick.db")
        file.touch()
        file.chmod(0o444)
        Path(folder).chmod(0o555)
        try:
            with without_privileges():
                error = refusal(f"sqlite:///{file}")
        finally:
            Path(folder).chmod(0o755)
        assert error.detail.startswith("the database cannot be opened: ")
        assert file.stat().st_size == 0


@pytest.mark.parametrize("database", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused_since_it_would_be_lost(database: str) -> None:
    error = refusal(database)
    assert error.code == "invalid_database"
    assert error.detail == "a database in memory would be lost; name a file: sqlite:///FILE"


@pytest.mark.parametrize(
    "database",
    ["", "tallystick.db", "mysql://root:hunter2@db/tallystick", "sqlite+aiosqlite:///a.db", "sqlite", "sqlite:a.db"],
)
def test_another_scheme_is_refused_without_repeating_a_password(database: str) -> None:
    error = refusal(database)
    assert error.code == "invalid_database"
    assert "sqlite:///FILE" in error.detail
    assert "hunter2" not in error.detail


@pytest.mark.parametrize(
    "database", ["sqlite://host/a.db", "sqlite:///a.db?mode=ro", "sqlite:///file::memory:?uri=true", "sqlite:///a\0.db"]
)
def test_an_address_with_more_than_a_file_is_refused(database: str) -> None:
    error = refusal(database)
    assert error.code == "invalid_database"
    assert error.detail == "a file is named by sqlite:///FILE, without a host or parameters"


def test_a_damaged_database_is_told_from_one_that_is_busy(tmp_path: Path) -> None:
    file = tmp_path / "tallystick.db"
    Ledger(f"sqlite:///{file}").close()
    content = bytearray(file.read_bytes())
    content[100:4000] = b"\xff" * 3900
    file.write_bytes(content)
    error = refusal(f"sqlite:///{file}")
    assert not isinstance(error, StoreUnavailable)
    assert "malformed" in error.detail


def test_a_writer_that_waits_too_long_for_another_process_is_told_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    file = tmp_path / "tallystick.db"
    with Ledger(f"sqlite:///{file}") as ledger, closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="database is locked"):
            ledger.check_ready()
        with pytest.raises(StoreUnavailable, match="database is locked"):
            ledger.record([{"id": "1"}])
        assert ledger.accounts.list().accounts == ()  # who reads does not wait
        other.execute("COMMIT")
        ledger.check_ready()


def test_commits_are_durable_and_readers_do_not_stop_the_writer(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/tallystick.db")
    with store.transaction() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    store.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_tables_are_strict_and_the_large_ones_clustered_by_their_keys_as_described(tmp_path: Path) -> None:
    """Neither Alembic nor reflection compares this."""
    migrated, described = tmp_path / "migrated.db", tmp_path / "described.db"
    Store(f"sqlite:///{migrated}").close()
    engine = sqlite.make_engine(f"sqlite:///{described}")
    with engine.begin() as connection:
        metadata.create_all(connection)
    engine.dispose()
    found = _table_list(migrated)
    assert found.pop("alembic_version") == (0, 0)
    assert found == _table_list(described)
    assert {strict for _, strict in found.values()} == {1}
    for table in ("job", "usage_day", "usage_month", "boundary", "boundary_usage", "account_state"):
        assert found[table] == (1, 1)


def _table_list(file: Path) -> dict[str, tuple[int, int]]:
    """Each table of ours: whether it has no row ids, and whether it is strict."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT name, wr, strict FROM pragma_table_list WHERE type = 'table'").fetchall()
    return {name: (clustered, strict) for name, clustered, strict in rows if not name.startswith("sqlite_")}


def test_opening_a_database_that_is_up_to_date_takes_no_write_lock(tmp_path: Path) -> None:
    file = tmp_path / "tallystick.db"
    Ledger(f"sqlite:///{file}").close()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Ledger(f"sqlite:///{file}") as ledger:
            assert [plan.name for plan in ledger.plans.list()] == ["standard"]
        assert other.execute("SELECT version_num FROM alembic_version").fetchone() == (migrations.HEAD,)
