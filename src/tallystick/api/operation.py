"""Whether the server is alive, and whether it can do its work."""

from __future__ import annotations

from typing import Final

from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.api import examples
from tallystick.api.calls import PUBLIC, Answer, Call, json_media, route
from tallystick.api.request import ApiRequest, in_thread
from tallystick.api.responses import answer_json
from tallystick.errors import StoreError, StoreUnavailable

_TAG: Final = "operation"
_OK: Final = {"status": "ok"}


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/healthz": "getHealth"},
        tag=_TAG,
        summary="Whether the process answers",
        description="Asks nothing of the database.",
        allowed=PUBLIC,
        answer=Answer(status=200, description="It does.", media=json_media("Status", examples.STATUS)),
    )
)
async def get_health(request: ApiRequest) -> Response[bytes]:
    """GET /healthz."""
    return answer_json(_OK)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/readyz": "getReadiness"},
        tag=_TAG,
        summary="Whether jobs can be stored",
        description="503 while the database cannot be written.",
        allowed=PUBLIC,
        answer=Answer(status=200, description="They can.", media=json_media("Status", examples.STATUS)),
    )
)
async def get_readiness(request: ApiRequest) -> Response[bytes]:
    """GET /readyz."""
    try:
        await in_thread(request.ledger.check_ready)
    except StoreError as error:
        # Whatever is wrong with the store, what asks here wants to know one thing: not now.
        raise StoreUnavailable(error.detail) from error
    return answer_json(_OK)


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (get_health, get_readiness)
