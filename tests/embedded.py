"""A ledger opened by a test: its clock is set by hand, and its database can be looked at behind its back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tallystick.ledger import Ledger
from tallystick.model.instants import parse_instant
from tallystick.model.jobs import IngestResult
from tallystick.model.months import Month
from tallystick.model.plans import Plan, parse_plan
from tallystick.settings import Settings
from tallystick.store.schema import metadata
from tests.databases import file_of, is_sqlite, run

NOW: Final = "2025-06-15T12:00:00Z"

Document = dict[str, Any]


def job(number: int | str = 1, /, **fields: Any) -> Document:
    """A job as it is sent; fields given replace those of an ordinary one."""
    return {
        "id": f"job_{number:06d}" if isinstance(number, int) else number,
        "account": "acme",
        "api_key": "first key",
        "completed_at": "2025-06-01T10:00:00Z",
        "tokens": {"transcription": 5, "note_generation": 10},
        **fields,
    }


def plan(name: str, **fields: Any) -> Plan:
    """A plan with the meters of the standard one and no discounts; fields given replace those."""
    return parse_plan(
        {
            "name": name,
            "currency": "USD",
            "free_jobs": 0,
            "meters": [
                {"id": "transcription", "report_as": "transcription_tokens", "price": "1"},
                {"id": "note_generation", "report_as": "note_tokens", "price": "2"},
            ],
            **fields,
        }
    )


def codes(result: IngestResult) -> list[tuple[int, str | None, str]]:
    """Index, id and code of each rejection."""
    return [(rejection.index, rejection.id, rejection.code) for rejection in result.rejected]


class Deployment:
    """A ledger over a database, and that database."""

    def __init__(self, database: str, settings: Settings, now: str) -> None:
        self.database = database
        self.now = parse_instant(now)
        self.ledger = Ledger(database, settings=settings, clock=lambda: self.now)

    @property
    def is_sqlite(self) -> bool:
        return is_sqlite(self.database)

    def set_clock(self, now: str) -> None:
        """What the ledger's clock says from here on."""
        self.now = parse_instant(now)

    def rows(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """What the database itself answers."""
        return [tuple(row) for row in run(self.database, statement, *arguments)]

    def value(self, statement: str, *arguments: object) -> Any:
        """The one value that the database itself answers."""
        ((value,),) = self.rows(statement, *arguments)
        return value

    def count(self, table: str) -> int:
        """How many rows a table has."""
        counted: int = self.value(f"SELECT COUNT(*) FROM {table}")
        return counted

    def contents(self, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of some tables, in one order."""
        return {table: sorted(self.rows(f"SELECT * FROM {table}"), key=repr) for table in tables or TABLES}

    def close_month(self, account: str, month: str) -> None:
        """Closes an account's months up to one, as statements will."""
        self.rows(
            "UPDATE account_state SET closed_through = ? WHERE account_id = (SELECT id FROM account WHERE name = ?)",
            Month.parse(month).index,
            account,
        )

    def everything(self) -> bytes:
        """All that is stored, as bytes: the files, or each row of each table as text."""
        if self.is_sqlite:
            file = file_of(self.database)
            return b"".join(part.read_bytes() for part in sorted(file.parent.glob(f"{file.name}*")))
        rows = (row for table in TABLES for row in self.rows(f"SELECT CAST(t.* AS text) FROM {table} AS t"))
        return "\n".join(str(value) for row in rows for value in row).encode()


TABLES: Final = tuple(sorted(metadata.tables))

Deploy = Callable[..., Deployment]
"""Opens a ledger on the test's database: `settings` as keywords, and `now`."""
