"""Access tokens: a secret is given once and stored nowhere, and holds exactly as long as it should."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from tallystick.errors import InvalidInput, NotFound, Unauthenticated
from tallystick.ledger import Authority, Ledger
from tallystick.model.accounts import NewToken
from tallystick.model.tokens import Scope, is_token, make_token
from tests.databases import run
from tests.embedded import NOW, Deployment

LATER = "2025-06-16T12:00:00Z"
A_DAY_LATER = datetime(2025, 6, 16, 12, tzinfo=UTC)
MUCH_LATER = "2026-06-15T12:00:00Z"


def create(deployment: Deployment, scope: str = "admin", **fields: Any) -> NewToken:
    if scope in ("usage", "manage"):
        fields.setdefault("account", "acme")
    return deployment.ledger.tokens.create(scope, **fields)


@pytest.fixture
def acme(deployment: Deployment) -> Deployment:
    deployment.ledger.accounts.create("acme")
    return deployment


def holds(deployment: Deployment, token: NewToken) -> bool:
    try:
        deployment.ledger.tokens.authenticate(token.token)
    except Unauthenticated:
        return False
    return True


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_tells_whose_it_is_and_what_it_may_do(acme: Deployment, scope: Scope) -> None:
    account = "acme" if scope in (Scope.USAGE, Scope.MANAGE) else None
    made = create(acme, scope, label="the importer")
    assert is_token(made.token)
    assert (made.info.scope, made.info.account, made.info.label) == (scope, account, "the importer")
    assert (made.info.created_at, made.info.expires_at, made.info.revoked_at) == (NOW, None, None)
    assert acme.ledger.tokens.authenticate(made.token) == Authority(made.info.id, scope, account)
    assert acme.ledger.tokens.list() == (made.info,)


def test_only_hashes_are_stored_and_no_secret_is_shown_again(acme: Deployment) -> None:
    secrets = [create(acme, scope).token for scope in Scope]
    rotated = acme.ledger.tokens.rotate(acme.ledger.tokens.list()[0].id)
    secrets.append(rotated.token)
    for secret in secrets:
        assert secret not in repr(acme.ledger.tokens.list())
        assert secret not in repr(rotated)
    stored = {hashed for (hashed,) in acme.rows("SELECT hash FROM access_token")}
    assert stored == {hashlib.sha256(secret.encode()).hexdigest() for secret in secrets}
    everything = acme.everything()
    for secret in secrets:
        for start in range(6, len(secret) - 10):
            assert secret[start : start + 10].encode() not in everything


def test_secrets_and_ids_come_from_the_given_randomness(database: str) -> None:
    with Ledger(database, random_bytes=lambda size: bytes(range(size))) as ledger:
        made = ledger.tokens.create("admin")
    assert made.token == make_token(bytes(range(32)))
    assert made.info.id == "tok_0001020304050607"


def test_every_token_is_another(acme: Deployment) -> None:
    made = [create(acme) for _ in range(20)]
    assert len({token.token for token in made}) == len({token.info.id for token in made}) == 20


def test_tokens_are_listed_oldest_first(acme: Deployment) -> None:
    ids = []
    for _ in range(5):
        acme.now += 1
        ids.append(create(acme).info.id)
    assert [info.id for info in acme.ledger.tokens.list()] == ids


@pytest.mark.parametrize("scope", ["", "ADMIN", "root", "admin "])
def test_a_scope_that_is_none_is_refused(acme: Deployment, scope: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        acme.ledger.tokens.create(scope)
    assert [field.parameter for field in caught.value.errors] == ["scope"]


@pytest.mark.parametrize(
    ("scope", "account"), [("usage", None), ("manage", None), ("admin", "acme"), ("ingest", "acme")]
)
def test_an_account_goes_with_the_scopes_that_read_one_and_no_other(
    acme: Deployment, scope: str, account: str | None
) -> None:
    with pytest.raises(InvalidInput) as caught:
        acme.ledger.tokens.create(scope, account=account)
    assert [field.parameter for field in caught.value.errors] == ["account"]
    assert acme.ledger.tokens.list() == ()


@pytest.mark.parametrize("label", [" x", "x" * 201, "a\nb", "\ud800"])
def test_a_label_that_is_none_is_refused(acme: Deployment, label: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        create(acme, label=label)
    assert [field.parameter for field in caught.value.errors] == ["label"]


def test_a_label_that_is_a_token_is_a_secret(acme: Deployment) -> None:
    secret = create(acme).token
    with pytest.raises(InvalidInput) as caught:
        create(acme, label=secret)
    assert caught.value.code == "secret"
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "expires_at", ["", "tomorrow", "2025-06-16", "2025-06-16T00:00:00", NOW, "2025-06-15T11:59:59Z"]
)
def test_an_expiry_that_is_none_or_past_is_refused(acme: Deployment, expires_at: str) -> None:
    made = create(acme)
    refusing: list[Callable[[], object]] = [
        lambda: create(acme, expires_at=expires_at),
        lambda: acme.ledger.tokens.rotate(made.info.id, expires_at=expires_at),
    ]
    for refuse in refusing:
        with pytest.raises(InvalidInput) as caught:
            refuse()
        assert [field.parameter for field in caught.value.errors] == ["expires_at"]
    assert acme.ledger.tokens.list() == (made.info,)


def test_a_token_holds_until_the_microsecond_before_it_expires(acme: Deployment) -> None:
    made, equal = create(acme, expires_at="2025-06-16T14:00:00+02:00"), create(acme, expires_at=A_DAY_LATER)
    assert made.info.expires_at == equal.info.expires_at == LATER
    acme.set_clock("2025-06-16T11:59:59.999999Z")
    assert holds(acme, made)
    acme.now += 1
    assert not holds(acme, made)


def test_a_revoked_token_ends_at_once_and_stays_ended(acme: Deployment) -> None:
    made, other = create(acme), create(acme)
    assert acme.ledger.tokens.revoke(made.info.id).revoked_at == NOW
    assert (holds(acme, made), holds(acme, other)) == (False, True)
    acme.set_clock(LATER)
    assert acme.ledger.tokens.revoke(made.info.id).revoked_at == NOW
    acme.set_clock("2020-01-01T00:00:00Z")
    assert not holds(acme, made)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "tally_",
        "x",
        make_token(bytes(32)),
        make_token(bytes(32))[:-1] + "!",
        " " + make_token(bytes(32)),
        "tally_" + "é" * 49,
        "\0",
        "\ud800",
        "x" * 100_000,
    ],
)
def test_what_is_no_token_or_none_of_ours_authenticates_nobody(acme: Deployment, token: str) -> None:
    create(acme)
    with pytest.raises(Unauthenticated) as caught:
        acme.ledger.tokens.authenticate(token)
    assert caught.value.code == "unauthenticated"
    assert token.strip() == "" or len(token) < 7 or token not in caught.value.detail


def test_the_same_is_said_of_unknown_expired_and_revoked_tokens(acme: Deployment) -> None:
    expired, revoked = create(acme, expires_at=LATER), create(acme)
    acme.ledger.tokens.revoke(revoked.info.id)
    acme.set_clock(MUCH_LATER)
    said = set()
    for token in (expired.token, revoked.token, make_token(bytes(32))):
        with pytest.raises(Unauthenticated) as caught:
            acme.ledger.tokens.authenticate(token)
        said.add(caught.value.detail)
    assert len(said) == 1


@pytest.mark.parametrize("token_id", ["", "tok_0", "a\0b", "\ud800"])
def test_a_token_that_does_not_exist_is_not_found(acme: Deployment, token_id: str) -> None:
    for call in (acme.ledger.tokens.revoke, acme.ledger.tokens.rotate):
        with pytest.raises(NotFound) as caught:
            call(token_id)
        assert caught.value.code == "unknown_token"


# Rotation


def test_a_rotated_token_gives_way_at_once_and_the_new_one_is_like_it(acme: Deployment) -> None:
    old = create(acme, "usage", label="dashboard")
    new = acme.ledger.tokens.rotate(old.info.id)
    assert (new.info.scope, new.info.account, new.info.label) == ("usage", "acme", "dashboard")
    assert new.token != old.token
    assert (holds(acme, old), holds(acme, new)) == (False, True)


def test_both_hold_for_the_overlap_and_then_only_the_new_one(acme: Deployment) -> None:
    old = create(acme)
    new = acme.ledger.tokens.rotate(old.info.id, overlap_seconds=3600, expires_at=MUCH_LATER)
    assert new.info.expires_at == MUCH_LATER
    acme.set_clock("2025-06-15T12:59:59.999999Z")
    assert (holds(acme, old), holds(acme, new)) == (True, True)
    acme.set_clock("2025-06-15T13:00:00Z")
    assert (holds(acme, old), holds(acme, new)) == (False, True)


def test_an_overlap_never_prolongs_a_token(acme: Deployment) -> None:
    old = create(acme, expires_at="2025-06-15T12:10:00Z")
    acme.ledger.tokens.rotate(old.info.id, overlap_seconds=3600)
    acme.set_clock("2025-06-15T12:10:00Z")
    assert not holds(acme, old)


@pytest.mark.parametrize("seconds", [-1, 366 * 24 * 3600 + 1, 10**30])
def test_an_overlap_out_of_bounds_is_refused_and_changes_nothing(acme: Deployment, seconds: int) -> None:
    old = create(acme)
    with pytest.raises(InvalidInput) as caught:
        acme.ledger.tokens.rotate(old.info.id, overlap_seconds=seconds)
    assert [field.parameter for field in caught.value.errors] == ["overlap_seconds"]
    assert acme.ledger.tokens.list() == (old.info,)


def test_a_token_that_has_ended_is_not_rotated_back_to_life(acme: Deployment) -> None:
    revoked, expired, rotated = create(acme), create(acme, expires_at=LATER), create(acme)
    acme.ledger.tokens.revoke(revoked.info.id)
    acme.ledger.tokens.rotate(rotated.info.id)
    acme.set_clock(LATER)
    number = acme.count("access_token")
    for ended in (revoked, expired, rotated):
        with pytest.raises(InvalidInput, match="has ended"):
            acme.ledger.tokens.rotate(ended.info.id)
    assert acme.count("access_token") == number


def test_a_rotation_that_fails_leaves_the_old_token_as_it_was(
    acme: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever rotates his only token must not be locked out."""
    old = create(acme)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("half way")

    with monkeypatch.context() as patched:
        patched.setattr("tallystick.store.tokens.add_token", fail)
        with pytest.raises(RuntimeError, match="half way"):
            acme.ledger.tokens.rotate(old.info.id)
    assert holds(acme, old)
    assert acme.ledger.tokens.list() == (old.info,)


def test_a_token_rotated_by_several_at_once_has_one_successor(acme: Deployment) -> None:
    start = threading.Barrier(4)

    def rotate(token_id: str) -> int:
        start.wait()
        try:
            acme.ledger.tokens.rotate(token_id)
        except InvalidInput:
            return 0
        return 1

    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            assert sum(pool.map(rotate, [create(acme).info.id] * 4)) == 1
    assert run(acme.database, "SELECT COUNT(*) FROM access_token") == [(20,)]
