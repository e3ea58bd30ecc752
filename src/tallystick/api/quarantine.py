"""Rejected jobs, kept to be looked at and replayed."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.api import examples
from tallystick.api.bodies import read_document, submit
from tallystick.api.calls import ADMINS, Answer, Body, Call, json_media, read_answer, route
from tallystick.api.conditional import Content, answer_read
from tallystick.api.parameters import CURSOR, LIMIT, limit_of
from tallystick.api.request import ApiRequest, in_thread
from tallystick.api.responses import answer_json
from tallystick.ledger import Ledger
from tallystick.model.wire import encode

_TAG: Final = "quarantine"
_MAX_IDS: Final = 10_000
_MAX_ID: Final = 2**63 - 1


class ReplayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which quarantined items shall be tried again; all of them where `ids` is left out."""

    ids: Annotated[list[Annotated[int, msgspec.Meta(ge=1, le=_MAX_ID)]], msgspec.Meta(max_length=_MAX_IDS)] | None = (
        None
    )


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/quarantine": "listQuarantine"},
        tag=_TAG,
        summary="Rejected jobs",
        description="What was sent (tokens struck out), why it was refused, when and how often; oldest first. "
        "`dropped` counts those that fell to the bounds on size and age.",
        allowed=ADMINS,
        parameters=(CURSOR, LIMIT),
        answer=read_answer("A page of rejected jobs.", "QuarantinePage", examples.QUARANTINE_PAGE),
        problems=(400,),
    )
)
async def list_quarantine(request: ApiRequest) -> Response[bytes]:
    """GET /quarantine."""
    cursor = request.values.get("cursor")
    return answer_read(request, await in_thread(_list, request.ledger, cursor, limit_of(request)))


def _list(ledger: Ledger, cursor: str | None, limit: int) -> Content:
    return Content(encode(ledger.quarantine.list(cursor=cursor, limit=limit)))


@route(
    Call(
        method=HttpMethod.POST,
        paths={"/quarantine/replay": "replayQuarantine"},
        tag=_TAG,
        summary="Try rejected jobs again",
        description="Those that are stored now, or were stored meanwhile, leave the quarantine.",
        allowed=ADMINS,
        body=Body(
            description="Which ones; all of them without a body.",
            media=json_media("ReplayRequest", examples.REPLAY_REQUEST),
            required=False,
        ),
        answer=Answer(
            status=200, description="What became of them.", media=json_media("ReplayResult", examples.REPLAY_RESULT)
        ),
        problems=(400, 404, 413, 415),
    )
)
async def replay_quarantine(request: ApiRequest) -> Response[bytes]:
    """POST /quarantine/replay."""
    wanted = await read_document(request, ReplayRequest, empty=ReplayRequest())
    return answer_json(await submit(request.ledger.quarantine.replay, wanted))


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (list_quarantine, replay_quarantine)
