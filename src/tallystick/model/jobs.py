"""Jobs: the form in which they are reported, and what becomes of each."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal

import msgspec

from tallystick.model.wire import Wire

MAX_TOKENS: Final = 10**9
"""The largest token count of one meter of one job (design rule 9)."""

RejectionCode = Literal[
    "invalid", "conflict", "unknown_meter", "unknown_account", "unknown_key", "key_kind", "future", "secret"
]


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One finished unit of work, as a worker reports it.

    `id` is unique in the account and makes a repeat harmless. `account` and `api_key` are names.
    `completed_at` is an aware `datetime` or an RFC 3339 text with an offset. `tokens` counts the tokens of each
    meter, from 0 to 10^9; a meter left out counts 0. `sandbox` names the kind of the key: sandbox jobs are kept
    and never rated.
    """

    id: str
    account: str
    api_key: str
    completed_at: str | datetime
    tokens: dict[str, int]
    sandbox: bool = False


class Rejection(msgspec.Struct, frozen=True):
    """One job that was not stored, and why.

    `index` is its place in the request, from 0; `id` is `None` where the item has none that can be read.
    """

    index: int
    id: str | None
    code: str
    detail: str


class IngestResult(msgspec.Struct, frozen=True):
    """What became of the jobs of one request: how many are new, how many were there already, which were refused."""

    accepted: int
    duplicates: int
    rejected: tuple[Rejection, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The wire shape."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        built["rejected"] = list(built["rejected"])
        return built

    def __add__(self, other: IngestResult) -> IngestResult:
        return IngestResult(
            self.accepted + other.accepted, self.duplicates + other.duplicates, self.rejected + other.rejected
        )


class TableForm(StrEnum):
    """The forms in which a ledger is given as a table."""

    CSV = "csv"
    PARQUET = "parquet"


class LedgerJob(Wire, frozen=True, kw_only=True):
    """One live job of an account's ledger, with what decides its price.

    `rank` counts from 1 over the account's lifetime; `tier` is the number of its tier, from 1; `discount` is in
    percent; times are RFC 3339 in UTC. A free job costs 0. A `late` job came after its month was closed, and is
    booked later than it was completed.
    """

    rank: int
    id: str
    api_key: str
    completed_at: str
    booked_at: str
    late: bool = False
    tokens: dict[str, int]
    tier: int
    free: bool
    discount: Decimal
    base_cost: Decimal
    final_cost: Decimal


class VoidedJob(Wire, frozen=True, kw_only=True):
    """A job that was taken out of the account's live ones, with the reason. It has no rank and costs nothing."""

    id: str
    api_key: str
    completed_at: str
    booked_at: str
    late: bool
    tokens: dict[str, int]
    voided_at: str
    void_reason: str


class LedgerPage(Wire, frozen=True, kw_only=True):
    """Some jobs of an account's ledger in rank order, and the cursor of the next ones (`None` at the end)."""

    jobs: tuple[LedgerJob, ...]
    next_cursor: str | None = None


class LedgerSlice(Wire, frozen=True, kw_only=True):
    """Some jobs of an account's ledger that have one API key or tier in common, in rank order.

    More of them come before the rank `previous` and behind the rank `next`; `None` where there are none.
    """

    jobs: tuple[LedgerJob, ...]
    previous: int | None = None
    next: int | None = None


class LedgerLines(msgspec.Struct, frozen=True, kw_only=True):
    """Some lines of an account's ledger (NDJSON, one job a line), and the cursor of the next ones.

    `next_cursor` is `None` at the end; `currency` is that of the costs.
    """

    body: bytes
    next_cursor: str | None
    currency: str
