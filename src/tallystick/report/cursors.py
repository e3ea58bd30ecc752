"""Cursors: where a listing goes on, opaque to the caller."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

import msgspec

from tallystick.errors import InvalidInput

Kind = TypeVar("Kind")


def encode_cursor(cursor: msgspec.Struct) -> str:
    """A cursor as text that needs no escaping in a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def decode_cursor(text: str, kind: type[Kind]) -> Kind:
    """The cursor that `encode_cursor` gave. Raises `InvalidInput` (code ``invalid_cursor``) for any other text."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=kind)
    except (UnicodeError, binascii.Error, msgspec.MsgspecError):
        raise InvalidInput.parameter(
            "cursor", "is not a cursor that this call gave; begin again without one", code="invalid_cursor"
        ) from None


def decode_number(text: str) -> int:
    """The number of a row that serves as a cursor. Raises `InvalidInput` (code ``invalid_cursor``)."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidInput.parameter("cursor", "is not a cursor that this call gave", code="invalid_cursor")
    return int(text)
