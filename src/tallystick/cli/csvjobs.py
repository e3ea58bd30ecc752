"""Jobs in CSV: a header names the columns, and every column that is not the job's own is a meter."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from tallystick.cli.jobfiles import Line, Unreadable
from tallystick.errors import InvalidInput

REQUIRED: Final = ("id", "account", "api_key", "completed_at")
SANDBOX: Final = "sandbox"

_DELIMITERS: Final = ",;\t"
_INTEGER: Final = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_NOT_UTF8: Final = re.compile("[\udc80-\udcff]")
_TRUTH: Final = {"": False, "false": False, "no": False, "0": False, "true": True, "yes": True, "1": True}


def csv_jobs(name: str, lines: Iterator[Line | Unreadable]) -> Iterator[Line | Unreadable]:
    """The jobs of a CSV file's lines. Raises `InvalidInput` where the header is not one of jobs."""
    feed = _Feed(lines)
    header = feed.first()
    delimiter = max(_DELIMITERS, key=header.count)
    columns = _columns(name, next(csv.reader([header], delimiter=delimiter), []))
    rows = csv.reader(feed, delimiter=delimiter)
    while True:
        feed.row_number = 0
        try:
            cells = next(rows)
            item = _job(columns, feed.row_number, cells) if cells else None
        except StopIteration:
            break
        except csv.Error as error:
            item = Unreadable(feed.row_number, f"is not CSV: {error}")
        yield from feed.take_unreadable()
        if item is not None:
            yield item
    yield from feed.take_unreadable()


class _Feed:
    """Lines as the CSV reader takes them. What cannot be read is set aside, so that the reader goes on behind it.

    `row_number` is the number of the first line that was taken since it was set to 0.
    """

    def __init__(self, lines: Iterator[Line | Unreadable]) -> None:
        self.row_number = 0
        self._lines = lines
        self._unreadable: list[Unreadable] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            if isinstance(line, Line):
                self.row_number = self.row_number or line.number
                return line.body.decode("utf-8", "surrogateescape")
            self._unreadable.append(line)
        raise StopIteration

    def first(self) -> str:
        return next((line for line in self if line.strip()), "")

    def take_unreadable(self) -> list[Unreadable]:
        taken, self._unreadable = self._unreadable, []
        return taken


def _columns(name: str, header: Sequence[str]) -> list[str]:
    columns = [cell.strip() for cell in header]
    while columns and not columns[-1]:
        columns.pop()  # spreadsheets leave empty columns at the end
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise InvalidInput(
            f"{name}: the first line must name the columns id, account, api_key, completed_at and the meters; "
            f"missing: {', '.join(missing)}"
        )
    repeated = sorted({column or "(empty)" for column in columns if columns.count(column) > 1 or not column})
    if repeated:
        raise InvalidInput(f"{name}: the first line names columns twice or not at all: {', '.join(repeated)}")
    return columns


def _job(columns: Sequence[str], number: int, cells: Sequence[str]) -> Line | Unreadable:
    named = dict(zip(columns, cells, strict=False))
    if len(cells) < len(columns) or any(cells[len(columns) :]):
        detail = f"the row has {len(cells)} cells where the header names {len(columns)}"
        return Unreadable(number, detail, _readable_id(named))
    if any(_NOT_UTF8.search(cell) for cell in cells):
        return Unreadable(number, "the row is not UTF-8", _readable_id(named))
    job: dict[str, object] = {column: named.pop(column) for column in REQUIRED}
    if SANDBOX in named:
        cell = named.pop(SANDBOX)
        job[SANDBOX] = _TRUTH.get(cell.strip().lower(), cell)
    # What is no integer goes on as text: the ledger refuses it by the meter's name and keeps it in quarantine.
    job["tokens"] = {meter: int(cell) if _INTEGER.fullmatch(cell) else cell for meter, cell in named.items() if cell}
    return Line(number, msgspec.json.encode(job))


def _readable_id(named: dict[str, str]) -> str | None:
    job_id = named.get("id")
    return None if job_id is None or _NOT_UTF8.search(job_id) else job_id
