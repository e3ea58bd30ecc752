"""How a page is declared: its path, who may see it, and a function that makes it beside the event loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.errors import InvalidInput
from tallystick.web.request import PageRequest
from tallystick.web.threads import in_thread
from tallystick.web.visits import FORM_FIELD, SESSION_COOKIE, VIEWERS, Viewers, check_form

SUMMARY: Final = "summary"
FORM_BYTES: Final = 256 * 1024
"""Largest form, percent-encoded; a price plan is the longest text in any."""

_MOST_FIELDS: Final = 1_100

Form = Mapping[str, tuple[str, ...]]
"""The fields of a form, each with its values in their order."""

Page = Callable[[PageRequest], Response[bytes]]
Action = Callable[[PageRequest, Form], Response[bytes]]


def page(*paths: str, viewers: Viewers, summary: str) -> Callable[[Page], HTTPRouteHandler]:
    """Makes a function the page at these paths below the prefix. It runs on a thread and may block."""

    def declare(make: Page) -> HTTPRouteHandler:
        async def handle(request: PageRequest) -> Response[bytes]:
            return await in_thread(make, request)

        return _route(handle, paths, HttpMethod.GET, viewers, summary)

    return declare


def action(
    *paths: str, viewers: Viewers, summary: str, cookie: str = SESSION_COOKIE
) -> Callable[[Action], HTTPRouteHandler]:
    """Makes a function what a form at these paths does. It is handed the form, which was checked to be ours.

    `cookie` names the one whose secret the form answers for.
    """

    def declare(act: Action) -> HTTPRouteHandler:
        async def handle(request: PageRequest) -> Response[bytes]:
            form = _fields(await request.body())
            check_form(request, cookie, field(form, FORM_FIELD))
            return await in_thread(act, request, form)

        return _route(handle, paths, HttpMethod.POST, viewers, summary)

    return declare


def field(form: Form, name: str) -> str:
    """The value of a form's field, the first where it has several; empty where it has none."""
    return form.get(name, ("",))[0]


def _route(
    handle: Callable[[PageRequest], Any], paths: tuple[str, ...], method: HttpMethod, viewers: Viewers, summary: str
) -> HTTPRouteHandler:
    options = {VIEWERS: viewers, SUMMARY: summary}
    return HTTPRouteHandler(list(paths), http_method=method, status_code=200, opt=options)(handle)


def _fields(body: bytes) -> Form:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise InvalidInput("The form cannot be read.") from None
    form: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        # Browsers send line breaks as CR LF.
        form[name] = (*form.get(name, ()), value.replace("\r\n", "\n"))
    return form
