"""``tallystick db``: checking, repairing, copying and upgrading a database. None of them makes a new one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final, TextIO

import typer

from tallystick.cli.doors import operator, server_parts
from tallystick.cli.options import DEFAULT_DATABASE, Database, Json, examples
from tallystick.cli.output import count, note, print_fields, print_json, visible
from tallystick.cli.progress import Progress, shown_progress
from tallystick.model.wire import encode

if TYPE_CHECKING:
    from tallystick.ledger.maintenance import Maintenance
    from tallystick.model.maintenance import CheckProgress, CheckResult, Difference

app = typer.Typer(help="Check, back up and upgrade the database.", no_args_is_help=True)

_STATES: Final = {
    "current": "the schema is this program's",
    "behind": "the schema is older than this program's; tallystick db upgrade brings it up to date",
    "newer": "the schema is newer than this program; use a newer Tallystick",
    "empty": "the database has no tables yet; tallystick db upgrade makes them",
}


@app.command(epilog=examples("tallystick db check", "tallystick db check --repair", "tallystick db check --json"))
def check(
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild from the jobs what differs from them.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Recompute what is derived from the jobs, and name what differs.

    Rollups, counts and kept boundaries are compared with the jobs as they are at one moment; writing may go on
    meanwhile. The exit status is 1 where something differs, and stays differing. With --repair the accounts concerned
    are rebuilt in one transaction, and take no jobs until it ends.
    """
    # While a bar is shown on a terminal, everything printed goes around it; what goes to a file must not.
    out = None if sys.stdout.isatty() else sys.stdout
    with _open(database) as maintenance, shown_progress() as progress:
        run = maintenance.repair if repair else maintenance.check
        walk = _Walk(progress)
        if as_json:
            result = _print_json(lambda tell: run(tell, walk.hear), out)
        else:
            result = run(lambda difference: typer.echo(sentence(difference), file=out), walk.hear)
    if not as_json:
        typer.echo(_summary(result))
    if not result.clean:
        raise typer.Exit(1)


@app.command(
    epilog=examples("tallystick db backup tally-2025-02-01.db", "tallystick db backup /backups/nightly.db --force")
)
def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file to write.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Write a consistent copy of the database to a file.

    Writing goes on meanwhile. The file appears under its name when all of it is on the disk. Of SQLite it is a database
    itself; of PostgreSQL an archive for pg_restore, and pg_dump must be on the path.
    """
    with _open(database) as maintenance:
        written = maintenance.backup(file, replace=force)
    if as_json:
        print_json(written)
    else:
        typer.echo(visible(f"{written.file}: {count(written.size_bytes)} bytes"))


@app.command(epilog=examples("tallystick db upgrade"))
def upgrade(database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """Bring the database's schema up to date.

    Every command that opens a ledger does so by itself; this one does nothing else, and says from which schema to
    which. Make a backup before.
    """
    with _open(database) as maintenance:
        change = maintenance.upgrade()
    if as_json:
        print_json(change)
    elif change.before == change.after:
        typer.echo(f"schema {change.after} already; nothing to do")
    else:
        typer.echo(f"schema {change.before or 'none'} → {change.after}")


@app.command(epilog=examples("tallystick db version", "tallystick db version --json"))
def version(database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """Show the schema that the database has, and the one it needs.

    Changes nothing. The exit status is 1 where the two differ.
    """
    with _open(database) as maintenance:
        found = maintenance.version()
    if as_json:
        print_json(found)
    else:
        print_fields([("engine", found.engine), ("schema", found.schema or "none"), ("program", found.program)])
        note(_STATES[found.state])
    if found.state != "current":
        raise typer.Exit(1)


@contextmanager
def _open(database: str) -> Iterator[Maintenance]:
    with server_parts():
        from tallystick.ledger import Actor, acting
        from tallystick.ledger.maintenance import open_maintenance
    with open_maintenance(database) as maintenance, acting(Actor(*operator())):
        yield maintenance


class _Walk:
    """A walk over the ledger as the progress of an import shows it: jobs stand where a file has bytes."""

    name = counted = "jobs"

    def __init__(self, progress: Progress) -> None:
        self.size_bytes: int | None = None
        self.read_bytes = 0
        self._progress = progress

    def hear(self, news: CheckProgress) -> None:
        if self.size_bytes is None:
            self.size_bytes = max(news.expected_jobs, 1)
            self._progress.begin(self)
        jobs, self.read_bytes = news.jobs - self.read_bytes, news.jobs
        self._progress.advance(self, jobs)


def sentence(difference: Difference) -> str:
    """A difference in a line: whose, where, what is kept and what the jobs have."""
    d = difference
    account = d.account if d.account is not None else f"account {d.account_id} (which does not exist)"
    place = f" {d.place!r}" if d.table == "job" else f" rank {d.place}" if d.table.startswith("boundary") else d.place
    key = f", key {d.key!r}" if d.key is not None else f", key {d.key_id} (which does not exist)"
    where = f"{d.table} {place.strip()}".rstrip() + (key if d.key_id is not None else "")
    if d.kept is None:
        told = "the row is missing" + (f", {d.field} should be {d.recomputed}" if d.recomputed is not None else "")
    elif d.recomputed is not None:
        told = f"{d.field} is {d.kept}, should be {d.recomputed}"
    else:
        told = f"should not be there, {d.field} is {d.kept}" if d.repairable else f"there is no {d.field} {d.kept}"
    return visible(f"{account}: {where}: {told}")


def _summary(result: CheckResult) -> str:
    walked = f"{_counted(result.accounts, 'account')} and {_counted(result.jobs, 'job')} walked"
    if not result.differences:
        return f"nothing differs; {walked}"
    told = _counted(result.differences, "difference")
    if result.repaired:
        left = result.differences - result.repaired
        told += f", {count(result.repaired)} repaired, " + (f"{count(left)} cannot be" if left else "none left")
    return f"{told}; {walked}"


def _counted(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def _print_json(run: Callable[[Callable[[Difference], None]], CheckResult], out: TextIO | None) -> CheckResult:
    """One JSON object; the differences go out as they are found, since there may be more than memory should hold."""
    told = 0

    def tell(difference: Difference) -> None:
        nonlocal told
        typer.echo((",\n  " if told else "\n  ") + encode(difference).decode(), file=out, nl=False)
        told += 1

    typer.echo('{"differences": [', file=out, nl=False)
    result = run(tell)
    counts = f'"accounts": {result.accounts}, "jobs": {result.jobs}, "repaired": {result.repaired}'
    typer.echo(("\n" if told else "") + f"], {counts}}}", file=out)
    return result
