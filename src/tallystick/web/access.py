"""Who may do what: an account's keys, plan and zone, and the tokens of one account or of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from litestar.response import Response

from tallystick.errors import Conflict, InvalidInput, NotFound, TallystickError
from tallystick.model.accounts import ApiKey, NewToken, TokenInfo
from tallystick.model.instants import parse_instant
from tallystick.model.tokens import Scope
from tallystick.web.answers import redirect, show
from tallystick.web.pages import Form, action, field, page
from tallystick.web.request import PageRequest
from tallystick.web.tables import page_number

ROWS_PER_PAGE: Final = 50

DONE: Final = {
    "account": "The account is made. Its customer needs a usage token to sign in.",
    "changed": "The change is made.",
    "key": "The API key is made.",
    "key-revoked": "The API key is revoked. Jobs that it made are still accepted: they happened.",
    "token-revoked": "The token is revoked, and every session that it began.",
}
"""What a page says after a form has done its work; the URL holds the word alone."""

OF_ACCOUNT: Final = (Scope.USAGE, Scope.MANAGE)
OVERLAP_HOURS: Final = (0, 1, 24, 168)


@page("/access", viewers="provider", summary="All tokens")
def show_access(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/access."""
    return _access_page(request)


@page("/accounts/{account:str}/access", viewers="provider", summary="An account's keys, tokens, plan and time zone")
def show_account_access(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/accounts/{account}/access."""
    return _access_page(request)


def _access_page(
    request: PageRequest, *, status: int = 200, problem: str = "", made: NewToken | None = None
) -> Response[bytes]:
    """The page of all tokens, or where the path names an account of that one's; `made` is shown this once."""
    account = request.path_name("account") if "account" in request.path_params else None
    request.stand_for(f"{request.account_base}/access" if account else "/access")
    tokens = [token for token in reversed(request.ledger.tokens.list()) if account in (None, token.account)]
    now = request.ledger.now()
    # What holds comes first, each group the newest first.
    tokens.sort(key=lambda token: _state(token, now) != "holds")
    turn = _turn(request, len(tokens))
    context: dict[str, Any] = {
        "scopes": [scope.value for scope in (Scope if account is None else OF_ACCOUNT)],
        "tokens": [(token, _state(token, now)) for token in tokens[turn["start"] : turn["end"]]],
        "turn": turn,
        "overlaps": OVERLAP_HOURS,
        "base": request.account_base if account else "",
        "problem": problem,
        "made": made,
        "done": "" if problem or made else DONE.get(request.values.get("done", ""), ""),
    }
    if account is None:
        return show(request, "access.html", status=status, title="Access", account=None, **context)
    return show(
        request,
        "access.html",
        status=status,
        title="Access",
        account=request.ledger.accounts.get(account),
        keys=_keys(request, account),
        plans=[plan.name for plan in request.ledger.plans.list()],
        current_month=request.ledger.overview(account).current_month,
        **context,
    )


def _keys(request: PageRequest, account: str) -> tuple[ApiKey, ...]:
    return tuple(sorted(request.ledger.accounts.keys(account), key=lambda key: (key.revoked_at is not None, key.name)))


def _state(token: TokenInfo, now: int) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and parse_instant(token.expires_at) <= now else "holds"


def _turn(request: PageRequest, size: int) -> dict[str, Any]:
    pages = max(1, -(-size // ROWS_PER_PAGE))
    here = min(page_number(request, "page"), pages)
    return {
        "page": here,
        "pages": pages,
        "size": size,
        "start": (here - 1) * ROWS_PER_PAGE,
        "end": here * ROWS_PER_PAGE,
        "previous": request.link_here(page=str(here - 1)) if here > 1 else "",
        "next": request.link_here(page=str(here + 1)) if here < pages else "",
    }


@action(
    "/access/create",
    "/accounts/{account:str}/access/create",
    viewers="provider",
    summary="Make a token, and show it this once",
)
def create_token(request: PageRequest, form: Form) -> Response[bytes]:
    """POST …/access/create."""
    account = request.path_name("account") if "account" in request.path_params else field(form, "account").strip()

    def create() -> NewToken:
        expires_on = field(form, "expires_on")
        return request.ledger.tokens.create(
            field(form, "scope"),
            account=account or None,
            label=field(form, "label").strip(),
            expires_at=f"{expires_on}T00:00:00Z" if expires_on else None,
        )

    return _shown_once(request, create)


@action(
    "/access/rotate",
    "/accounts/{account:str}/access/rotate",
    viewers="provider",
    summary="Replace a token, and show the new one this once",
)
def rotate_token(request: PageRequest, form: Form) -> Response[bytes]:
    """POST …/access/rotate."""

    def rotate() -> NewToken:
        hours = field(form, "overlap_hours")
        if hours not in map(str, OVERLAP_HOURS):
            raise InvalidInput.parameter("overlap_hours", "must be one of those offered")
        return request.ledger.tokens.rotate(field(form, "id"), overlap_seconds=int(hours) * 3600)

    return _shown_once(request, rotate)


def _shown_once(request: PageRequest, make: Callable[[], NewToken]) -> Response[bytes]:
    try:
        made = make()
    except (InvalidInput, NotFound) as error:
        return _access_page(request, status=400, problem=error.detail)
    # Not a redirect: the secret is stored nowhere, so that this answer is the only one to show it.
    return _access_page(request, status=201, made=made)


@action("/access/revoke", "/accounts/{account:str}/access/revoke", viewers="provider", summary="Revoke a token")
def revoke_token(request: PageRequest, form: Form) -> Response[bytes]:
    """POST …/access/revoke."""
    return _done(request, lambda: request.ledger.tokens.revoke(field(form, "id")), "token-revoked")


@action("/accounts/{account:str}/access/keys", viewers="provider", summary="Make an API key's name known")
def create_key(request: PageRequest, form: Form) -> Response[bytes]:
    """POST /dashboard/accounts/{account}/access/keys."""
    account, name, kind = request.path_name("account"), field(form, "name").strip(), field(form, "kind")
    return _done(request, lambda: request.ledger.accounts.create_key(account, name, kind=kind), "key")


@action("/accounts/{account:str}/access/keys/revoke", viewers="provider", summary="Revoke an API key")
def revoke_key(request: PageRequest, form: Form) -> Response[bytes]:
    """POST /dashboard/accounts/{account}/access/keys/revoke."""
    account, name = request.path_name("account"), field(form, "name")
    return _done(request, lambda: request.ledger.accounts.revoke_key(account, name), "key-revoked")


@action("/accounts/{account:str}/access/change", viewers="provider", summary="Change an account's plan or time zone")
def change_account(request: PageRequest, form: Form) -> Response[bytes]:
    """POST /dashboard/accounts/{account}/access/change."""
    accounts, name = request.ledger.accounts, request.path_name("account")
    if "plan" in form:
        plan, month = field(form, "plan"), field(form, "plan_from")
        return _done(request, lambda: accounts.change(name, plan=plan, plan_from=month or None), "changed")
    return _done(request, lambda: accounts.change(name, time_zone=field(form, "time_zone").strip()), "changed")


def _done(request: PageRequest, act: Callable[[], object], word: str) -> Response[bytes]:
    """Does something and leads back to the page, which says so; or shows the page with what was wrong."""
    try:
        act()
    except (InvalidInput, NotFound, Conflict) as error:
        return _access_page(request, status=_status(error), problem=error.detail)
    base = request.account_base if "account" in request.path_params else ""
    return redirect(request.link(f"{base}/access", {"done": word}))


def _status(error: TallystickError) -> int:
    return 409 if isinstance(error, Conflict) else 400


ROUTES: Final = (
    show_access,
    show_account_access,
    create_token,
    rotate_token,
    revoke_token,
    create_key,
    revoke_key,
    change_account,
)
