"""Which keys are believed: the first one that was seen, and every one that a believed key has signed."""

from __future__ import annotations

from collections.abc import Sequence

from tallystick.errors import InvalidInput
from tallystick.model.signatures import ALGORITHM, SigningKey, decode_bytes, holds, key_id, succession
from tallystick.model.statement import SignedStatement
from tallystick.verify.differences import Mismatch
from tallystick.verify.trust import TrustedKey


class Keyring:
    """The keys that are believed, and those that the server offers.

    `told` names a key that the user was told to believe, by other means than the server's word.
    """

    def __init__(self, trusted: Sequence[TrustedKey], offered: Sequence[SigningKey], told: str | None = None) -> None:
        self.trusted = list(trusted)
        self.first_seen = not trusted
        self.replaced: str | None = None
        """The last key that was believed before another one was found in its place."""
        self._offered = offered
        self._told = told

    def check(self, signed: SignedStatement, *, not_before: str | None) -> None:
        """Raises `Mismatch` where the signature is not that of a key to be believed, or of one older than `not_before`.

        Keys follow each other: what comes behind a statement is not signed with an earlier key.
        """
        public_key = self._public_key(signed.signed_by, not_before)
        try:
            good = holds(public_key, signed.document, decode_bytes(signed.signature))
        except InvalidInput:
            good = False
        if not good:
            raise Mismatch("signature", f"the signature is not that of key {signed.signed_by}, of these bytes")

    def _public_key(self, wanted: str, not_before: str | None) -> bytes:
        if not self.trusted:
            self.trusted.append(self._offered_key(wanted))
        ids = [key.id for key in self.trusted]
        if wanted not in ids:
            self._follow(wanted)
        elif not_before in ids and ids.index(wanted) < ids.index(not_before):
            raise Mismatch("signing_key", f"it is signed with key {wanted}, and key {not_before} had taken its place")
        return decode_bytes(next(key.public_key for key in self.trusted if key.id == wanted))

    def _follow(self, wanted: str) -> None:
        """Believes the keys from the last one up to `wanted`, each signed by the one before."""
        replaced = self.replaced or self.trusted[-1].id
        if wanted == self._told:
            self.trusted.append(self._offered_key(wanted))
            self.replaced = replaced
            return
        believed = list(self.trusted)
        while believed[-1].id != wanted:
            last = believed[-1]
            successor = next((key for key in self._offered if key.signed_by == last.id and _is_signed(key, last)), None)
            if successor is None or any(key.id == successor.id for key in believed):
                raise Mismatch(
                    "signing_key",
                    f"it is signed with key {wanted}, which the remembered key {self.trusted[-1].id} has not signed",
                )
            believed.append(self._offered_key(successor.id))
        self.trusted = believed
        self.replaced = replaced

    def _offered_key(self, wanted: str) -> TrustedKey:
        for key in self._offered:
            if key.id == wanted and key.algorithm == ALGORITHM and key_id(_raw(key.public_key)) == wanted:
                return TrustedKey(wanted, key.public_key)
        raise Mismatch("signing_key", f"it is signed with key {wanted}, which the server does not publish")


def _is_signed(key: SigningKey, by: TrustedKey) -> bool:
    message = succession(_raw(key.public_key))
    return key.signature is not None and holds(_raw(by.public_key), message, _raw(key.signature))


def _raw(text: str) -> bytes:
    """The bytes of a key or signature; none where the text holds none, which no key and no signature has."""
    try:
        return decode_bytes(text)
    except InvalidInput:
        return b""
