"""The care of a database: checking what is derived, repairing it, copying, upgrading."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path

from tallystick.errors import StoreError
from tallystick.ledger.audit import note
from tallystick.ledger.clock import now_in_microseconds
from tallystick.model.maintenance import (
    Backup,
    CheckProgress,
    CheckResult,
    DatabaseVersion,
    Difference,
    SchemaChange,
)
from tallystick.store import backup, check, repair
from tallystick.store.database import Store

Tell = Callable[[Difference], None]
Progress = Callable[[CheckProgress], None]


def _ignore(_: object) -> None:
    pass


class Maintenance:
    """Takes care of an open database."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def check(self, tell: Tell = _ignore, progress: Progress = _ignore) -> CheckResult:
        """Recomputes rollups, counts and kept boundaries from the jobs and tells of every difference.

        Reads the state of one moment, whatever is written meanwhile, in memory that does not grow with the ledger.
        `tell` gets each difference when it is found, `progress` hears now and then how far the walk is. Raises
        `StoreError` (codes ``schema_behind``, ``schema_too_new``) where the schema is not this program's.
        """
        return self._check(tell, progress)

    def repair(self, tell: Tell = _ignore, progress: Progress = _ignore) -> CheckResult:
        """As `check`; then rebuilds, in one transaction, everything derived of the accounts where something differs.

        Accounts that are being rebuilt take no jobs until the end; on SQLite nothing else can be written.
        """
        wrong = array("q")  # of all that a check finds only this is kept: eight bytes an account
        repaired = 0

        def take(difference: Difference) -> None:
            nonlocal repaired
            tell(difference)
            if difference.repairable:
                repaired += 1
                if not wrong or wrong[-1] != difference.account_id:
                    wrong.append(difference.account_id)

        result = self._check(take, progress)
        if wrong:
            with self._store.transaction() as connection:
                repair.rebuild(connection, wrong)
                note(connection, self._clock(), "database.repair", "", accounts=len(wrong), differences=repaired)
        return CheckResult(
            accounts=result.accounts, jobs=result.jobs, differences=result.differences, repaired=repaired
        )

    def _check(self, tell: Tell, progress: Progress) -> CheckResult:
        self._require_current_schema()
        last = CheckProgress(0, 0, 0)

        def hear(news: CheckProgress) -> None:
            nonlocal last
            last = news
            progress(news)

        found = 0
        with self._store.snapshot() as connection:
            for difference in check.differences(connection, hear):
                found += 1
                tell(difference)
        return CheckResult(accounts=last.accounts, jobs=last.jobs, differences=found)

    def backup(self, file: str | PathLike[str], *, replace: bool = False) -> Backup:
        """Writes a consistent copy while writes go on; it is durable, and appears whole under its name or not at all.

        Of SQLite the copy is a database; of PostgreSQL it is an archive for pg_restore, made by pg_dump, which must be
        on the path. Raises `Conflict` (code ``backup_exists``) where the file is there and not to be replaced.
        """
        return backup.write_backup(self._store, Path(file), replace=replace)

    def upgrade(self) -> SchemaChange:
        """Brings the schema up to date. Raises `StoreError` (code ``schema_too_new``) where it is newer already."""
        return SchemaChange(before=self._store.upgrade(), after=self._store.version().program)

    def version(self) -> DatabaseVersion:
        """The database's engine and schema, and how the schema stands to this program's."""
        return self._store.version()

    def _require_current_schema(self) -> None:
        found = self._store.version()
        if found.state == "newer":
            raise StoreError(
                f"the database has schema {found.schema} and this program knows {found.program};"
                " use a newer Tallystick",
                code="schema_too_new",
            )
        if found.state != "current":
            raise StoreError(
                f"the database has schema {found.schema or 'none'} and this program needs {found.program}; "
                "make a backup, then: tallystick db upgrade",
                code="schema_behind",
            )


@contextmanager
def open_maintenance(database: str, clock: Callable[[], int] = now_in_microseconds) -> Iterator[Maintenance]:
    """Takes care of a database that exists, and leaves its schema as it is. Raises `StoreError`."""
    with closing(Store(database, upgrade=False)) as store:
        yield Maintenance(store, clock)
