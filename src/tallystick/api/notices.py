"""Notices: what accounts and the provider should hear of."""

from __future__ import annotations

from typing import Final

from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.api import examples
from tallystick.api.access import account_if_any
from tallystick.api.calls import READERS, Call, read_answer, route
from tallystick.api.conditional import Content, answer_read
from tallystick.api.parameters import ACCOUNT, CURSOR, LIMIT, limit_of
from tallystick.api.request import ApiRequest, in_thread
from tallystick.ledger import Ledger
from tallystick.model.wire import encode

_TAG: Final = "notices"


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/notices": "listNotices"},
        tag=_TAG,
        summary="What there was to hear of",
        description="The newest first, each said once. An admin who names no account reads those of all accounts and "
        "of the provider. `data` is what a webhook carries, and differs by `event`.",
        allowed=READERS,
        parameters=(CURSOR, LIMIT, ACCOUNT),
        answer=read_answer("A page of notices.", "NoticePage", examples.NOTICE_PAGE),
        problems=(400, 404),
    )
)
async def list_notices(request: ApiRequest) -> Response[bytes]:
    """GET /notices."""
    account, cursor = account_if_any(request), request.values.get("cursor")
    return answer_read(request, await in_thread(_list, request.ledger, account, cursor, limit_of(request)))


def _list(ledger: Ledger, account: str | None, cursor: str | None, limit: int) -> Content:
    return Content(encode(ledger.notices.list(account, cursor=cursor, limit=limit).to_dict()))


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (list_notices,)
