"""What a job must satisfy by itself, and that nothing of a secret comes through in what is said or kept of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tallystick.ingest.bodies import BodyForm, WireJob, read_body, read_jobs
from tallystick.ingest.checks import Refusal, check, refuse, shown
from tallystick.model.instants import parse_instant
from tallystick.model.tokens import STRUCK_OUT, make_token
from tests.embedded import Document, job

TOKEN = make_token(bytes(range(32)))
SECRET = TOKEN.removeprefix("tally_")

PIECES = [SECRET[start : start + 12] for start in range(len(SECRET) - 12)]
"""Whoever has seen one of these has seen a part of the token that nobody guesses."""


def refused(*jobs: Document) -> list[Refusal]:
    sound, refusals = check(read_jobs(jobs))
    assert not sound
    return refusals


def refusal_of(**fields: Any) -> Refusal:
    (refusal,) = refused(job(**fields))
    return refusal


def test_sound_jobs_and_refusals_come_in_the_order_of_the_request() -> None:
    sound, refusals = check(read_jobs([job(1), job(""), job(2), job(3, completed_at="yesterday"), job(4)]))
    assert [(candidate.number, candidate.job.id) for candidate in sound] == [
        (0, "job_000001"),
        (2, "job_000002"),
        (4, "job_000004"),
    ]
    assert [refusal.rejection.index for refusal in refusals] == [1, 3]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2025-06-01T10:00:00Z", "2025-06-01T10:00:00Z"),
        ("2025-06-01t10:00:00z", "2025-06-01T10:00:00Z"),
        ("2025-06-01 12:00:00+02:00", "2025-06-01T10:00:00Z"),
        ("2025-06-01T10:00:00.9999999999Z", "2025-06-01T10:00:00.999999Z"),
        ("2025-06-01T10:00:00-00:00", "2025-06-01T10:00:00Z"),
    ],
)
def test_the_instant_is_read_with_its_offset_and_cut_to_the_microsecond(text: str, instant: str) -> None:
    (candidate,), _ = check(read_jobs([job(completed_at=text)]))
    assert candidate.completed_at == parse_instant(instant)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2025-06-01",
        "2025-06-01T10:00:00",
        "2025-06-01T10:00Z",
        "2025-13-01T10:00:00Z",
        "2025-02-29T10:00:00Z",
        "2025-06-01T24:00:00Z",
        "2025-06-01T23:59:60Z",
        "2025-06-01T10:00:00+25:00",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00Z",
        "12025-06-01T10:00:00Z",
        "２０２５-06-01T10:00:00Z",
        "1748772000",
        " 2025-06-01T10:00:00Z",
        "2025-W23-1T10:00:00Z",
        "\ud8002025-06-01T10:00:00Z",
    ],
)
def test_a_time_that_is_none_is_invalid_and_its_field_is_named(text: str) -> None:
    refusal = refusal_of(completed_at=text)
    assert refusal.rejection.code == "invalid"
    assert refusal.rejection.detail.startswith("completed_at ")
    assert refusal.rejection.id == "job_000001"
    refusal.text.encode()


@pytest.mark.parametrize("field", ["id", "account", "api_key"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must not be empty"),
        ("x" * 256, "must have at most 2"),
        ("tab\there", "must not contain control characters"),
        ("nul\0", "must not contain control characters"),
        ("delete\x7f", "must not contain control characters"),
        ("next line\x85", "must not contain control characters"),
        ("\ud800", "holds a lone surrogate, which is not text"),
    ],
)
def test_text_that_is_no_id_or_name_is_invalid_and_its_field_is_named(field: str, text: str, reason: str) -> None:
    refusal = refusal_of(**{field: text})
    assert refusal.rejection.code == "invalid"
    assert refusal.rejection.detail.startswith(f"{field} {reason}")
    assert refusal.rejection.id == (None if field == "id" else "job_000001")
    assert json.loads(refusal.text)[field] == text
    refusal.text.encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [(" acme", "space"), ("acme ", "space"), ("\u3000acme", "space"), ("cafe\u0301", "normal form C")],
)
def test_names_have_one_form_and_ids_any(text: str, reason: str) -> None:
    for field in ("account", "api_key"):
        assert reason in refusal_of(**{field: text}).rejection.detail
    (candidate,), _ = check(read_jobs([job(text)]))
    assert candidate.job.id == text


@pytest.mark.parametrize("job_id", ["x", "x" * 255, "é" * 127, "😀" * 63, "日本", "a b", "'; --", "%s", "?", "{}"])
def test_ids_of_every_script_have_up_to_255_bytes(job_id: str) -> None:
    (candidate,), _ = check(read_jobs([job(job_id)]))
    assert candidate.job.id == job_id
    longer = job_id + "é" * ((256 - len(job_id.encode()) + 1) // 2)
    ((refusal,)) = refused(job(longer))
    assert refusal.rejection.detail == "id must have at most 255 bytes in UTF-8"


# Secrets


@pytest.mark.parametrize("field", ["id", "account", "api_key"])
@pytest.mark.parametrize("form", ["{}", "key {}", "{}.", "x{}x", "https://host/?token={}"])
def test_a_token_in_an_id_or_name_is_a_secret(field: str, form: str) -> None:
    refusal = refusal_of(**{field: form.format(TOKEN)})
    assert refusal.rejection.code == "secret"
    assert refusal.rejection.detail.startswith(f"{field} has the form of a Tallystick token")
    assert STRUCK_OUT in refusal.text
    assert refusal.rejection.id == (None if field == "id" else "job_000001")


def test_what_has_a_tokens_form_is_a_secret_though_its_checksum_is_wrong() -> None:
    """Someone may have mistyped it; the most of it is a secret all the same."""
    wrong = TOKEN[:-1] + ("0" if TOKEN[-1] != "0" else "1")
    assert refusal_of(account=wrong).rejection.code == "secret"


def test_what_only_begins_like_a_token_is_a_name() -> None:
    sound, refusals = check(read_jobs([job("tally_1", account="tally_ho", api_key=TOKEN[:-1])]))
    assert (len(sound), refusals) == (1, [])


LEAKS: list[Any] = [
    job(id=TOKEN),
    job(account=TOKEN),
    job(api_key=f"x{TOKEN}"),
    job(completed_at=TOKEN),
    job(completed_at="x" * 60 + TOKEN),
    job(tokens={TOKEN: -1}),
    job(tokens={"x" * 20 + TOKEN: "x"}),
    job(tokens={TOKEN: 5}, account=5),
    job(tokens=TOKEN),
    job(**{TOKEN: 1}),
    job(**{"x" * 280 + TOKEN: 1}),
    job(sandbox=TOKEN),
    job(extra={"deep": [TOKEN]}),
    {"id": TOKEN},
    {TOKEN: TOKEN},
    TOKEN,
    [TOKEN],
    [[TOKEN, TOKEN]],
]


def spell_out(text: str) -> str:
    """JSON in which each letter of a token has its long form."""
    spelled = "".join(f"\\u{ord(letter):04x}" for letter in TOKEN)
    return text.replace(TOKEN, spelled)


def in_capitals(text: str) -> str:
    spelled = "".join(f"\\u{ord(letter):04X}" for letter in TOKEN)
    return text.replace(TOKEN, spelled)


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: json.dumps(leak)[:60])
@pytest.mark.parametrize("spelling", [str, spell_out, in_capitals])
@pytest.mark.parametrize("form", list(BodyForm))
def test_no_piece_of_a_token_is_said_or_kept_of_a_refused_item(leak: Any, spelling: Any, form: BodyForm) -> None:
    sent = spelling(json.dumps(leak))
    body = f"[{sent}]" if form is BodyForm.JSON else f"{sent}\n"
    sound, (refusal,) = check(read_body(body.encode(), form, max_jobs=10))
    assert not sound
    for text in (refusal.text, refusal.rejection.detail, str(refusal.rejection.id)):
        assert all(piece not in text for piece in PIECES)
        assert spell_out(SECRET[:8]) not in text


@pytest.mark.parametrize("line", ["{TOKEN}", '{"id": "{TOKEN}"', '{"id": "{TOKEN}\0"}', "\\u0074ally_{SECRET}"])
def test_no_piece_of_a_token_is_kept_of_a_line_that_is_not_json(line: str) -> None:
    sent = line.replace("{TOKEN}", TOKEN).replace("{SECRET}", SECRET)
    for body in (sent.encode(), sent.encode() + b" \xff"):
        _, (refusal,) = check(read_body(body, BodyForm.LINES, max_jobs=10))
        assert STRUCK_OUT in refusal.text
        assert all(piece not in refusal.text + refusal.rejection.detail for piece in PIECES)


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: json.dumps(leak)[:60])
def test_no_piece_of_a_token_is_said_or_kept_of_an_object(leak: Any) -> None:
    (refusal,) = refused(leak)
    for text in (refusal.text, refusal.rejection.detail, str(refusal.rejection.id)):
        assert all(piece not in text for piece in PIECES)


def test_a_token_at_the_place_where_a_kept_text_is_cut_is_struck_out() -> None:
    for before in range(2**20 - 80, 2**20, 5):
        (refusal,) = refused(job(extra="x" * before + TOKEN))
        assert all(piece not in refusal.text for piece in PIECES)


@pytest.mark.parametrize("before", range(0, 90, 3))
def test_a_token_at_the_place_where_a_shown_text_is_cut_is_struck_out(before: int) -> None:
    text = shown("x" * before + TOKEN + "y" * 100)
    assert all(piece not in text for piece in PIECES)


# What is said and kept


def test_text_from_outside_is_shown_quoted_cut_and_harmless() -> None:
    assert shown("first key") == '"first key"'
    assert shown('"') == r'"\""'
    assert shown("日本") == '"日本"'
    assert shown("bell\a\x1b[31m") == r'"bell\u0007\u001b[31m"'
    assert shown("\u202egnp") == r'"\u202egnp"'
    assert shown("\ud800") == r'"\ud800"'
    assert shown("x" * 200) == '"' + "x" * 80 + '…"'


def test_a_reason_is_short_whatever_is_sent() -> None:
    for wrong in (job(**{"x" * 100_000: 1}), job(tokens={"x" * 100_000: -1})):
        (refusal,) = refused(wrong)
        assert len(refusal.rejection.detail) <= 300


def test_a_refused_job_is_kept_as_json_of_one_line_that_reads_the_same_again() -> None:
    wire = WireJob("a\n", "acmé", "k", "2025-06-01T10:00:00Z", {"transcription": 5})
    refusal = refuse(3, wire, "invalid", "because")
    assert "\n" not in refusal.text
    assert json.loads(refusal.text) == {
        "id": "a\n",
        "account": "acmé",
        "api_key": "k",
        "completed_at": "2025-06-01T10:00:00Z",
        "tokens": {"transcription": 5},
    }
    sandbox = refuse(3, WireJob("a", "b", "c", "d", {}, True), "invalid", "because")
    assert json.loads(sandbox.text)["sandbox"] is True


def test_a_nul_is_kept_as_another_character_that_no_json_has_either() -> None:
    """PostgreSQL cannot keep a NUL, and what is kept must not be read as a job that nobody sent."""
    sent = json.dumps(job()).replace("job_000001", "job\0")
    for body in (sent, sent.replace("job", "job\\")):
        _, (refusal,) = check(read_body(body.encode(), BodyForm.LINES, max_jobs=1))
        assert "\0" not in refusal.text
        sound, _ = check(read_body(refusal.text.encode(), BodyForm.LINES, max_jobs=1))
        assert not sound


def test_bytes_that_are_no_text_are_kept_in_a_form_that_is_never_read_as_a_job() -> None:
    for sent in (b"job_\xff", b"job_\\\xff"):
        body = json.dumps(job()).encode().replace(b"job_000001", sent)
        _, (refusal,) = check(read_body(body, BodyForm.LINES, max_jobs=1))
        sound, _ = check(read_body(refusal.text.encode(), BodyForm.LINES, max_jobs=1))
        assert not sound


def test_a_refusal_repeated_has_the_same_digest_and_another_code_or_text_another() -> None:
    first, again = (refusal_of(completed_at="never") for _ in range(2))
    assert first.digest == again.digest
    assert refusal_of(completed_at="NEVER").digest != first.digest
    assert Refusal(first.rejection, first.text + " ").digest != first.digest
    wire = WireJob("a", "b", "c", "d", {})
    assert refuse(0, wire, "invalid", "x").digest != refuse(0, wire, "conflict", "x").digest
    assert refuse(0, wire, "invalid", "x").digest == refuse(9, wire, "invalid", "y").digest
