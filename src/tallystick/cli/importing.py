"""``tallystick import``: jobs from files into the ledger, in batches and in constant memory.

A job's id makes a repeat harmless, so an import that was stopped is simply run again: what was stored already
counts as duplicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import typer

from tallystick.cli.doors import Server, Store, choose, open_client, open_ledger
from tallystick.cli.jobfiles import Format, JobFile, Line, Unreadable, form_of, open_file
from tallystick.cli.options import Json, OtherDatabase, TokenFile, Url, examples
from tallystick.cli.output import count, note, print_json
from tallystick.cli.progress import Progress, shown_progress
from tallystick.errors import BadRequest, TallystickError, TooLarge
from tallystick.model.jobs import IngestResult

EXAMPLES: Final = examples(
    "tallystick import january.ndjson february.csv.gz",
    "zcat jobs.ndjson.gz | tallystick import -",
    "tallystick import --url https://usage.example --token-file token jobs.csv",
)

BATCH_JOBS: Final = 5_000
BATCH_BYTES: Final = 4 << 20

Record = Callable[[bytes], IngestResult]
"""Takes jobs as lines of JSON and says what became of each."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A job that was rejected, and where it stands."""

    file: str
    line: int
    id: str | None
    code: str
    detail: str


@dataclass
class Tally:
    """What became of the jobs of an import. Of the rejected ones the first `keep` are kept."""

    keep: int
    accepted: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    first: list[Refusal] = field(default_factory=list)

    def add(self, result: IngestResult, file: str, batch: list[Line]) -> None:
        """Counts a batch; its items have the order of `batch`."""
        self.accepted += result.accepted
        self.duplicates += result.duplicates
        for item in result.rejected:
            self.refuse(Refusal(file, batch[item.index].number, item.id, item.code, item.detail))

    def refuse(self, refusal: Refusal) -> None:
        """Counts one rejected job."""
        self.rejected[refusal.code] += 1
        if len(self.first) < self.keep:
            self.first.append(refusal)

    @property
    def jobs(self) -> int:
        return self.accepted + self.duplicates + self.rejected.total()

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "jobs": self.jobs,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "rejected": self.rejected.total(),
            "rejected_by_code": dict(sorted(self.rejected.items())),
            "first_rejected": [
                {"file": r.file, "line": r.line, "id": r.id, "code": r.code, "detail": r.detail} for r in self.first
            ],
        }


def import_files(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="NDJSON or CSV, also .gz; - is standard input.", show_default=False),
    ],
    form: Annotated[
        Format | None, typer.Option("--format", help="The format, where a file's extension does not name it.")
    ] = None,
    show: Annotated[int, typer.Option("--show", metavar="N", min=0, help="How many rejected jobs to tell of.")] = 10,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Import jobs from files.

    They go into the database, or to a server where one is named. An import that was interrupted is simply run again:
    ids make repeats harmless. What is rejected is told with its line, kept in quarantine, and makes the exit status 1;
    every other job is stored.

    The first line of a CSV file names its columns: id, account, api_key, completed_at, optionally sandbox; every other
    column is a meter, and an empty cell leaves it out.
    """
    if token_file == "-" and "-" in files:
        raise typer.BadParameter("standard input cannot be both the token and the jobs")
    forms = [form_of(name, form) for name in files]
    tally = Tally(show)
    with ExitStack() as stack:
        # All files are opened first: a mistyped name is told before anything is stored.
        opened = [stack.enter_context(open_file(name, form)) for name, form in zip(files, forms, strict=True)]
        record = stack.enter_context(_recorder(choose(url, token_file, database)))
        try:
            with shown_progress() as progress:
                for file in opened:
                    _import(file, record, tally, progress)
        except (KeyboardInterrupt, TallystickError, OSError):
            if tally.jobs:
                note(f"stopped after {_counts(tally)}; run it again to go on: what is stored counts as duplicates")
            raise
    if as_json:
        print_json(tally.to_dict())
    else:
        _print(tally)
    if tally.rejected:
        raise typer.Exit(1)


@contextmanager
def _recorder(source: Server | Store) -> Iterator[Record]:
    if isinstance(source, Server):
        with open_client(source) as client:
            yield client.jobs.record_lines
        return
    with open_ledger(source.database, make=True) as ledger:
        from tallystick.ingest import BodyForm

        yield lambda body: ledger.record_body(body, BodyForm.LINES)


def _import(file: JobFile, record: Record, tally: Tally, progress: Progress) -> None:
    progress.begin(file)
    for batch in _batches(file, tally):
        _send(batch, file.name, record, tally)
        progress.advance(file, len(batch))


def _batches(file: JobFile, tally: Tally) -> Iterator[list[Line]]:
    batch: list[Line] = []
    size_bytes = 0
    for item in file.items():
        if isinstance(item, Unreadable):
            tally.refuse(Refusal(file.name, item.number, item.id, "invalid", item.detail))
            continue
        if len(batch) == BATCH_JOBS or (batch and size_bytes + len(item.body) >= BATCH_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(item)
        size_bytes += len(item.body) + 1
    yield batch


def _send(batch: list[Line], file: str, record: Record, tally: Tally) -> None:
    if not batch:
        return
    try:
        tally.add(record(b"\n".join(line.body for line in batch)), file, batch)
    except (TooLarge, BadRequest) as error:
        if isinstance(error, BadRequest) and error.status != 413:
            raise
        if len(batch) == 1:
            tally.refuse(Refusal(file, batch[0].number, None, "invalid", error.detail))
            return
        half = len(batch) // 2
        _send(batch[:half], file, record, tally)
        _send(batch[half:], file, record, tally)


def _counts(tally: Tally) -> str:
    return (
        f"{count(tally.accepted)} accepted, {count(tally.duplicates)} duplicates, "
        f"{count(tally.rejected.total())} rejected"
    )


def _print(tally: Tally) -> None:
    typer.echo(_counts(tally))
    for code, times in tally.rejected.most_common():
        typer.echo(f"  {code}: {count(times)}")
    for refusal in tally.first:
        job = f" job {refusal.id!r}" if refusal.id is not None else ""
        note(f"{refusal.file}:{refusal.line}:{job} {refusal.code}: {refusal.detail}")
    untold = tally.rejected.total() - len(tally.first)
    if untold and tally.first:
        note(f"… and {count(untold)} more; tallystick quarantine list shows them")
