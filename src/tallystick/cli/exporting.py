"""``tallystick export``: an account's jobs into a file, in memory that does not grow with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final, NamedTuple

import typer

from tallystick.cli.doors import Server, Store, choose, named_account, open_client, open_ledger
from tallystick.cli.options import Account, Json, OtherDatabase, TokenFile, Url, examples
from tallystick.cli.output import count, note, print_json
from tallystick.cli.progress import shown_progress
from tallystick.model.periods import check_months

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

EXAMPLES: Final = examples(
    "tallystick export --account acme --start 2025-01 --output acme.csv",
    "tallystick export --account acme --start 2025-01 --output acme.parquet",
    "tallystick export --account acme --format ndjson -o - | gzip > acme.gz",
    "tallystick export --url https://usage.example --token-file token -o jobs.csv",
)

STANDARD_OUTPUT: Final = "-"


class ExportForm(StrEnum):
    """The formats of an export; each is also the extension of its files."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


def export(
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="The file to write; - is standard output."),
    ],
    form: Annotated[
        ExportForm | None, typer.Option("--format", help="The format, where the file's extension does not name it.")
    ] = None,
    account: Account = None,
    start: Annotated[
        str | None,
        typer.Option("--start", "--start-month", metavar="YYYY-MM", help="First month. Default: the current one."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--end", "--end-month", metavar="YYYY-MM", help="Last month. Default: the current one."),
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Write an account's jobs to a file, with rank, tier and cost.

    The file appears under its name when all of it is there, and takes the place of one that was there. It is of one
    moment, and its costs sum to the report of the same months. CSV is for spreadsheets: text that one would take for a
    formula has an apostrophe in front. NDJSON has the jobs as the server answers them. Parquet is for notebooks and
    databases, and needs pyarrow where the database is opened.
    """
    check_months(start, end)
    chosen = form or _form_of(output)
    if output == STANDARD_OUTPUT and as_json:
        raise typer.BadParameter("--json prints on standard output, where the export goes already")
    if chosen is ExportForm.PARQUET and output == STANDARD_OUTPUT and sys.stdout.isatty():
        raise typer.BadParameter("Parquet is not for terminals: name a file with --output")
    with _opened(choose(url, token_file, database), account, start, end) as source, shown_progress() as progress:
        name = output if output != STANDARD_OUTPUT else "standard output"
        # Parquet that a server sends does not say how many jobs it holds.
        in_jobs = source.tells_jobs or chosen is not ExportForm.PARQUET
        walk = _Walk(name, "jobs", source.expected_jobs) if in_jobs else _Walk(name, "bytes", None)
        progress.begin(walk)

        def hear(done: int) -> None:
            walk.read_bytes += done
            progress.advance(walk, done)

        with _written(output) as file:
            size_bytes = sum(file.write(chunk) for chunk in source.chunks(chosen, hear))
    jobs = walk.read_bytes if in_jobs else source.expected_jobs
    if as_json:
        print_json({"file": output, "format": chosen, "jobs": jobs, "size_bytes": size_bytes})
    else:
        note(f"{walk.name}: {count(jobs)} jobs, {count(size_bytes)} bytes")


def _form_of(output: str) -> ExportForm:
    extension = Path(output).suffix.lower().removeprefix(".")
    try:
        return ExportForm(extension)
    except ValueError:
        known = ", ".join(ExportForm)
        raise typer.BadParameter(f"--format is needed, one of {known}: the name {output} does not end in one") from None


class _Source(NamedTuple):
    """Where an export comes from: how many jobs it has, and its chunks, which tell how many more jobs were read.

    Of a source that does not tell jobs, chunks of Parquet tell how many more bytes there are.
    """

    expected_jobs: int
    tells_jobs: bool
    chunks: Callable[[ExportForm, Callable[[int], None]], Iterable[bytes]]


@contextmanager
def _opened(source: Server | Store, account: str | None, start: str | None, end: str | None) -> Iterator[_Source]:
    if isinstance(source, Server):
        with open_client(source) as client:
            period = client.usage.get(start, end, account=account)
            months = period.period.start_month, period.period.end_month
            yield _Source(
                period.totals.jobs,
                False,
                lambda form, hear: _told(client.jobs.download(*months, form=form, account=account), form, hear),
            )
        return
    name = named_account(account)
    with open_ledger(source.database) as ledger:
        period = ledger.usage(name, start, end)
        months = period.period.start_month, period.period.end_month

        def chunks(form: ExportForm, hear: Callable[[int], None]) -> Iterable[bytes]:
            if form is ExportForm.NDJSON:
                return _told(ledger.job_lines(name, *months), form, hear)
            return ledger.job_table(name, *months, form=form, hear=hear)

        yield _Source(period.totals.jobs, True, chunks)


def _told(chunks: Iterable[bytes], form: ExportForm, hear: Callable[[int], None]) -> Iterator[bytes]:
    """The chunks of a text, a job a line, or of Parquet, of which bytes are told."""
    untold = -1 if form is ExportForm.CSV else 0  # the header
    for chunk in chunks:
        untold += len(chunk) if form is ExportForm.PARQUET else chunk.count(b"\n")
        if untold > 0:
            hear(untold)
            untold = 0
        yield chunk


class _Walk:
    """An export as the progress of an import shows it: jobs stand where a file has bytes."""

    def __init__(self, name: str, counted: str, size: int | None) -> None:
        self.name = name
        self.counted = counted
        self.size_bytes = None if size is None else max(size, 1)
        self.read_bytes = 0


@contextmanager
def _written(output: str) -> Iterator[BinaryIO]:
    """A file to write to, which appears under its name when the block ends, and is gone when the block raises."""
    if output == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(output)
    if target.exists() and not target.is_file():
        # A pipe or a device is written to. A file in its place would take it away from everybody.
        with target.open("wb") as file:
            yield file
        return
    partial = target.with_name(f"{target.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
