"""Notices: what an account or the provider should hear of."""

from __future__ import annotations

from tallystick.client.call import Call, one, query_of
from tallystick.model.notices import NoticePage


def list_notices(
    *, account: str | None = None, cursor: str | None = None, limit: int | None = None
) -> Call[NoticePage]:
    """What there was to hear of, the newest first; a page's `next_cursor`, given as `cursor`, yields the older ones.

    A token of an account reads its own. An admin token reads those of the account that is named, and without one those
    of all accounts and of the provider. Raises `RequestError`.
    """
    return Call("GET", "/notices", one(NoticePage), query_of(account=account, cursor=cursor, limit=limit))
