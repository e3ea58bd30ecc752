"""The deployment's signing keys: public ones in the database, private ones in a folder beside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tallystick.errors import Conflict, SigningKeyError
from tallystick.ledger.audit import note
from tallystick.model.instants import format_instant
from tallystick.model.signatures import ALGORITHM, SigningKey, encode_bytes, key_id, succession
from tallystick.model.statement import SignedStatement
from tallystick.settings import Settings
from tallystick.store import signing
from tallystick.store.database import Connection, Store
from tallystick.store.signing import SigningKeyRow

_SECRET_BYTES: Final = 32
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Signer:
    """A private key, ready to sign."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_key: Final = private.public_key().public_bytes_raw()
        self.id: Final = key_id(self.public_key)

    def sign(self, message: bytes) -> str:
        """The signature, in base64."""
        return encode_bytes(self._private.sign(message))

    def signed(self, document: bytes) -> SignedStatement:
        """A statement's bytes with their signature."""
        return SignedStatement(document=document, signed_by=self.id, signature=self.sign(document))

    def to_pem(self) -> bytes:
        """The private key as it is kept."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class KeyFolder:
    """The folder of the private keys, each in a file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def read(self, wanted: str) -> Signer:
        """The private key of that id. Raises `SigningKeyError` where it is not there, or others can read it."""
        file = self._file(wanted)
        try:
            with file.open("rb") as opened:
                mode = os.fstat(opened.fileno()).st_mode
                body = opened.read()
        except FileNotFoundError:
            raise SigningKeyError(
                f"the private key {wanted} is not in {self.path}; bring it there from where it is, or, if it is lost, "
                "begin with a new one: tallystick signing rotate --lost",
                code="signing_key_missing",
            ) from None
        except OSError as error:
            raise SigningKeyError(f"{file}: {error.strerror}") from None
        if mode & _OTHERS:
            raise SigningKeyError(f"others can read {file}: chmod 600 {file}", code="signing_key_exposed")
        return _read(body, file, wanted)

    def write(self, signer: Signer) -> None:
        """Keeps a private key, durably. Raises `SigningKeyError` where it cannot be kept from others."""
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            if self.path.stat().st_mode & _OTHERS:
                raise SigningKeyError(
                    f"others can look into {self.path}: chmod 700 {self.path}", code="signing_key_exposed"
                )
            descriptor = os.open(self._file(signer.id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(signer.to_pem())
                file.flush()
                os.fsync(file.fileno())
            _make_durable(self.path)
        except OSError as error:
            raise SigningKeyError(f"no private key can be kept in {self.path}: {error.strerror}") from None

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.pem"


def _read(body: bytes, file: Path, wanted: str) -> Signer:
    try:
        private = load_pem_private_key(body, None)
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise SigningKeyError(f"{file} holds no Ed25519 private key in PEM")
    signer = Signer(private)
    if signer.id != wanted:
        raise SigningKeyError(f"{file} holds another private key than {wanted}")
    return signer


def _make_durable(folder: Path) -> None:
    """Brings the folder's entries to the disk, so that a file that was made stays there after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def folder_of(settings: Settings, database: str) -> Path:
    """Where the private keys are kept. Raises `SigningKeyError` (code ``no_signing_folder``) where nothing says so."""
    if settings.signing_folder:
        return Path(settings.signing_folder)
    if database.startswith("sqlite:///"):
        return Path(database.removeprefix("sqlite:///") + ".keys")
    raise SigningKeyError(
        "statements are signed, and nothing says where the private key is kept: set TALLYSTICK_SIGNING_FOLDER",
        code="no_signing_folder",
    )


class Signing:
    """Shows and renews the keys that sign statements."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        database: str,
        clock: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._settings = settings
        self._database = database
        self._clock = clock
        self._random_bytes = random_bytes

    def list(self) -> tuple[SigningKey, ...]:
        """Every public key, the first one first; the last one signs. None before the first month is closed."""
        with self._store.snapshot() as connection:
            return tuple(_shown(row) for row in signing.keys(connection))

    def signer(self) -> Signer:
        """The key that signs, made at the first call of all. Raises `SigningKeyError` where it cannot be used."""
        folder = KeyFolder(folder_of(self._settings, self._database))
        with self._store.snapshot() as connection:
            known = signing.keys(connection)
        if known:
            return folder.read(known[-1].id)
        with self._store.transaction() as connection:
            signing.lock(connection)
            # Another process may have made one meanwhile.
            known = signing.keys(connection)
            if known:
                return folder.read(known[-1].id)
            return self._add(connection, folder, number=1, old=None)

    def rotate(self, *, lost: bool = False) -> SigningKey:
        """Makes a new key that signs from now on, and signs it with the old one.

        With `lost` the old one is not asked for: whoever remembers it will have to be told to trust the new one.
        Raises `Conflict` (code ``no_signing_key``) where there is none yet, and `SigningKeyError`.
        """
        folder = KeyFolder(folder_of(self._settings, self._database))
        with self._store.transaction() as connection:
            signing.lock(connection)
            known = signing.keys(connection)
            if not known:
                raise Conflict("there is no signing key yet; closing a month makes one", code="no_signing_key")
            old = None if lost else folder.read(known[-1].id)
            self._add(connection, folder, number=known[-1].number + 1, old=old)
            row = signing.keys(connection)[-1]
        return _shown(row)

    def _add(self, connection: Connection, folder: KeyFolder, *, number: int, old: Signer | None) -> Signer:
        # The file comes first: a key in the database without its file could sign nothing, a file alone does no harm.
        signer = Signer(Ed25519PrivateKey.from_private_bytes(self._random_bytes(_SECRET_BYTES)))
        folder.write(signer)
        now = self._clock()
        row = SigningKeyRow(
            number=number,
            id=signer.id,
            public_key=encode_bytes(signer.public_key),
            created_at=now,
            signed_by=None if old is None else old.id,
            signature=None if old is None else old.sign(succession(signer.public_key)),
        )
        signing.add(connection, row)
        note(connection, now, "signing.create" if number == 1 else "signing.rotate", signer.id, signed_by=row.signed_by)
        return signer


def _shown(row: SigningKeyRow) -> SigningKey:
    return SigningKey(
        id=row.id,
        algorithm=ALGORITHM,
        public_key=row.public_key,
        created_at=format_instant(row.created_at),
        signed_by=row.signed_by,
        signature=row.signature,
    )
