"""The two calls that only the benchmark's server has: the floors of a POST and of a read."""

from __future__ import annotations

import os
from typing import Any, Final

from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.api.app import ROUTES, create_app
from tallystick.api.bodies import read_body
from tallystick.api.calls import READERS, WORKERS, Call, json_media, read_answer, route
from tallystick.api.calls import Answer as CallAnswer
from tallystick.api.conditional import Content, answer_read
from tallystick.api.request import ApiRequest, in_thread
from tallystick.api.responses import answer_json
from tallystick.ledger import Ledger
from tallystick.model.wire import encode
from tallystick.settings import Settings
from tallystick.store import measuring
from tallystick.store.database import Store

DATABASE: Final = "TALLYSTICK_DATABASE"
"""The variable of the environment that names the database, for the store that is asked for nothing."""

NOTHING: Final = "/bench/nothing"
SELECT_ONE: Final = "/bench/select-one"


@route(
    Call(
        method=HttpMethod.POST,
        paths={NOTHING: "postNothing"},
        tag="benchmark",
        summary="Reads its body and does nothing with it",
        description="The floor of POST /jobs.",
        allowed=WORKERS,
        answer=CallAnswer(status=200, description="Nothing.", media=json_media("Status", {"status": "ok"})),
    )
)
async def _post_nothing(request: ApiRequest) -> Response[bytes]:
    await read_body(request, request.settings.max_body_bytes)
    return answer_json({"status": "ok"})


def make_app(ledger: Ledger, settings: Settings) -> Any:
    """The application of ``tallystick serve`` with the benchmark's calls in it."""
    return create_app(ledger, settings, routes=_routes(Store(os.environ[DATABASE])))


def _routes(store: Store) -> tuple[HTTPRouteHandler, ...]:
    """Every route of the server, and those of the benchmark; `store` is the one to ask for nothing."""

    def select_one() -> Content:
        with store.snapshot() as connection:
            return Content(encode({"one": measuring.select_one(connection)}))

    async def get_select_one(request: ApiRequest) -> Response[Any]:
        return answer_read(request, await in_thread(select_one))

    call = Call(
        method=HttpMethod.GET,
        paths={SELECT_ONE: "getOne"},
        tag="benchmark",
        summary="Takes a snapshot of the database and selects 1",
        description="The floor of a read.",
        allowed=READERS,
        answer=read_answer("One.", "Status", {"status": "ok"}),
    )
    return (*ROUTES, _post_nothing, route(call)(get_select_one))
