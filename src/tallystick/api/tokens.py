"""Access tokens: made, listed, revoked, rotated. A token's secret is told once, by the call that makes it."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response
from msgspec import UNSET, UnsetType

from tallystick.api import examples
from tallystick.api.bodies import read_document, submit
from tallystick.api.calls import ADMINS, Answer, Body, Call, json_media, read_answer, route
from tallystick.api.conditional import Content, answer_read
from tallystick.api.request import ApiRequest, in_thread
from tallystick.api.responses import answer_json, answer_nothing
from tallystick.model.tokens import Scope
from tallystick.model.wire import encode

_TAG: Final = "tokens"
_ID: Final = {"id": "Id of the token, as the list of tokens gives it; not the token itself."}
_MOST_OVERLAP_SECONDS: Final = 10**9


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token to be made. Scopes usage and manage need an `account`, admin and ingest have none.

    `expires_at` is an RFC 3339 time with an offset.
    """

    scope: Scope
    account: str | UnsetType = UNSET
    label: str | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a token is replaced: the old one holds for `overlap_seconds` more, the new one until `expires_at`."""

    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=_MOST_OVERLAP_SECONDS)] = 0
    expires_at: str | UnsetType = UNSET


@route(
    Call(
        method=HttpMethod.POST,
        paths={"/tokens": "createToken"},
        tag=_TAG,
        summary="Make a token",
        description="The answer holds the token itself, this once: only its hash is stored.",
        allowed=ADMINS,
        body=Body(description="What the token may do.", media=json_media("TokenRequest", examples.TOKEN_REQUEST)),
        answer=Answer(status=201, description="The token.", media=json_media("NewToken", examples.NEW_TOKEN)),
        problems=(400, 404, 413, 415),
    )
)
async def create_token(request: ApiRequest) -> Response[bytes]:
    """POST /tokens."""
    wanted = await read_document(request, TokenRequest)
    token = await submit(request.ledger.tokens.create, wanted)
    return answer_json(token.to_dict(), status=201)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/tokens": "listTokens"},
        tag=_TAG,
        summary="All tokens",
        description="Without their secrets; revoked and expired ones included.",
        allowed=ADMINS,
        answer=read_answer("The tokens.", "TokenList", examples.TOKEN_LIST),
    )
)
async def list_tokens(request: ApiRequest) -> Response[bytes]:
    """GET /tokens."""
    return answer_read(request, Content(encode({"tokens": await in_thread(request.ledger.tokens.list)})))


@route(
    Call(
        method=HttpMethod.DELETE,
        paths={"/tokens/{id:str}": "revokeToken"},
        tag=_TAG,
        summary="Revoke a token",
        description="At once and for good.",
        allowed=ADMINS,
        path_parameters=_ID,
        answer=Answer(status=204, description="It is revoked."),
        problems=(400, 404),
    )
)
async def revoke_token(request: ApiRequest) -> Response[bytes]:
    """DELETE /tokens/{id}."""
    await in_thread(request.ledger.tokens.revoke, request.path_name("id"))
    return answer_nothing()


@route(
    Call(
        method=HttpMethod.POST,
        paths={"/tokens/{id:str}/rotate": "rotateToken"},
        tag=_TAG,
        summary="Replace a token",
        description="Makes a token with the same authority. The old one ends after the overlap, at once without one.",
        allowed=ADMINS,
        path_parameters=_ID,
        body=Body(description="May be left out.", media=json_media("Rotation", examples.ROTATION), required=False),
        answer=Answer(status=201, description="The new token.", media=json_media("NewToken", examples.NEW_TOKEN)),
        problems=(400, 404, 409, 413, 415),
    )
)
async def rotate_token(request: ApiRequest) -> Response[bytes]:
    """POST /tokens/{id}/rotate."""
    rotation = await read_document(request, Rotation, empty=Rotation())
    token = await submit(request.ledger.tokens.rotate, rotation, request.path_name("id"))
    return answer_json(token.to_dict(), status=201)


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (create_token, list_tokens, revoke_token, rotate_token)
