"""Signing keys: made at first use, kept in files that only their owner can read, renewed in a chain."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tallystick.errors import Conflict, InvalidInput, SigningKeyError
from tallystick.ledger.signing import folder_of
from tallystick.model.signatures import decode_bytes, holds, key_id, succession
from tallystick.settings import Settings
from tests.embedded import Deploy, Deployment, job


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def deployment(deploy: Deploy, keys: Path) -> Deployment:
    deployment = deploy(signing_folder=str(keys))
    deployment.ledger.record([job(completed_at="2025-01-11T00:00:00Z")])
    return deployment


def close(deployment: Deployment, month: str = "2025-01") -> None:
    deployment.ledger.statements.close(month)


def test_the_first_closing_makes_the_key(deployment: Deployment, keys: Path) -> None:
    assert deployment.ledger.signing.list() == ()
    assert not keys.exists()
    close(deployment)
    (key,) = deployment.ledger.signing.list()
    assert (key.algorithm, key.created_at, key.signed_by, key.signature) == (
        "Ed25519",
        "2025-06-15T12:00:00Z",
        None,
        None,
    )
    assert key.id == key_id(decode_bytes(key.public_key))
    private = load_pem_private_key((keys / f"{key.id}.pem").read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    assert private.public_key().public_bytes_raw() == decode_bytes(key.public_key)


def test_nobody_else_can_read_it_whatever_the_mask(deployment: Deployment, keys: Path) -> None:
    before = os.umask(0)
    try:
        close(deployment)
    finally:
        os.umask(before)
    assert keys.stat().st_mode & 0o777 == 0o700
    (file,) = keys.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_database_holds_nothing_of_the_private_key(deployment: Deployment, keys: Path) -> None:
    close(deployment)
    (file,) = keys.iterdir()
    private = load_pem_private_key(file.read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    secret = private.private_bytes_raw()
    everything = deployment.everything()
    assert secret not in everything
    assert secret.hex().encode() not in everything
    assert file.read_bytes().splitlines()[1] not in everything


def test_a_new_key_is_signed_by_the_old_one_and_signs_from_then_on(deployment: Deployment) -> None:
    close(deployment)
    deployment.set_clock("2025-06-16T00:00:00Z")
    new = deployment.ledger.signing.rotate()
    first, second = deployment.ledger.signing.list()
    assert (second, second.signed_by, second.created_at) == (new, first.id, "2025-06-16T00:00:00Z")
    assert second.signature is not None
    message = succession(decode_bytes(second.public_key))
    assert holds(decode_bytes(first.public_key), message, decode_bytes(second.signature))
    close(deployment, "2025-02")
    by = [info.signed_by for info in deployment.ledger.statements.list("acme")]
    assert by == [first.id, second.id]


def test_a_lost_key_is_replaced_without_its_signature(deployment: Deployment, keys: Path) -> None:
    close(deployment)
    (file,) = keys.iterdir()
    file.unlink()
    for attempt in (lambda: close(deployment, "2025-02"), deployment.ledger.signing.rotate):
        with pytest.raises(SigningKeyError, match="rotate --lost") as caught:
            attempt()
        assert caught.value.code == "signing_key_missing"
    assert len(deployment.ledger.signing.list()) == 1
    new = deployment.ledger.signing.rotate(lost=True)
    assert (new.signed_by, new.signature) == (None, None)
    close(deployment, "2025-02")
    assert deployment.ledger.statements.list("acme")[-1].signed_by == new.id


def test_there_is_nothing_to_renew_before_the_first_key(deployment: Deployment) -> None:
    with pytest.raises(Conflict) as caught:
        deployment.ledger.signing.rotate()
    assert caught.value.code == "no_signing_key"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_not_used(deployment: Deployment, keys: Path, mode: int) -> None:
    close(deployment)
    (file,) = keys.iterdir()
    file.chmod(mode)
    with pytest.raises(SigningKeyError, match=f"chmod 600 {file}") as caught:
        close(deployment, "2025-02")
    assert caught.value.code == "signing_key_exposed"
    file.chmod(0o400)
    close(deployment, "2025-02")


def test_a_folder_that_others_can_look_into_is_not_used(deployment: Deployment, keys: Path) -> None:
    keys.mkdir(mode=0o755)
    keys.chmod(0o755)
    with pytest.raises(SigningKeyError, match="chmod 700") as caught:
        close(deployment)
    assert caught.value.code == "signing_key_exposed"
    assert list(keys.iterdir()) == []
    assert deployment.count("signing_key") == 0


def other_key() -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lambda: b"", "holds no Ed25519"),
        (lambda: b"\x00\xff", "holds no Ed25519"),
        (other_key, "holds another private key"),
    ],
)
def test_a_file_that_is_not_the_key_is_not_used(
    deployment: Deployment, keys: Path, content: Callable[[], bytes], told: str
) -> None:
    close(deployment)
    (file,) = keys.iterdir()
    file.write_bytes(content())
    with pytest.raises(SigningKeyError, match=told):
        close(deployment, "2025-02")


def test_several_processes_make_one_key(deploy: Deploy, deployment: Deployment, keys: Path) -> None:
    others = [deploy(signing_folder=str(keys)) for _ in range(3)]
    with ThreadPoolExecutor(4) as threads:
        made = {signer.id for signer in threads.map(lambda each: each.ledger.signing.signer(), [deployment, *others])}
    assert len(made) == deployment.count("signing_key") == 1


def test_both_are_in_the_audit_log(deployment: Deployment) -> None:
    close(deployment)
    new = deployment.ledger.signing.rotate()
    first = deployment.ledger.signing.list()[0]
    acts = [(event.action, event.subject) for event in deployment.ledger.audit.list().events]
    assert ("signing.create", first.id) in acts
    assert acts[0] == ("signing.rotate", new.id)


def test_keys_lie_beside_a_file_of_sqlite_and_elsewhere_where_the_setting_says() -> None:
    assert folder_of(Settings(), "sqlite:////var/tally.db") == Path("/var/tally.db.keys")
    assert folder_of(Settings(signing_folder="/keys"), "sqlite:///t.db") == Path("/keys")
    assert folder_of(Settings(signing_folder="/keys"), "postgresql:///t") == Path("/keys")
    with pytest.raises(SigningKeyError, match="TALLYSTICK_SIGNING_FOLDER") as caught:
        folder_of(Settings(), "postgresql:///t")
    assert caught.value.code == "no_signing_folder"


def test_signatures_follow_rfc_8032() -> None:
    """The first test vector of section 7.1."""
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert holds(public, b"", signature)
    assert not holds(public, b"x", signature)
    assert not holds(public, b"", signature[:-1])
    assert not holds(public[:-1], b"", signature)
    assert not holds(bytes(32), b"", signature)
    Ed25519PublicKey.from_public_bytes(public)


@pytest.mark.parametrize("text", ["!", "é", "AA", "AAA=A"])
def test_what_is_not_base64_is_told(text: str) -> None:
    with pytest.raises(InvalidInput, match="base64"):
        decode_bytes(text)
