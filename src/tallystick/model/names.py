"""What identifies things: ids, names and meter ids (design rules 9 and 11)."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from tallystick.errors import InvalidInput
from tallystick.model.tokens import PREFIX, holds_token

ID_BYTES: Final = 255
NAME_CHARACTERS: Final = 200

# Category Cc of Unicode: the C0 and C1 controls and DEL.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_METER: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_PLAIN: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?", re.ASCII)


def check_id(text: str) -> str:
    """`text`, if it is an id: 1 to 255 bytes of UTF-8 without control characters. Raises `InvalidInput`."""
    if not text:
        raise InvalidInput("must not be empty")
    if len(text) > ID_BYTES or (not text.isascii() and len(_utf8(text)) > ID_BYTES):
        raise InvalidInput(f"must have at most {ID_BYTES} bytes in UTF-8")
    return _check_characters(text)


def check_name(text: str) -> str:
    """`text`, if it is a name: 1 to 200 characters in NFC, without outer spaces or control characters."""
    if not text:
        raise InvalidInput("must not be empty")
    if len(text) > NAME_CHARACTERS:
        raise InvalidInput(f"must have at most {NAME_CHARACTERS} characters")
    _check_characters(text)
    if text != text.strip():
        raise InvalidInput("must not begin or end with a space")
    if not unicodedata.is_normalized("NFC", text):
        raise InvalidInput("must be in Unicode's normal form C (NFC)")
    return text


def check_reason(text: str) -> str:
    """`text`, if it can be the reason of an act: the form of a name. Raises `InvalidInput` naming it ``reason``."""
    try:
        return check_name(text)
    except InvalidInput as error:
        raise InvalidInput.parameter("reason", error.detail, code=error.code) from None


def is_plain(text: str) -> bool:
    """Whether `text` is surely both an id and a name, being short printable ASCII without anything that needs a look.

    Most are, and this takes a quarter of the time; what is not plain may be sound all the same.
    """
    return (
        0 < len(text) <= NAME_CHARACTERS
        and text.isascii()
        and text.isprintable()
        and " " not in text
        and PREFIX not in text
    )


def _check_characters(text: str) -> str:
    if _PLAIN.fullmatch(text) is None:
        if _CONTROL.search(text):
            raise InvalidInput("must not contain control characters")
        _utf8(text)
    if holds_token(text):
        raise InvalidInput("has the form of a Tallystick token; a secret must never be used as a name", code="secret")
    return text


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("holds a lone surrogate, which is not text") from None


def is_meter_id(text: str) -> bool:
    """Whether `text` can name a meter: 1 to 40 of a-z, 0-9 and underscore, a letter first."""
    return _METER.fullmatch(text) is not None
