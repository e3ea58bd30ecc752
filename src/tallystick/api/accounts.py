"""Accounts and their API keys."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec
from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response
from msgspec import UNSET, UnsetType

from tallystick.api import examples
from tallystick.api.bodies import read_document, submit
from tallystick.api.calls import ADMINS, Answer, Body, Call, json_media, read_answer, route
from tallystick.api.conditional import Content, answer_read
from tallystick.api.parameters import CURSOR, LIMIT, limit_of
from tallystick.api.request import ApiRequest, in_thread
from tallystick.api.responses import answer_json
from tallystick.errors import InvalidInput
from tallystick.ledger import Ledger
from tallystick.model.accounts import KeyKind
from tallystick.model.wire import encode

_TAG: Final = "accounts"
_ACCOUNT: Final = {"account": "Name of the account, percent-encoded."}
_KEY: Final = {**_ACCOUNT, "key": "Name of the API key, percent-encoded."}


class NewAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account to be made. `time_zone` (an IANA name) and `plan` have defaults in the server's settings."""

    name: str
    time_zone: str | UnsetType = UNSET
    plan: str | UnsetType = UNSET


class AccountChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall change of an account. A plan takes effect at the start of the month `plan_from` (YYYY-MM)."""

    time_zone: str | UnsetType = UNSET
    plan: str | UnsetType = UNSET
    plan_from: str | UnsetType = UNSET


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An API key to be made. Neither name nor kind can change later."""

    name: str
    kind: KeyKind = KeyKind.LIVE


class KeyChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall change of an API key: it can be revoked, for good."""

    revoked: bool


@route(
    Call(
        method=HttpMethod.POST,
        paths={"/accounts": "createAccount"},
        tag=_TAG,
        summary="Make an account",
        description="Accounts that a job names for the first time are made by themselves, unless a setting says not.",
        allowed=ADMINS,
        body=Body(description="The account.", media=json_media("NewAccount", examples.NEW_ACCOUNT)),
        answer=Answer(
            status=201,
            description="The account.",
            media=json_media("Account", examples.ACCOUNT),
            headers={"Location": "Where the account can be read."},
        ),
        problems=(400, 404, 409, 413, 415),
    )
)
async def create_account(request: ApiRequest) -> Response[bytes]:
    """POST /accounts."""
    wanted = await read_document(request, NewAccount)
    account = await submit(request.ledger.accounts.create, wanted)
    location = f"{request.mount}/accounts/{quote(account.name, safe='')}"
    return answer_json(account, status=201, headers={"Location": location})


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/accounts": "listAccounts"},
        tag=_TAG,
        summary="All accounts",
        description="The accounts, a page at a time.",
        allowed=ADMINS,
        parameters=(CURSOR, LIMIT),
        answer=read_answer("A page of accounts.", "AccountPage", examples.ACCOUNT_PAGE),
        problems=(400,),
    )
)
async def list_accounts(request: ApiRequest) -> Response[bytes]:
    """GET /accounts."""
    cursor = request.values.get("cursor")
    return answer_read(request, await in_thread(_list_accounts, request.ledger, cursor, limit_of(request)))


def _list_accounts(ledger: Ledger, cursor: str | None, limit: int) -> Content:
    page = ledger.accounts.list(cursor=cursor, limit=limit)
    return Content(encode({"accounts": page.accounts, "next_cursor": page.next_cursor}))


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/accounts/{account:str}": "getAccount"},
        tag=_TAG,
        summary="One account",
        description="The account as it is now.",
        allowed=ADMINS,
        path_parameters=_ACCOUNT,
        answer=read_answer("The account.", "Account", examples.ACCOUNT),
        problems=(400, 404),
    )
)
async def get_account(request: ApiRequest) -> Response[bytes]:
    """GET /accounts/{account}."""
    account = await in_thread(request.ledger.accounts.get, request.path_name("account"))
    return answer_read(request, Content(encode(account)))


@route(
    Call(
        method=HttpMethod.PATCH,
        paths={"/accounts/{account:str}": "changeAccount"},
        tag=_TAG,
        summary="Change an account's time zone or plan",
        description=(
            "A time zone may change while the account has no statement; a plan from the start of an open month on. "
            "What is left out stays as it is."
        ),
        allowed=ADMINS,
        path_parameters=_ACCOUNT,
        body=Body(description="What shall change.", media=json_media("AccountChange", examples.ACCOUNT_CHANGE)),
        answer=Answer(
            status=200, description="The account as it is now.", media=json_media("Account", examples.ACCOUNT)
        ),
        problems=(400, 404, 409, 413, 415),
    )
)
async def change_account(request: ApiRequest) -> Response[bytes]:
    """PATCH /accounts/{account}."""
    change = await read_document(request, AccountChange)
    return answer_json(await submit(request.ledger.accounts.change, change, request.path_name("account")))


@route(
    Call(
        method=HttpMethod.POST,
        paths={"/accounts/{account:str}/keys": "createKey"},
        tag=_TAG,
        summary="Make an API key's name known",
        description="Keys that a job names for the first time are made by themselves, unless a setting says not.",
        allowed=ADMINS,
        path_parameters=_ACCOUNT,
        body=Body(description="The key.", media=json_media("NewKey", examples.NEW_KEY)),
        answer=Answer(status=201, description="The key.", media=json_media("ApiKey", examples.API_KEY)),
        problems=(400, 404, 409, 413, 415),
    )
)
async def create_key(request: ApiRequest) -> Response[bytes]:
    """POST /accounts/{account}/keys."""
    wanted = await read_document(request, NewKey)
    key = await submit(request.ledger.accounts.create_key, wanted, request.path_name("account"))
    return answer_json(key, status=201)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/accounts/{account:str}/keys": "listKeys"},
        tag=_TAG,
        summary="An account's API keys",
        description="All of them, the revoked ones included.",
        allowed=ADMINS,
        path_parameters=_ACCOUNT,
        answer=read_answer("The keys.", "KeyList", examples.KEY_LIST),
        problems=(400, 404),
    )
)
async def list_keys(request: ApiRequest) -> Response[bytes]:
    """GET /accounts/{account}/keys."""
    keys = await in_thread(request.ledger.accounts.keys, request.path_name("account"))
    return answer_read(request, Content(encode({"keys": keys})))


@route(
    Call(
        method=HttpMethod.PATCH,
        paths={"/accounts/{account:str}/keys/{key:str}": "changeKey"},
        tag=_TAG,
        summary="Revoke an API key",
        description="Its jobs are still accepted, since they happened. Revoking is for good and may be repeated.",
        allowed=ADMINS,
        path_parameters=_KEY,
        body=Body(description="`revoked` must be true.", media=json_media("KeyChange", examples.KEY_CHANGE)),
        answer=Answer(
            status=200, description="The key as it is now.", media=json_media("ApiKey", examples.REVOKED_KEY)
        ),
        problems=(400, 404, 409, 413, 415),
    )
)
async def change_key(request: ApiRequest) -> Response[bytes]:
    """PATCH /accounts/{account}/keys/{key}."""
    change = await read_document(request, KeyChange)
    if not change.revoked:
        raise InvalidInput.pointer("/revoked", "must be true: a key can be revoked, and that is for good")
    names = request.path_name("account"), request.path_name("key")
    return answer_json(await in_thread(request.ledger.accounts.revoke_key, *names))


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (
    create_account,
    list_accounts,
    get_account,
    change_account,
    create_key,
    list_keys,
    change_key,
)
