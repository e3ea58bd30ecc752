"""Statements: the frozen report of a closed month, as bytes that are signed and never change."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from tallystick.errors import InvalidInput
from tallystick.model.explanation import ExplainedLine, ExplainedPlan
from tallystick.model.plans import Meter
from tallystick.model.report import Costs, UsageReport
from tallystick.model.rounding import RoundedCosts
from tallystick.model.wire import Wire, decode, encode

FORM: Final = "tallystick-statement/1"
"""Begins every statement's first member, so that its bytes are never taken for something else that is signed."""


class PreviousStatement(msgspec.Struct, frozen=True):
    """The statement of the month before, by the SHA-256 of its bytes."""

    month: str
    sha256: str


class LiveJobs(msgspec.Struct, frozen=True):
    """The account's live jobs over its lifetime, `before` the month and `after` it: the month's ranks lie between."""

    before: int
    after: int


class StatementJobs(msgspec.Struct, frozen=True):
    """The month's jobs: how many are live, how many of those came late, how many were voided, and their SHA-256.

    `docs/statements.md` says of which bytes.
    """

    live: int
    late: int
    voided: int
    sha256: str


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """The bill of one closed month.

    The month runs from `starts_at` to before `ends_at`. `report` is that of the month, `lines` explain each of its
    costs, by the versions of `plans`; `rounded` is what is to be paid. In a statement the report's free jobs left are
    those at the end of the month. `meters` are those that the plan prices or that jobs of the month carry.
    """

    form: str
    account: str
    month: str
    time_zone: str
    starts_at: str
    ends_at: str
    currency: str
    previous: PreviousStatement | None
    live_jobs: LiveJobs
    jobs: StatementJobs
    meters: tuple[Meter, ...]
    plans: tuple[ExplainedPlan, ...]
    report: UsageReport
    lines: tuple[ExplainedLine, ...]
    rounded: RoundedCosts

    def to_dict(self) -> dict[str, Any]:
        """The wire shape, money as `Decimal`."""
        return {
            "form": self.form,
            "account": self.account,
            "month": self.month,
            "time_zone": self.time_zone,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "currency": self.currency,
            "previous": None if self.previous is None else msgspec.structs.asdict(self.previous),
            "live_jobs": msgspec.structs.asdict(self.live_jobs),
            "jobs": msgspec.structs.asdict(self.jobs),
            "meters": [msgspec.structs.asdict(meter) for meter in self.meters],
            "plans": [msgspec.structs.asdict(plan) for plan in self.plans],
            "report": self.report.to_dict(),
            "lines": [msgspec.structs.asdict(line) for line in self.lines],
            "rounded": self.rounded.to_dict(),
        }

    def to_bytes(self) -> bytes:
        """The bytes that are stored and signed: equal statements have equal bytes."""
        return encode(self.to_dict())

    @classmethod
    def from_bytes(cls, document: bytes) -> Statement:
        """The statement that a document holds. Raises `InvalidInput` (code ``invalid_statement``) for what is none."""
        try:
            return _read(decode(document))
        except _UNREADABLE as error:
            raise InvalidInput(f"is not a statement: {error}", code="invalid_statement") from None


_UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""How reading fails; `UnicodeDecodeError` and msgspec's own error are `ValueError`s."""


def _read(wire: dict[str, Any]) -> Statement:
    if wire["form"] != FORM:
        raise ValueError(f"its form is {wire['form']!r}, and this program reads {FORM}")
    report = UsageReport.from_json(encode(wire["report"]), currency=wire["currency"])
    rounded = {**wire["rounded"], "api_keys": msgspec.convert(wire["rounded"]["api_keys"], dict[str, Costs])}
    plain = {name: value for name, value in wire.items() if name not in ("report", "rounded", "lines", "plans")}
    return Statement(
        report=report,
        rounded=RoundedCosts(**rounded),
        lines=msgspec.convert(wire["lines"], tuple[ExplainedLine, ...]),
        plans=msgspec.convert(wire["plans"], tuple[ExplainedPlan, ...]),
        **msgspec.structs.asdict(msgspec.convert(plain, _Plain)),
    )


class _Plain(msgspec.Struct):
    """The members that are read as they stand."""

    form: str
    account: str
    month: str
    time_zone: str
    starts_at: str
    ends_at: str
    currency: str
    previous: PreviousStatement | None
    live_jobs: LiveJobs
    jobs: StatementJobs
    meters: tuple[Meter, ...]


class SignedStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement's bytes with their signature; `signed_by` is the signing key's id, `signature` in base64."""

    document: bytes
    signed_by: str
    signature: str

    @property
    def statement(self) -> Statement:
        """What the bytes say."""
        return Statement.from_bytes(self.document)

    @property
    def sha256(self) -> str:
        """The digest by which the next statement names this one."""
        return document_digest(self.document)


def document_digest(document: bytes) -> str:
    """The SHA-256 of a statement's bytes, in hexadecimal."""
    return hashlib.sha256(document).hexdigest()


class StatementInfo(Wire, frozen=True, kw_only=True):
    """A statement in a list: what it comes to, when its month was closed, and how it is signed.

    `jobs` are the live ones, `late` those of them that came late; `voided` ones count beside them.
    """

    month: str
    currency: str
    jobs: int
    late: int
    voided: int
    final_cost: Decimal
    closed_at: str
    sha256: str
    previous_sha256: str | None
    signed_by: str
    signature: str


class ClosingError(Wire, frozen=True, kw_only=True):
    """Why an account's month has no statement."""

    code: str
    detail: str


class ClosedAccount(Wire, frozen=True, kw_only=True):
    """What became of an account when a month was to be closed.

    `outcome` is ``closed`` where the month is closed now, ``already`` where it was before, ``early`` where its grace
    period has not ended (it does at `due_at`), ``none`` where the account begins later, and ``failed`` where no
    statement could be made, which `error` explains. `statements` are the months whose statements were written now:
    earlier open months are closed too.
    """

    account: str
    outcome: Literal["closed", "already", "early", "none", "failed"]
    statements: tuple[str, ...] = ()
    due_at: str | None = None
    error: ClosingError | None = None


class CloseResult(Wire, frozen=True, kw_only=True):
    """What became of each account, by name."""

    month: str
    accounts: tuple[ClosedAccount, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do for that month."""
        return all(account.outcome not in ("early", "failed") for account in self.accounts)
