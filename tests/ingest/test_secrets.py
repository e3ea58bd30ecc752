"""Nothing of any token is in the database, in an answer or in a log, whatever was sent where."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from tallystick.errors import TallystickError
from tallystick.ingest import BodyForm
from tests.embedded import Deployment, Document, job


def pieces(token: str) -> list[str]:
    """Every run of ten characters of the secret part."""
    return [token[start : start + 10] for start in range(len("tally_"), len(token) - 9)]


def leaking_jobs(token: str) -> list[Any]:
    """A token in every place of a job where text can stand, alone and within other text."""
    return [
        *(job("1", **{field: text}) for field in ("account", "api_key", "completed_at") for text in around(token)),
        *(job(text) for text in around(token)),
        *(job("2", tokens={text: 5}) for text in around(token)),
        *(job("3", tokens={text: -5}) for text in around(token)),
        *(job("4", tokens={"transcription": text}) for text in around(token)),
        *(job("5", **{text: 1}) for text in around(token)),
        job("6", sandbox=token),
        job("7", more=[{"deep": token}]),
        {"token": token},
        [token],
        token,
    ]


def around(token: str) -> list[str]:
    return [token, f"Bearer {token}", "x" * 30 + token, "x" * 70 + token + "y" * 70]


def spelled(text: str, token: str) -> str:
    return text.replace(token, "".join(f"\\u{ord(letter):04x}" for letter in token))


def answer_of(call: Callable[[], object]) -> str:
    try:
        return repr(call())
    except TallystickError as error:
        return f"{error!r} {error} {getattr(error, 'errors', '')}"


def test_no_piece_of_a_token_is_stored_answered_or_logged(
    deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ledger = deployment.ledger
    ledger.accounts.create("acme")
    token = ledger.tokens.create("admin").token
    ledger.tokens.authenticate(token)
    jobs = leaking_jobs(token)
    calls: list[Callable[[], object]] = [
        lambda: ledger.record(jobs),
        lambda: ledger.record_body(json.dumps(jobs).encode()),
        lambda: ledger.record_body(spelled(json.dumps(jobs), token).encode()),
        lambda: ledger.record_body("\n".join(map(json.dumps, jobs)).encode(), BodyForm.LINES),
        lambda: ledger.record_body(spelled("\n".join(map(json.dumps, jobs)), token).encode(), BodyForm.LINES),
        lambda: ledger.record_body(f"{token}\n{{{token}\n\xff {token}".encode("latin-1"), BodyForm.LINES),
        lambda: ledger.record_body(f'{{"id": {token}}}'.encode()),
        lambda: ledger.accounts.create(token),
        lambda: ledger.accounts.create_key("acme", token),
        lambda: ledger.accounts.get(token),
        lambda: ledger.accounts.list(cursor=token),
        lambda: ledger.accounts.create("other", plan=token),
        lambda: ledger.accounts.create("other", time_zone=token),
        lambda: ledger.tokens.create("admin", label=token),
        lambda: ledger.tokens.create(token),
        lambda: ledger.tokens.revoke(token),
        lambda: ledger.tokens.authenticate(token[:-1] + "x"),
        lambda: ledger.plans.get(token),
        lambda: ledger.usage(token),
        lambda: ledger.usage("acme", token),
        lambda: ledger.daily("acme", token),
        lambda: ledger.jobs("acme", cursor=token),
        lambda: ledger.quarantine.list(cursor=token),
        ledger.quarantine.replay,
        lambda: ledger.quarantine.list(limit=1000),
        ledger.tokens.list,
    ]
    answers = [answer_of(call) for call in calls]
    stored = deployment.everything()
    assert ledger.quarantine.list().total > len(jobs)
    for piece in pieces(token):
        assert piece.encode() not in stored
        assert all(piece not in answer for answer in answers)
        assert piece not in caplog.text
    assert spelled(token, token)[:60].encode() not in stored


def test_the_item_is_kept_with_the_secret_struck_out_and_all_else_as_it_was(deployment: Deployment) -> None:
    token = deployment.ledger.tokens.create("ingest").token
    sent: Document = job("the id", account=f"acme {token}!")
    (rejection,) = deployment.ledger.record([sent]).rejected
    assert (rejection.code, rejection.id) == ("secret", "the id")
    (item,) = deployment.ledger.quarantine.list().items
    assert json.loads(item.item) == {**sent, "account": "acme tally_…!"}
