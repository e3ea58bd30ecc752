"""Copying a database while it is written to.

SQLite: its backup interface, not ``VACUUM INTO``. It copies pages as they are, which costs a third of writing every
row anew, and holds a read transaction meanwhile: the copy has the state of one moment, and in WAL mode writers go on.
(Without that transaction a copy in steps would begin again at every commit of another process.)
PostgreSQL: ``pg_dump``, which knows its own server best.

Either way the copy is written beside its place, brought to the disk, and only then given its name: whoever sees the
file sees all of it, also after a power cut.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from tallystick.errors import Conflict, StoreError
from tallystick.model.maintenance import Backup
from tallystick.store.database import Store

PAGES_AT_ONCE: Final = 4096
"""Pages that are copied in one step."""

DUMP: Final = "pg_dump"


def write_backup(store: Store, target: Path, *, replace: bool = False) -> Backup:
    """Writes a copy of a database to a file, which only its owner may read.

    Raises `Conflict` (code ``backup_exists``) where the file exists and is not to be replaced, or is a device or a
    folder, `StoreError` where the copy cannot be made (code ``missing_command`` without pg_dump), and `OSError`.
    """
    if target.exists() and not replace:
        raise Conflict(f"{target} exists already; --force replaces it", code="backup_exists")
    if target.exists() and not target.is_file():
        raise Conflict(f"{target} is no file, and is not replaced", code="backup_exists")
    with store.snapshot() as connection:
        if store.is_sqlite:
            _refuse_itself(connection, target)
            with _appearing(target) as partial:
                _copy(connection, partial)
            return _written(target)
        conninfo, password = _login(connection)
    # The connection has been given back: pg_dump makes its own, and nothing waits on ours meanwhile.
    with _appearing(target) as partial:
        _dump(conninfo, password, partial)
    return _written(target)


def _written(target: Path) -> Backup:
    return Backup(file=str(target), size_bytes=target.stat().st_size)


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """A file to be written, which gets the name `target` when the block ends, and goes when the block raises."""
    partial = target.with_name(f"{target.name}.partial")
    # A backup that was killed leaves its file behind, but not the lock, so that the next one can go on.
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, partial)
        os.ftruncate(descriptor, 0)
        try:
            yield partial
            os.fsync(descriptor)
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, partial: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_ours = os.path.samestat(os.fstat(descriptor), partial.stat())
    except (BlockingIOError, FileNotFoundError):
        is_ours = False
    if not is_ours:
        raise Conflict(f"another backup is being written to {partial}", code="backup_running")


def _sync_folder(folder: Path) -> None:
    # The name is in the folder, and lasts once that is on the disk.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_itself(connection: Connection, target: Path) -> None:
    own = connection.engine.url.database
    if own is not None and target.exists() and target.samefile(own):
        raise Conflict(f"{target} is the database itself", code="backup_exists")


def _copy(connection: Connection, partial: Path) -> None:
    # The first read is what fixes the moment; the copy keeps to the transaction that is open.
    connection.exec_driver_sql("SELECT COUNT(*) FROM sqlite_schema").scalar()
    source: Any = connection.connection.driver_connection
    with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        # Whoever finds the copy unfinished throws it away, so that it needs no journal.
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        # What is called between the steps gives Python the chance to act on Ctrl-C.
        source.backup(copy, pages=PAGES_AT_ONCE, progress=lambda *_: None)


def _login(connection: Connection) -> tuple[str, str]:
    from psycopg import conninfo

    driver: Any = connection.connection.driver_connection
    parameters = dict(driver.info.get_parameters())
    if parameters.get("sslcertmode") == "allow":
        # The driver's library fills in this default by itself, and a pg_dump older than 16 does not know the word.
        del parameters["sslcertmode"]
    return conninfo.make_conninfo("", **parameters), driver.info.password


def _dump(conninfo: str, password: str, partial: Path) -> None:
    if shutil.which(DUMP) is None:
        raise StoreError(
            f"a backup of PostgreSQL needs the command {DUMP}, which is not on the path; install PostgreSQL's client"
            f" programs, or run where they are: {DUMP} --format=custom --file=FILE --dbname=URL",
            code="missing_command",
        )
    # The password goes through the environment: arguments can be read by every user of the machine.
    environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    arguments = [DUMP, "--format=custom", "--no-password", f"--file={partial}", f"--dbname={conninfo}"]
    done = subprocess.run(
        arguments,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise StoreError(f"{DUMP} failed: {done.stderr.strip()}", code="backup_failed")
