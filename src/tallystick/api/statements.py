"""Statements of closed months, byte for byte as they were signed, and the keys that they are signed with."""

from __future__ import annotations

from typing import Final

from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.api import examples
from tallystick.api.access import account_of
from tallystick.api.calls import JSON, PUBLIC, READERS, Answer, Call, Media, json_media, read_answer, route
from tallystick.api.conditional import SHARED, Content, answer_read
from tallystick.api.formats import format_of, format_parameter
from tallystick.api.parameters import ACCOUNT
from tallystick.api.request import ApiRequest, in_thread
from tallystick.ledger import Ledger
from tallystick.model.statement import SignedStatement
from tallystick.model.wire import encode
from tallystick.printing import POLICY, statement_page

_TAG: Final = "statements"
_HTML: Final = "text/html"
_FORMATS: Final = {"json": JSON, "html": _HTML}

SIGNATURE: Final = "Tallystick-Signature"
SIGNED_BY: Final = "Tallystick-Signed-By"

_STATEMENT: Final = read_answer("The statement.", "Statement", examples.STATEMENT, currency=True)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/statements": "listStatements"},
        tag=_TAG,
        summary="An account's statements",
        description="One for each closed month, the first one first. Each names the one before by its SHA-256.",
        allowed=READERS,
        parameters=(ACCOUNT,),
        answer=read_answer("The statements.", "StatementList", examples.STATEMENT_LIST),
        problems=(400, 404),
    )
)
async def list_statements(request: ApiRequest) -> Response[bytes]:
    """GET /statements."""
    statements = await in_thread(request.ledger.statements.list, account_of(request))
    return answer_read(request, Content(encode({"statements": [info.to_dict() for info in statements]})))


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/statements/{month:str}": "getStatement"},
        tag=_TAG,
        summary="The statement of a closed month",
        description=(
            "The body is the signed bytes themselves; they never change. The signature (Ed25519, base64) is of exactly "
            "these bytes. As HTML (format=html, or Accept) it is a page to print."
        ),
        allowed=READERS,
        parameters=(format_parameter(_FORMATS), ACCOUNT),
        path_parameters={"month": "The month, YYYY-MM."},
        answer=Answer(
            status=200,
            description=_STATEMENT.description,
            media={**_STATEMENT.media, _HTML: Media(schema={"type": "string"})},
            headers={
                **_STATEMENT.headers,
                SIGNATURE: "The signature of the statement's bytes, in base64.",
                SIGNED_BY: "The id of the key that it is signed with.",
            },
        ),
        problems=(400, 404),
    )
)
async def get_statement(request: ApiRequest) -> Response[bytes]:
    """GET /statements/{month}."""
    account, month = account_of(request), request.path_name("month")
    as_page = format_of(request, _FORMATS) == "html"
    signed, content = await in_thread(_statement, request.ledger, account, month, as_page)
    response = answer_read(request, content, media_type=_HTML if as_page else JSON)
    response.headers[SIGNATURE] = signed.signature
    response.headers[SIGNED_BY] = signed.signed_by
    if as_page:
        response.headers["Content-Security-Policy"] = POLICY
    return response


def _statement(ledger: Ledger, account: str, month: str, as_page: bool) -> tuple[SignedStatement, Content]:
    signed = ledger.statements.get(account, month)
    # An account's currency is fixed, and so that of its statements.
    currency = ledger.accounts.get(account).currency
    body = statement_page(signed).encode() if as_page else signed.document
    return signed, Content(body, currency)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/.well-known/tallystick.json": "getSigningKeys"},
        tag=_TAG,
        summary="The keys that statements are signed with",
        description="The public keys, the first one first; the last one signs. Each is signed by the one before it.",
        allowed=PUBLIC,
        answer=Answer(
            status=200,
            description="The keys; none before the first month is closed.",
            media=json_media("SigningKeyList", examples.SIGNING_KEY_LIST),
            headers={"ETag": "Names this state of the answer; send it back as If-None-Match."},
        ),
    )
)
async def get_signing_keys(request: ApiRequest) -> Response[bytes]:
    """GET /.well-known/tallystick.json."""
    keys = await in_thread(request.ledger.signing.list)
    content = Content(encode({"signing_keys": [key.to_dict() for key in keys]}))
    return answer_read(request, content, cache_control=SHARED)


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (list_statements, get_statement, get_signing_keys)
