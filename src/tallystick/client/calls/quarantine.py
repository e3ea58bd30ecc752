"""Rejected jobs. Both of these need an admin token."""

from __future__ import annotations

from collections.abc import Iterable

from tallystick.client.call import Call, body_of, one, query_of
from tallystick.model.accounts import QuarantinePage, ReplayResult


def list_quarantine(*, cursor: str | None = None, limit: int | None = None) -> Call[QuarantinePage]:
    """Rejected jobs, oldest first; a page's `next_cursor`, given as `cursor`, yields the next ones.

    Raises `RequestError`.
    """
    return Call("GET", "/quarantine", one(QuarantinePage), query_of(cursor=cursor, limit=limit))


def replay_quarantine(ids: Iterable[int] | None = None) -> Call[ReplayResult]:
    """Takes rejected jobs in once more, those of `ids` or all. What is refused again stays in quarantine.

    Raises `RequestError`. A repeat is harmless, since the jobs' ids are.
    """
    body = body_of(ids=None if ids is None else list(ids))
    return Call("POST", "/quarantine/replay", one(ReplayResult), body=body)
