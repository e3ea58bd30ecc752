"""Sessions of the pages: they hold a token's authority, no longer than the token, the time or the visitor wants."""

from __future__ import annotations

import pytest

from tallystick.errors import Unauthenticated
from tallystick.ledger import Ledger
from tallystick.model.tokens import Scope
from tests.embedded import Deploy, Deployment

SOON = "2025-06-15T23:59:59Z"
TWELVE_HOURS_ON = "2025-06-16T00:00:00Z"


def holds(deployment: Deployment, secret: str, *, ledger: Ledger | None = None) -> bool:
    try:
        (ledger or deployment.ledger).sessions.resume(secret)
    except Unauthenticated as error:
        return error.code != "session_ended"
    return True


def begin(deployment: Deployment, scope: str = Scope.ADMIN) -> tuple[str, str]:
    """A session's secret, and the id of its token."""
    made = deployment.ledger.tokens.create(scope, expires_at="2025-06-15T20:00:00Z" if scope == "ingest" else None)
    return deployment.ledger.sessions.begin(made.token)[0], made.info.id


def test_a_session_has_the_authority_of_its_token(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("acme")
    made = deployment.ledger.tokens.create(Scope.USAGE, account="acme")
    secret, begun = deployment.ledger.sessions.begin(made.token)
    assert deployment.ledger.sessions.resume(secret) == begun
    assert begun.authority == (made.info.id, Scope.USAGE, "acme")


def test_another_process_knows_it_and_no_secret_is_stored(deployment: Deployment) -> None:
    secret, _ = begin(deployment)
    with Ledger(deployment.database, clock=lambda: deployment.now) as other:
        assert holds(deployment, secret, ledger=other)
    assert secret.encode() not in deployment.everything()


def test_it_ends_after_its_time(deployment: Deployment) -> None:
    secret, _ = begin(deployment)
    deployment.set_clock(SOON)
    assert holds(deployment, secret)
    deployment.set_clock(TWELVE_HOURS_ON)
    assert not holds(deployment, secret)


def test_its_time_is_a_setting(deploy: Deploy) -> None:
    deployment = deploy(session_hours=13)
    secret, _ = begin(deployment)
    deployment.set_clock(TWELVE_HOURS_ON)
    assert holds(deployment, secret)


def test_it_ends_with_its_token_revoked_expired_or_rotated(deployment: Deployment) -> None:
    revoked, revoked_id = begin(deployment)
    rotated, rotated_id = begin(deployment)
    expiring, _ = begin(deployment, "ingest")
    deployment.ledger.tokens.revoke(revoked_id)
    deployment.ledger.tokens.rotate(rotated_id)
    assert not holds(deployment, revoked)
    assert not holds(deployment, rotated)
    assert holds(deployment, expiring)
    deployment.set_clock("2025-06-15T20:00:00Z")
    assert not holds(deployment, expiring)


def test_it_ends_when_it_is_ended_and_others_go_on(deployment: Deployment) -> None:
    ended, _ = begin(deployment)
    other, _ = begin(deployment)
    deployment.ledger.sessions.end(ended)
    deployment.ledger.sessions.end(ended)
    assert not holds(deployment, ended)
    assert holds(deployment, other)
    acts = [event.action for event in deployment.ledger.audit.list().events]
    assert acts[:3] == ["session.end", "session.begin", "token.create"]


def test_sessions_that_have_run_out_leave_with_the_next_that_begins(deployment: Deployment) -> None:
    begin(deployment)
    begin(deployment)
    deployment.set_clock(TWELVE_HOURS_ON)
    begin(deployment)
    assert deployment.count("web_session") == 1


@pytest.mark.parametrize("secret", ["", "a", "0" * 64, "0" * 10_000, "\ud800", "ü", "\x00", "'; --"])
def test_what_is_no_secret_is_no_session(deployment: Deployment, secret: str) -> None:
    assert not holds(deployment, secret)


def test_a_token_that_does_not_hold_begins_no_session(deployment: Deployment) -> None:
    made = deployment.ledger.tokens.create(Scope.ADMIN)
    deployment.ledger.tokens.revoke(made.info.id)
    for token in (made.token, "tally_", ""):
        with pytest.raises(Unauthenticated):
            deployment.ledger.sessions.begin(token)
    assert deployment.count("web_session") == 0
