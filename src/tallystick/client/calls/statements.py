"""Statements of closed months, and the keys that they are signed with."""

from __future__ import annotations

from typing import Final

from tallystick.client.call import Answer, Call, many, named, path_of, query_of
from tallystick.model.months import Month
from tallystick.model.signatures import SigningKey
from tallystick.model.statement import SignedStatement, StatementInfo

SIGNATURE_HEADER: Final = "tallystick-signature"
SIGNED_BY_HEADER: Final = "tallystick-signed-by"


def list_statements(*, account: str | None = None) -> Call[tuple[StatementInfo, ...]]:
    """The account's statements, one for each closed month, the first one first.

    `account` is for admin tokens, which must name one. Raises `InvalidInput` for a malformed name before any request,
    and `RequestError`.
    """
    return Call("GET", "/statements", many("statements", StatementInfo), _query(account))


def get_statement(month: str, *, account: str | None = None) -> Call[SignedStatement]:
    """The statement of a closed month (``YYYY-MM``), byte for byte as it was signed, with its signature.

    Nothing is checked: `tallystick.verify` does that. Raises `InvalidInput` for what is no month, and
    `ResourceNotFound` (code ``no_statement``) where the month is not closed.
    """
    wanted = Month.parse(month)
    return Call("GET", path_of("statements", str(wanted)), _signed, _query(account))


def list_signing_keys() -> Call[tuple[SigningKey, ...]]:
    """The public keys that statements are signed with, the first one first; the last one signs.

    Raises `RequestError`.
    """
    return Call("GET", "/.well-known/tallystick.json", many("signing_keys", SigningKey))


def _signed(answer: Answer) -> SignedStatement:
    return SignedStatement(
        document=answer.body,
        signed_by=answer.headers[SIGNED_BY_HEADER],
        signature=answer.headers[SIGNATURE_HEADER],
    )


def _query(account: str | None) -> dict[str, str]:
    return query_of(account=None if account is None else named("account", account))
