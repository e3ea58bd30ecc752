"""An account's ledger as lines or as a table, read from one snapshot while they are taken."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Final, Self

from tallystick.model.jobs import TableForm
from tallystick.report.joblines import Lines, ledger_lines
from tallystick.report.jobtables import ledger_table
from tallystick.report.usage import Opened, open_account
from tallystick.store.database import Connection, Store

MOST_LINES: Final = 50_000
"""The most lines that a `limit` may ask for."""


class JobLines:
    """Lines of a ledger, to be iterated once, in chunks that each end with a line; or a table of it, in chunks.

    They show the state of one moment, which the database keeps for them: close it when done, or iterate to the end.
    `next_cursor` goes on behind the last line where a limit was given, `None` at the end; `currency` is the costs'.
    """

    def __init__(self, head: Lines, currency: str, chunks: Generator[bytes]) -> None:
        self.next_cursor: Final = head.next_cursor
        self.currency: Final = currency
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets the database forget that moment."""
        self._chunks.close()


def open_lines(
    store: Store,
    account: str,
    start_month: str | None,
    end_month: str | None,
    *,
    voided: bool,
    cursor: str | None,
    limit: int | None,
    now: int,
) -> JobLines:
    """The lines of a period. What is wrong with it is raised here, before the first line."""
    return _opened(
        store,
        account,
        lambda connection, opened: ledger_lines(
            connection, opened, start_month, end_month, voided=voided, cursor=cursor, limit=limit, now=now
        ),
    )


def open_table(
    store: Store,
    account: str,
    start_month: str | None,
    end_month: str | None,
    form: TableForm,
    *,
    hear: Callable[[int], None],
    now: int,
) -> JobLines:
    """A period as a table. What is wrong with it is raised here, before the first chunk."""
    return _opened(
        store,
        account,
        lambda connection, opened: Lines(
            ledger_table(connection, opened, start_month, end_month, form, hear=hear, now=now), None
        ),
    )


def _opened(store: Store, account: str, lines_of: Callable[[Connection, Opened], Lines]) -> JobLines:
    found: list[tuple[Lines, str]] = []

    def read() -> Generator[bytes]:
        # A generator, so that what the database raises between two lines is translated like everything else.
        with store.snapshot() as connection:
            opened = open_account(connection, account)
            lines = lines_of(connection, opened)
            found.append((lines, opened.account.currency))
            yield b""
            yield from lines.chunks

    chunks = read()
    next(chunks)
    return JobLines(*found[0], chunks)
