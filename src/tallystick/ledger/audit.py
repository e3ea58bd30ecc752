"""The audit log: who did what, when and from where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from tallystick.errors import InvalidInput
from tallystick.model.accounts import AuditEvent, AuditPage
from tallystick.model.instants import format_instant
from tallystick.model.tokens import strike_tokens
from tallystick.report.cursors import decode_number
from tallystick.store import audit
from tallystick.store.audit import AuditRow
from tallystick.store.database import Connection, Store


class Actor(NamedTuple):
    """Who acts, and from where."""

    name: str
    origin: str


# Every administrative act would have to hand these two through; the edge knows them once for a whole request.
_PROGRAM: Final = Actor("program", "this process")
_acting: Final = ContextVar("acting", default=_PROGRAM)


def act_as(actor: Actor) -> None:
    """From here on, in this task or thread, acts are this actor's."""
    _acting.set(actor)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """A block whose acts are this actor's."""
    before = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(before)


def note(connection: Connection, now: int, action: str, subject: str, **detail: Any) -> None:
    """Writes an act down in its own transaction: it is in the log exactly when it took effect."""
    actor = _acting.get()
    told = {name: value for name, value in detail.items() if value is not None}
    text = strike_tokens(json.dumps(told, ensure_ascii=False))
    audit.add(connection, AuditRow(now, strike_tokens(actor.name), actor.origin, action, strike_tokens(subject), text))


class Audit:
    """Reads the audit log."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, *, cursor: str | None = None, limit: int = 100) -> AuditPage:
        """Administrative acts, the newest first, at most `limit` behind the cursor. Raises `InvalidInput`."""
        if not 1 <= limit <= 1000:
            raise InvalidInput.parameter("limit", "must lie between 1 and 1000", code="invalid_parameter")
        before = None if cursor is None else decode_number(cursor)
        with self._store.snapshot() as connection:
            rows = audit.page(connection, before=before, limit=limit + 1)
        shown = rows[:limit]
        return AuditPage(
            events=tuple(
                AuditEvent(
                    id=row.id,
                    at=format_instant(row.at),
                    actor=row.actor,
                    origin=row.origin,
                    action=row.action,
                    subject=row.subject,
                    detail=json.loads(row.detail),
                )
                for row in shown
            ),
            next_cursor=str(shown[-1].id) if len(rows) > limit else None,
        )
