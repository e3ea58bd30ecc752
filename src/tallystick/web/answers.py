"""Answers of pages: templates filled, redirects, and what every answer says to the browser."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar.response import Response

from tallystick.web import figures, navigation
from tallystick.web.request import PageRequest
from tallystick.web.static import asset_link
from tallystick.web.visits import FORM_FIELD, SESSION_COOKIE, form_token

HTML: Final = "text/html"

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No script, style or picture but our own files, and no request to another host."""


@lru_cache(maxsize=1)
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("tallystick.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(figures=figures, form_field=FORM_FIELD)
    return environment


def show(
    request: PageRequest,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    form_secret: str | None = None,
    failed: bool = False,
    **context: Any,
) -> Response[bytes]:
    """A page: the template, filled with `context` and with what every page shows.

    `form_secret` is the secret that the page's forms answer for; by default that of the session. A page that
    `failed` may be about an account that does not exist, so that it shows no ways to that one's pages.
    """
    secret = form_secret or request.cookies.get(SESSION_COOKIE, "")
    text = (
        _templates()
        .get_template(template)
        .render(
            request=request,
            link=request.link,
            asset=lambda name: asset_link(request, name),
            form_token=form_token(secret) if secret else "",
            **_frame(request, failed=failed),
            **context,
        )
    )
    given = {"Content-Security-Policy": POLICY, **(headers or {})}
    return Response(text.encode(), status_code=status, media_type=HTML, headers=given)


def _frame(request: PageRequest, *, failed: bool) -> dict[str, Any]:
    """Whose pages these are, and the ways to the others."""
    about = request.own_account
    if about is None and "account" in request.path_params and not failed:
        about = request.account
    return {
        "signed_in": request.session_now is not None,
        "is_provider": request.is_provider,
        "about": about,
        "account_links": navigation.account_links(request) if about else [],
        "provider_links": _provider_links(request, failed=failed) if request.is_provider else [],
    }


def _provider_links(request: PageRequest, *, failed: bool) -> list[navigation.Link]:
    # What failed may have been the database.
    quarantined = 0 if failed else request.ledger.quarantine.list(limit=1).total
    return navigation.provider_links(request, quarantined=quarantined)


def redirect(location: str, *, cookie: str | None = None) -> Response[bytes]:
    """303 to a page, whatever the method was."""
    headers = {"Location": location} if cookie is None else {"Location": location, "Set-Cookie": cookie}
    return Response(b"", status_code=303, media_type=HTML, headers=headers)
