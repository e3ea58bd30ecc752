"""Accounts, API keys, tokens, plans and quarantined items, as they are shown."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from tallystick.model.tokens import STRUCK_OUT, Scope
from tallystick.model.wire import Wire


class KeyKind(enum.StrEnum):
    """Whether a key's jobs are rated."""

    LIVE = "live"
    SANDBOX = "sandbox"


class AssignedPlan(Wire, frozen=True, kw_only=True):
    """A price plan of an account, and the month from which it holds (`None`: from the beginning)."""

    plan: str
    plan_from: str | None


class Account(Wire, frozen=True, kw_only=True):
    """A customer. `time_zone` is an IANA name; `plan` is the price plan that holds for it now.

    `plans` are all that it has had or will have, the earliest first.
    """

    name: str
    time_zone: str
    plan: str
    currency: str
    created_at: str
    plans: tuple[AssignedPlan, ...] = ()


class AccountPage(Wire, frozen=True, kw_only=True):
    """Some accounts by name, and the cursor of the next ones (`None` at the end)."""

    accounts: tuple[Account, ...]
    next_cursor: str | None = None


class ApiKey(Wire, frozen=True, kw_only=True):
    """A key of an account. Its name and kind never change; a revoked key's jobs are still accepted."""

    account: str
    name: str
    kind: KeyKind
    created_at: str
    revoked_at: str | None = None


class TokenInfo(Wire, frozen=True, kw_only=True):
    """An access token, without its secret. `account` is set for scopes that read one account."""

    id: str
    scope: Scope
    label: str
    account: str | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token just made. `token` is the secret itself: shown this once, stored nowhere."""

    token: str
    info: TokenInfo

    def to_dict(self) -> dict[str, Any]:
        """The wire shape: the secret beside the fields of `info`."""
        return {"token": self.token, **msgspec.to_builtins(self.info)}

    def __repr__(self) -> str:
        # A secret that is logged by accident is a secret no more.
        return f"{type(self).__name__}(token={STRUCK_OUT!r}, info={self.info!r})"


class PlanVersionInfo(Wire, frozen=True, kw_only=True):
    """One version of a plan: the month from which it holds (`None`: from the beginning) and its document."""

    effective_from: str | None
    plan: dict[str, Any]


class PlanInfo(Wire, frozen=True, kw_only=True):
    """A price plan and all its versions, the earliest first."""

    name: str
    currency: str
    versions: tuple[PlanVersionInfo, ...]


class QuarantinedItem(Wire, frozen=True, kw_only=True):
    """A rejected job: what was sent (tokens struck out), why it was refused, when and how often."""

    id: int
    code: str
    detail: str
    item: str
    first_seen_at: str
    last_seen_at: str
    times: int


class QuarantinePage(Wire, frozen=True, kw_only=True):
    """Quarantined items, oldest first; `dropped` counts those that fell to the bounds on size and age."""

    items: tuple[QuarantinedItem, ...]
    total: int
    dropped: int
    next_cursor: str | None = None


class AuditEvent(Wire, frozen=True, kw_only=True):
    """One administrative act: who did what to what, when and from where.

    `actor` is a token's id, or the user of the command line; `origin` the address or machine it came from;
    `action` a word such as ``token.revoke``; `detail` what was asked for, without secrets.
    """

    id: int
    at: str
    actor: str
    origin: str
    action: str
    subject: str
    detail: dict[str, Any]


class AuditPage(Wire, frozen=True, kw_only=True):
    """Administrative acts, the newest first, and the cursor of the older ones (`None` at the end)."""

    events: tuple[AuditEvent, ...]
    next_cursor: str | None = None


class ReplayResult(Wire, frozen=True, kw_only=True):
    """What a replay did: how many items were stored or found stored, and how many stay in quarantine."""

    replayed: int
    remaining: int
