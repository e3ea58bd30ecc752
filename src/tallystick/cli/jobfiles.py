"""Files of jobs, read line by line in constant memory: NDJSON or CSV, plain or compressed with gzip.

Whatever the format, a file gives lines (`Line`: a job as JSON, as the ledger takes it) and what cannot even be put
into that form (`Unreadable`), each with the number of its line in the file. A broken NDJSON line is a `Line`: the
ledger refuses it and keeps it in quarantine.
"""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, cast

from tallystick.errors import InvalidInput

MAX_LINE_BYTES: Final = 1 << 20
"""A longer line is no job; it is passed over without being held in memory."""

_BUFFER_BYTES: Final = 1 << 18
_GZIP_MAGIC: Final = b"\x1f\x8b"
_STANDARD_INPUT: Final = "-"


class Format(StrEnum):
    """How the jobs of a file are written."""

    NDJSON = "ndjson"
    CSV = "csv"


_EXTENSIONS: Final = {
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".json": Format.NDJSON,
    ".csv": Format.CSV,
}


class Line(NamedTuple):
    """One job in JSON, or what stands in its place, and the number of its (first) line in the file."""

    number: int
    body: bytes


class Unreadable(NamedTuple):
    """A line that cannot be put into the form of a job, and why."""

    number: int
    detail: str
    id: str | None = None


class JobFile:
    """An open file of jobs. `size_bytes` is `None` where it cannot be known beforehand, as of a pipe."""

    counted = "jobs"

    def __init__(self, name: str, stream: BinaryIO, form: Format, size_bytes: int | None) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self._form = form
        self._raw = _Counted(stream)

    @property
    def read_bytes(self) -> int:
        """How much of the file has been read, compressed as it is."""
        return self._raw.count

    def items(self) -> Iterator[Line | Unreadable]:
        """The file's jobs. Raises `InvalidInput` where the file as a whole cannot be read."""
        from tallystick.cli.csvjobs import csv_jobs

        lines = self._lines()
        return csv_jobs(self.name, lines) if self._form is Format.CSV else self._json_lines(lines)

    def _json_lines(self, lines: Iterator[Line | Unreadable]) -> Iterator[Line | Unreadable]:
        seen = False
        for line in lines:
            if isinstance(line, Unreadable):
                yield line
            elif body := line.body.strip(b" \t\r\n"):
                if not seen and body.startswith(b"["):
                    raise InvalidInput(f"{self.name} is a JSON array; write one job a line (with jq: jq -c '.[]')")
                seen = True
                yield Line(line.number, body)

    def _lines(self) -> Iterator[Line | Unreadable]:
        number = 0
        buffered = io.BufferedReader(self._raw, _BUFFER_BYTES)
        packed = buffered.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
        source = cast(BinaryIO, gzip.GzipFile(fileobj=buffered)) if packed else buffered
        try:
            while body := source.readline(MAX_LINE_BYTES):
                number += 1
                if len(body) == MAX_LINE_BYTES and not body.endswith(b"\n"):
                    yield self._skip_line(source, number)
                else:
                    yield Line(number, body.removeprefix(codecs.BOM_UTF8) if number == 1 else body)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise InvalidInput(f"{self.name}: the compressed data is damaged after line {number}") from None

    @staticmethod
    def _skip_line(source: BinaryIO, number: int) -> Unreadable:
        while (more := source.readline(MAX_LINE_BYTES)) and not more.endswith(b"\n"):
            pass
        return Unreadable(number, f"the line is longer than {MAX_LINE_BYTES} bytes")


class _Counted(io.RawIOBase):
    """A stream that counts what is read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.count = 0
        # A buffered stream's readinto() waits until the buffer is full, and jobs from a pipe would wait with it.
        self._read_into = getattr(stream, "readinto1", None) or stream.readinto  # type: ignore[attr-defined]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        got = cast(int, self._read_into(buffer))
        self.count += got
        return got


def form_of(name: str, asked: Format | None) -> Format:
    """The format that was asked for, else the one that a file's extension names; standard input is NDJSON."""
    if asked is not None:
        return asked
    if name == _STANDARD_INPUT:
        return Format.NDJSON
    path = Path(name)
    suffix = Path(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    if not path.is_file():
        return Format.NDJSON  # a pipe, such as <(command); what does not exist is told when it is opened
    try:
        return _EXTENSIONS[suffix.lower()]
    except KeyError:
        raise InvalidInput(f"{name}: the extension names no format; say --format ndjson or --format csv") from None


@contextmanager
def open_file(name: str, form: Format) -> Iterator[JobFile]:
    """A file of jobs, or standard input where the name is ``-``. Raises `OSError` if it cannot be opened."""
    if name == _STANDARD_INPUT:
        yield JobFile("standard input", cast(BinaryIO, sys.stdin.buffer), form, None)
        return
    path = Path(name)
    with path.open("rb", buffering=0) as stream:
        yield JobFile(name, cast(BinaryIO, stream), form, path.stat().st_size if path.is_file() else None)
