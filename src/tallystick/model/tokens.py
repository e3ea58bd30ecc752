"""The form of access tokens: ``tally_`` + 43 characters of secret + 6 of checksum, in base 62.

The prefix and the checksum let secret scanners (and us) tell a token from other text. Only the SHA-256 of a
token is ever stored: the secret has 256 random bits, so a fast hash is enough.
"""

from __future__ import annotations

import enum
import hashlib
import re
import string
import zlib
from typing import Final

PREFIX: Final = "tally_"
SECRET_BYTES: Final = 32

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_LENGTH: Final = 43
_CHECKSUM_LENGTH: Final = 6
_TOKEN: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}")
STRUCK_OUT: Final = PREFIX + "…"


class Scope(enum.StrEnum):
    """What a token may do."""

    ADMIN = "admin"
    INGEST = "ingest"
    USAGE = "usage"
    MANAGE = "manage"


def make_token(secret: bytes) -> str:
    """The token of 32 random bytes, which the caller draws. Raises `ValueError` for another length."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a token's secret has {SECRET_BYTES} bytes")
    body = _base62(int.from_bytes(secret), _SECRET_LENGTH)
    return PREFIX + body + _checksum(body)


def is_token(text: str) -> bool:
    """Whether `text` is a token whose checksum holds."""
    if not _TOKEN.fullmatch(text):
        return False
    body = text[len(PREFIX) : -_CHECKSUM_LENGTH]
    return _checksum(body) == text[-_CHECKSUM_LENGTH:]


def holds_token(text: str) -> bool:
    """Whether something of a token's form stands anywhere in `text`, checksum right or not."""
    return PREFIX in text and _TOKEN.search(text) is not None


def strike_tokens(text: str) -> str:
    """`text` with everything of a token's form replaced, fit to be stored, logged or shown."""
    return _TOKEN.sub(STRUCK_OUT, text) if PREFIX in text else text


def hash_token(token: str) -> str:
    """What is stored of a token: the SHA-256 of its characters, in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32((PREFIX + body).encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
