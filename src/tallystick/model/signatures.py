"""Signatures of statements and of keys (Ed25519, RFC 8032): who signed what, checked without any secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tallystick.errors import InvalidInput
from tallystick.model.wire import Wire

ALGORITHM: Final = "Ed25519"
_ID_CHARACTERS: Final = 32
_SUCCESSION: Final = b"tallystick signing key\n"


class SigningKey(Wire, frozen=True, kw_only=True):
    """A public key that signs statements. `signed_by` names the key before it, which signed this one.

    `public_key` holds the 32 bytes of RFC 8032, `signature` 64 bytes, both in base64. `id` is taken from the key
    itself: the first half of its SHA-256, in hexadecimal. The first key has no signature, and a key that took the
    place of a lost one has none either.
    """

    id: str
    algorithm: str
    public_key: str
    created_at: str
    signed_by: str | None
    signature: str | None


def key_id(public_key: bytes) -> str:
    """What names a key of 32 bytes."""
    return hashlib.sha256(public_key).hexdigest()[:_ID_CHARACTERS]


def succession(public_key: bytes) -> bytes:
    """What the old key signs of the new one. It cannot be taken for a statement, which is a JSON object."""
    return _SUCCESSION + base64.b64encode(public_key) + b"\n"


def holds(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is that key's, of that message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def encode_bytes(raw: bytes) -> str:
    """Bytes of a key or signature as text."""
    return base64.b64encode(raw).decode()


def decode_bytes(text: str) -> bytes:
    """The bytes that a text holds. Raises `InvalidInput` for what is not base64."""
    try:
        return base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("is not base64") from None
