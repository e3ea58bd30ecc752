"""Accounts and their API keys. All of these need an admin token."""

from __future__ import annotations

from tallystick.client.call import Call, body_of, many, named, one, path_of, query_of
from tallystick.errors import InvalidInput
from tallystick.model.accounts import Account, AccountPage, ApiKey, KeyKind
from tallystick.model.months import Month


def create_account(name: str, *, time_zone: str | None = None, plan: str | None = None) -> Call[Account]:
    """Makes an account; the server's defaults stand for a time zone (IANA name) or plan that is left out.

    Raises `ResourceConflict` (code ``account_exists``) for a name that is taken, and `RequestError`. A repeat would
    meet that conflict, so it is retried only where the first request surely was not carried out.
    """
    body = body_of(name=name, time_zone=time_zone, plan=plan)
    return Call("POST", "/accounts", one(Account), body=body, repeatable=False)


def list_accounts(*, cursor: str | None = None, limit: int | None = None) -> Call[AccountPage]:
    """Accounts by name; a page's `next_cursor`, given as `cursor`, yields the next ones. Raises `RequestError`."""
    return Call("GET", "/accounts", one(AccountPage), query_of(cursor=cursor, limit=limit))


def change_account(
    name: str, *, time_zone: str | None = None, plan: str | None = None, plan_from: str | None = None
) -> Call[Account]:
    """Changes what is given of an account: its time zone, or its plan from the month `plan_from` (``YYYY-MM``) on.

    Raises `InvalidInput` for a malformed name or month before any request, and `RequestError`.
    """
    if plan_from is not None:
        Month.parse(plan_from, "plan_from")
    body = body_of(time_zone=time_zone, plan=plan, plan_from=plan_from)
    return Call("PATCH", path_of("accounts", named("name", name)), one(Account), body=body)


def create_key(account: str, name: str, *, kind: KeyKind | str = KeyKind.LIVE) -> Call[ApiKey]:
    """Makes an API key of an account; `kind` is ``live`` or ``sandbox`` and never changes.

    Raises `InvalidInput` for another kind or a malformed account name before any request, `ResourceConflict`
    (code ``key_exists``) for a name that is taken, and `RequestError`. It is retried only where the first request
    surely was not carried out.
    """
    if kind not in tuple(KeyKind):
        raise InvalidInput.parameter("kind", f"must be one of {', '.join(KeyKind)}")
    body = body_of(name=name, kind=kind)
    return Call(
        "POST", path_of("accounts", named("account", account), "keys"), one(ApiKey), body=body, repeatable=False
    )


def list_keys(account: str) -> Call[tuple[ApiKey, ...]]:
    """Every API key of an account. Raises `InvalidInput` for a malformed name, and `RequestError`."""
    return Call("GET", path_of("accounts", named("account", account), "keys"), many("keys", ApiKey))


def revoke_key(account: str, name: str) -> Call[ApiKey]:
    """Revokes an API key, for good. Its jobs are still accepted: they happened.

    Raises `InvalidInput` for a malformed name before any request, and `RequestError`.
    """
    path = path_of("accounts", named("account", account), "keys", named("name", name))
    return Call("PATCH", path, one(ApiKey), body=body_of(revoked=True))
