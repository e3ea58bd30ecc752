"""What the care of a database tells: differences found, copies made, versions."""

from __future__ import annotations

from typing import Literal

import msgspec

Value = int | str | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A field that is kept otherwise than the jobs have it.

    `place` is the day, month, rank or job's id that the row is about, empty for the account's own row. A row that
    should be there and is not, or the reverse, is told once, by its first field, with `None` on the side that has no
    row. `account` and `key` are `None` where their numbers name none. What is `repairable` can be rebuilt from the
    jobs; what is not contradicts itself within the ledger, and a person must look at it.
    """

    account: str | None
    account_id: int
    table: str
    place: str
    key: str | None
    key_id: int | None
    field: str
    kept: Value
    recomputed: Value
    repairable: bool = True


class CheckProgress(msgspec.Struct, frozen=True):
    """How far a check is. `expected_jobs` is what the accounts' own counts promise, sandbox jobs not among them."""

    accounts: int
    jobs: int
    expected_jobs: int


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a check walked over and found, and how many of the differences it repaired."""

    accounts: int
    jobs: int
    differences: int
    repaired: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing differs now."""
        return self.differences == self.repaired


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of the database that has been written."""

    file: str
    size_bytes: int


SchemaState = Literal["empty", "behind", "current", "newer"]
"""How the schema of a database stands to that of this program; `empty` has no tables of ours."""


class DatabaseVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The engine and the schema that a database has, and the schema that this program needs."""

    engine: str
    schema: str | None
    program: str
    state: SchemaState


class SchemaChange(msgspec.Struct, frozen=True, kw_only=True):
    """What an upgrade did; `before` is `None` where the database was empty."""

    before: str | None
    after: str
