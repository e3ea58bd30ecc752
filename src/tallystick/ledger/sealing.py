"""Secrets that must be stored to be used, sealed with a key that is not in the database.

The key is a file's: 32 random bytes in URL-safe base64, a line each, the first of which seals while each of them opens.
Without one, secrets are stored as they are, and whoever reads the database can use them.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from tallystick.errors import InvalidInput, StoreError

_SEALED: Final = "sealed:"
_PLAIN: Final = "plain:"


class Seal:
    """Seals and opens secrets, with the keys of a file or, where `key_file` is empty, with none.

    Raises `InvalidInput` where the file cannot be read or holds no keys.
    """

    def __init__(self, key_file: str = "") -> None:
        self._keys = MultiFernet(_keys(Path(key_file))) if key_file else None

    def close(self, secret: str) -> str:
        """The secret as it may be stored."""
        if self._keys is None:
            return _PLAIN + secret
        return _SEALED + self._keys.encrypt(secret.encode()).decode()

    def open(self, stored: str) -> str:
        """The secret that was sealed. Raises `StoreError` (code ``sealed``) where the key for it is not at hand."""
        if stored.startswith(_PLAIN):
            return stored.removeprefix(_PLAIN)
        if self._keys is None:
            raise StoreError("a secret is sealed and the setting webhook_key_file names no key", code="sealed")
        try:
            return self._keys.decrypt(stored.removeprefix(_SEALED)).decode()
        except InvalidToken:
            raise StoreError("a secret is sealed with a key that the key file does not hold", code="sealed") from None


def _keys(file: Path) -> list[Fernet]:
    try:
        with file.open("rb") as opened:
            is_private = not os.fstat(opened.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            text = opened.read()
    except OSError as error:
        raise _unusable(f"cannot be read: {error.strerror}") from None
    if not is_private:
        raise _unusable(f"can be read by others: chmod 600 {file}")
    try:
        keys = [Fernet(line) for line in text.split()]
    except ValueError:
        keys = []
    if not keys:
        # Whatever is wrong with a key, the message must not repeat it.
        raise _unusable("names a file that holds something else than keys; `tallystick webhook key` prints one")
    return keys


def _unusable(detail: str) -> InvalidInput:
    return InvalidInput.parameter("TALLYSTICK_WEBHOOK_KEY_FILE", detail)


def new_key() -> str:
    """A fresh key, as a line of the file."""
    return Fernet.generate_key().decode()
