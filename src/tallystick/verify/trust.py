"""What is remembered between checks: the signing keys that were seen, the statements that held, and their plans.

A small file of JSON, for each server and account. Losing it loses no money: the next check begins with the account's
first month again, and takes the first key that it sees.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from tallystick.errors import InvalidInput
from tallystick.model.wire import encode

FORM: Final = "tallystick-trusted/1"


class TrustedKey(msgspec.Struct, frozen=True):
    """A public key that was seen, in base64: the first one as it came, each other signed by the one before."""

    id: str
    public_key: str


class TrustedPlan(msgspec.Struct, frozen=True):
    """A plan version that a statement named which held, by the SHA-256 of its document."""

    plan: str
    plan_version: str | None
    sha256: str


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one account at one server: keys in their order, the SHA-256 of each statement that held, and
    the plan versions that those named. Files that were written before plans were remembered have none.
    """

    server: str
    account: str
    signing_keys: tuple[TrustedKey, ...] = ()
    statements: Mapping[str, str] = {}
    plans: tuple[TrustedPlan, ...] = ()


class _File(msgspec.Struct, frozen=True, kw_only=True):
    form: str
    accounts: tuple[Trust, ...]


def default_file(environment: Mapping[str, str]) -> Path:
    """Where the file lies unless another is named: ``tallystick/trusted.json`` in the user's folder for such things."""
    state = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "tallystick" / "trusted.json"


class TrustedFile:
    """The file, which need not exist. Raises `InvalidInput` (code ``invalid_trusted_file``) where it cannot be read or
    written, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def prepare(self) -> None:
        """Makes the folder, so that a check that cannot be remembered fails before it begins."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.path, error) from None
        if not os.access(self.path.parent, os.W_OK | os.X_OK):
            raise _unwritable(self.path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))

    def find(self, server: str, account: str) -> Trust:
        """What is known of an account."""
        for trust in self._read():
            if (trust.server, trust.account) == (server, account):
                return trust
        return Trust(server=server, account=account)

    def remember(self, trust: Trust) -> None:
        """Keeps what is known of an account now; all of it is in the file, or nothing new is."""
        others = [each for each in self._read() if (each.server, each.account) != (trust.server, trust.account)]
        accounts = sorted([*others, trust], key=lambda each: (each.server, each.account))
        document = msgspec.to_builtins(_File(form=FORM, accounts=tuple(accounts)))
        try:
            _replace(self.path, encode(document, indent=2) + b"\n")
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def _read(self) -> tuple[Trust, ...]:
        try:
            file = msgspec.json.decode(self.path.read_bytes(), type=_File)
        except FileNotFoundError:
            return ()
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _unreadable(self.path, str(error)) from None
        except OSError as error:
            raise _unreadable(self.path, error.strerror or str(error)) from None
        if file.form != FORM:
            raise _unreadable(self.path, f"its form is {file.form!r}")
        return file.accounts


def _unreadable(path: Path, reason: str) -> InvalidInput:
    return InvalidInput(
        f"{path} is not what a check of statements remembers ({reason}); move it away to begin anew",
        code="invalid_trusted_file",
    )


def _unwritable(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(
        f"what a check comes to cannot be remembered in {path} ({error.strerror}); name another file with --trusted",
        code="invalid_trusted_file",
    )


def _replace(path: Path, body: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
