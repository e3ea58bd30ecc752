"""The application: the routes of every resource behind the one door, and the edge around them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from litestar import HttpMethod, Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.api import (
    accounts,
    budgets,
    docs,
    jobs,
    metrics,
    notices,
    operation,
    plans,
    quarantine,
    statements,
    tokens,
    usage,
    webhooks,
)
from tallystick.api.access import admit
from tallystick.api.calls import OPTION, PUBLIC, Answer, Call
from tallystick.api.edge import Edge, new_request_id
from tallystick.api.limits import RateLimits
from tallystick.api.metrics import Metrics, telling_queue
from tallystick.api.openapi import written_document
from tallystick.api.parameters import take_parameters
from tallystick.api.problems import allow_with_head, answer_error
from tallystick.api.request import ApiRequest
from tallystick.ledger import Ledger
from tallystick.settings import Settings

ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (
    *usage.ROUTES,
    *budgets.ROUTES,
    *jobs.ROUTES,
    *statements.ROUTES,
    *accounts.ROUTES,
    *tokens.ROUTES,
    *plans.ROUTES,
    *quarantine.ROUTES,
    *notices.ROUTES,
    *webhooks.ROUTES,
    *operation.ROUTES,
    *metrics.ROUTES,
    *docs.ROUTES,
)


def create_app(
    ledger: Ledger,
    settings: Settings,
    *,
    make_request_id: Callable[[], str] = new_request_id,
    routes: Iterable[HTTPRouteHandler] = ROUTES,
    beside: Mapping[str, Any] = MappingProxyType({}),
) -> Edge:
    """The ASGI application over a ledger. `settings` are those of the ledger; it stays the caller's to close.

    `beside` maps first segments of paths to other applications that answer there.
    """
    taken = tuple(routes)
    app = Litestar(
        # OPTIONS first: where there is none yet the framework adds one of its own, which declares nothing.
        route_handlers=[*_options(taken), *taken],
        guards=[admit, take_parameters],
        exception_handlers={Exception: answer_error},
        request_class=ApiRequest,
        lifespan=[telling_queue],
        # Documented by `openapi`, logged by `edge`; bodies are limited by `bodies`, decompressed ones too.
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,
    )
    app.state.ledger = ledger
    app.state.settings = settings
    app.state.openapi = written_document(calls(app), settings)
    app.state.limits = RateLimits(settings.requests_per_minute, time.monotonic)
    app.state.metrics = Metrics()
    ledger.tell_commits(app.state.metrics.committed)
    return Edge(app, app.state.metrics, make_request_id, beside)


def calls(app: Litestar) -> list[Call]:
    """What the routes of an application declare, each call once, without OPTIONS."""
    declared: dict[int, Call] = {}
    for registered in app.routes:
        for handler in getattr(registered, "route_handlers", ()):
            call = handler.opt.get(OPTION)
            if isinstance(call, Call) and call.method is not HttpMethod.OPTIONS:
                declared[id(call)] = call
    return list(declared.values())


def _options(routes: Iterable[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """A route for OPTIONS at every path, so that those too are declared and none is left to the framework."""
    methods: dict[str, set[str]] = defaultdict(lambda: {"OPTIONS"})
    for handler in routes:
        for path in handler.opt[OPTION].paths:
            methods[path].add(handler.opt[OPTION].method)
    return [_options_at(path, allow_with_head(", ".join(taken))) for path, taken in methods.items()]


def _options_at(path: str, allow: str) -> HTTPRouteHandler:
    call = Call(
        method=HttpMethod.OPTIONS,
        paths={path: ""},
        tag="operation",
        summary="Methods of this path",
        description="The header Allow names them.",
        allowed=PUBLIC,
        answer=Answer(status=204, description="No content."),
    )

    async def options(request: ApiRequest) -> Response[bytes]:
        return Response(b"", status_code=204, headers={"Allow": allow})

    return HTTPRouteHandler(path, http_method=HttpMethod.OPTIONS, status_code=200, opt={OPTION: call})(options)
