"""The pages' application: their routes behind one door, for whoever puts the edge around it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

from litestar import Litestar, Router
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.errors import TallystickError
from tallystick.ledger import Ledger
from tallystick.settings import Settings
from tallystick.web import (
    access,
    accounts,
    alerts,
    charts,
    days,
    downloads,
    health,
    jobs,
    plans,
    quarantine,
    signin,
    statements,
    usage,
    webhooks,
)
from tallystick.web.attempts import Attempts
from tallystick.web.failures import answer_error
from tallystick.web.pages import FORM_BYTES, page
from tallystick.web.pulse import Pulse, last_errors
from tallystick.web.request import PREFIX, PageRequest
from tallystick.web.static import answer_asset
from tallystick.web.visits import admit


@page("/static/{digest:str}/{name:str}", viewers="anyone", summary="A style, script or picture of the pages")
def show_asset(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/static/{digest}/{name}."""
    return answer_asset(request.path_name("name"))


@page("/{rest:path}", viewers="anyone", summary="Says that there is no such page")
def show_nothing(request: PageRequest) -> Response[bytes]:
    """GET of anything else: a route, so that whoever is signed in keeps the ways to the other pages."""
    raise NotFoundException


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (
    *usage.ROUTES,
    *jobs.ROUTES,
    *charts.ROUTES,
    *days.ROUTES,
    *statements.ROUTES,
    *alerts.ROUTES,
    *webhooks.ROUTES,
    *downloads.ROUTES,
    *accounts.ROUTES,
    *access.ROUTES,
    *plans.ROUTES,
    *quarantine.ROUTES,
    *health.ROUTES,
    *signin.ROUTES,
    show_asset,
    show_nothing,
)


def create_pages(
    ledger: Ledger,
    settings: Settings,
    statuses: Mapping[type[TallystickError], int],
    *,
    clock: Callable[[], float] = time.monotonic,
    make_secret: Callable[[], str] = lambda: secrets.token_hex(32),
) -> Litestar:
    """The application that answers below the prefix. `statuses` are those of every error on the wire."""
    app = Litestar(
        route_handlers=[Router(PREFIX, route_handlers=list(ROUTES))],
        guards=[admit],
        exception_handlers={Exception: answer_error},
        request_class=PageRequest,
        request_max_body_size=FORM_BYTES,
        openapi_config=None,
        logging_config=None,
    )
    app.state.ledger = ledger
    app.state.settings = settings
    app.state.statuses = statuses
    app.state.attempts = Attempts(settings.sign_ins_per_minute, clock)
    app.state.make_secret = make_secret
    app.state.pulse = Pulse(time.time)
    ledger.tell_commits(app.state.pulse.hear)
    app.state.errors = last_errors()
    return app
