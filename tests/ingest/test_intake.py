"""What becomes of each job: stored once, a duplicate, or refused for a reason; and what is stored with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tallystick.ingest import BodyForm
from tallystick.model.instants import format_instant, parse_instant
from tallystick.model.jobs import IngestResult
from tallystick.model.tokens import make_token
from tests.embedded import Deploy, Deployment, Document, codes, job, plan

TOKEN = make_token(bytes(range(32)))

STORED = ("account", "account_state", "api_key", "job", "usage_day", "usage_month", "boundary", "boundary_usage")


def take(deployment: Deployment, *jobs: Any) -> IngestResult:
    return deployment.ledger.record(jobs)


def outcome(result: IngestResult) -> tuple[int, int, list[str]]:
    """Accepted, duplicates, and the codes of the rejections."""
    return result.accepted, result.duplicates, [code for _, _, code in codes(result)]


def jobs_of(deployment: Deployment, account: str = "acme") -> list[tuple[Any, ...]]:
    return deployment.rows(
        "SELECT job.id, api_key.name, job.state, job.tokens_transcription, job.tokens_note_generation FROM job"
        " JOIN account ON account.id = job.account_id"
        " JOIN api_key ON api_key.account_id = job.account_id AND api_key.id = job.key_id"
        " WHERE account.name = ? ORDER BY job.state, job.booked_at, job.id",
        account,
    )


# Acceptance and registration


def test_a_new_job_registers_its_account_and_key_and_is_in_the_report(deploy: Deploy) -> None:
    deployment = deploy(default_time_zone="Asia/Kolkata")
    assert outcome(take(deployment, job())) == (1, 0, [])
    account = deployment.ledger.accounts.get("acme")
    assert (account.time_zone, account.plan, account.currency) == ("Asia/Kolkata", "standard", "USD")
    assert [(key.name, key.kind, key.revoked_at) for key in deployment.ledger.accounts.keys("acme")] == [
        ("first key", "live", None)
    ]
    totals = deployment.ledger.usage("acme").totals
    assert (totals.jobs, totals.transcription_tokens, totals.note_tokens) == (1, 5, 10)
    assert jobs_of(deployment) == [("job_000001", "first key", 0, 5, 10)]


def test_nothing_sent_is_nothing_done(deployment: Deployment) -> None:
    before = deployment.contents()
    for body, form in ((b"[]", BodyForm.JSON), (b"", BodyForm.LINES), (b"\n\n", BodyForm.LINES)):
        assert outcome(deployment.ledger.record_body(body, form)) == (0, 0, [])
    assert outcome(take(deployment)) == (0, 0, [])
    assert deployment.contents() == before


def test_every_form_stores_the_same(deployment: Deployment) -> None:
    ledger = deployment.ledger
    one = json.dumps(job(account="one")).encode()
    array = json.dumps([job(number, account="array") for number in range(3)]).encode()
    lines = b"\n".join(json.dumps(job(number, account="lines")).encode() for number in range(3))
    assert outcome(ledger.record_body(one)) == (1, 0, [])
    assert outcome(ledger.record_body(array)) == (3, 0, [])
    assert outcome(ledger.record_body(lines, BodyForm.LINES)) == (3, 0, [])
    assert ledger.usage("array").to_dict() == ledger.usage("lines").to_dict()
    assert ledger.usage("one").totals.jobs == 1


def test_more_jobs_than_one_transaction_takes_keep_their_numbers(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.ledger.MOST_AT_ONCE", 4)
    result = take(deployment, *(job(number) if number % 5 else job("") for number in range(11)))
    assert (result.accepted, codes(result)) == (8, [(0, None, "invalid"), (5, None, "invalid"), (10, None, "invalid")])
    assert deployment.ledger.usage("acme").totals.jobs == 8


# Rejections: each code, and that a refused job leaves nothing but itself in the quarantine


REFUSED: list[tuple[Document, str, str]] = [
    (job(tokens={"transcription": -1}), "invalid", "tokens.transcription: Expected `int` >= 0"),
    (job(""), "invalid", "id must not be empty"),
    (job(completed_at="2025-06-01"), "invalid", "completed_at is not a time"),
    (job(account=TOKEN), "secret", "account has the form of a Tallystick token"),
    (job(tokens={"video": 1}), "unknown_meter", "tokens.video is not a meter here; known are transcription, note_gene"),
    (job(tokens={"transcription": 1, "video": 0}), "unknown_meter", "tokens.video is not a meter here"),
    (job(completed_at="2025-06-15T12:05:00.000001Z"), "future", "completed_at lies more than 300 seconds ahead"),
    (job(completed_at="9999-12-31T23:59:59.999999Z"), "future", "completed_at lies more than 300 seconds ahead"),
]


@pytest.mark.parametrize(("wrong", "code", "detail"), REFUSED, ids=[f"{code}-{detail}" for _, code, detail in REFUSED])
def test_a_refused_job_registers_and_stores_nothing(
    deployment: Deployment, wrong: Document, code: str, detail: str
) -> None:
    before = deployment.contents(*STORED)
    result = take(deployment, wrong)
    assert outcome(result) == (0, 0, [code])
    assert result.rejected[0].detail.startswith(detail)
    assert deployment.contents(*STORED) == before
    (item,) = deployment.ledger.quarantine.list().items
    assert (item.code, item.detail, item.times) == (code, result.rejected[0].detail, 1)


@pytest.mark.parametrize(("wrong", "code", "detail"), REFUSED, ids=[f"{code}-{detail}" for _, code, detail in REFUSED])
def test_a_refused_job_keeps_no_good_one_back(deployment: Deployment, wrong: Document, code: str, detail: str) -> None:
    result = take(deployment, job("first"), wrong, job("last"))
    assert (result.accepted, [(index, refused) for index, _, refused in codes(result)]) == (2, [(1, code)])
    assert [row[0] for row in jobs_of(deployment)] == ["first", "last"]


def test_a_mixed_batch_gives_each_item_what_it_deserves_and_counts_all(deployment: Deployment) -> None:
    take(deployment, job("old"), job("taken"))
    body = b"\n".join(
        [
            json.dumps(job("new")).encode(),
            b"",
            b'{"broken',
            json.dumps(job("old")).encode(),
            json.dumps(job("taken", tokens={})).encode(),
            json.dumps(job("later", completed_at="2026-01-01T00:00:00Z")).encode(),
            json.dumps(job("secret", api_key=TOKEN)).encode(),
            json.dumps(job("kind", sandbox=True)).encode(),
            json.dumps(job("meter", tokens={"video": 1})).encode(),
            b"\xff\xfe",
            json.dumps(job("lone")).replace("first key", "\\ud800").encode(),
            json.dumps(job("last", account="other")).encode(),
        ]
    )
    result = deployment.ledger.record_body(body, BodyForm.LINES)
    assert (result.accepted, result.duplicates) == (2, 1)
    assert codes(result) == [
        (2, None, "invalid"),
        (4, "taken", "conflict"),
        (5, "later", "future"),
        (6, "secret", "secret"),
        (7, "kind", "key_kind"),
        (8, "meter", "unknown_meter"),
        (9, None, "invalid"),
        (10, "lone", "invalid"),
    ]
    assert [row[0] for row in jobs_of(deployment)] == ["new", "old", "taken"]
    assert [row[0] for row in jobs_of(deployment, "other")] == ["last"]
    assert deployment.ledger.quarantine.list().total == 8
    assert deployment.ledger.usage("acme").totals.jobs == 3


def test_a_meter_whose_name_is_a_token_is_refused_and_the_token_neither_said_nor_kept(deployment: Deployment) -> None:
    result = take(deployment, job(tokens={TOKEN: 5}), job(2, tokens={"x" * 50 + TOKEN: 5}))
    assert outcome(result) == (0, 0, ["secret", "secret"])
    assert all(TOKEN[6:18] not in rejection.detail for rejection in result.rejected)
    assert TOKEN[6:18].encode() not in deployment.everything()


# Conflicts and duplicates (design rule 11)


def test_the_same_job_again_is_a_duplicate_and_changes_nothing(deployment: Deployment) -> None:
    take(deployment, job(1), job(2))
    before = deployment.contents()
    deployment.set_clock("2025-06-16T00:00:00Z")
    assert outcome(take(deployment, job(2), job(1))) == (0, 2, [])
    assert deployment.contents() == before


EQUAL = [
    job(completed_at="2025-06-01T15:30:00+05:30"),
    job(completed_at="2025-06-01T10:00:00.000000999Z"),
    job(completed_at="2025-06-01t10:00:00z"),
    job(tokens={"note_generation": 10, "transcription": 5}),
    job(sandbox=False),
]


@pytest.mark.parametrize("equal", EQUAL)
@pytest.mark.parametrize("at_once", [True, False])
def test_what_means_the_same_is_a_duplicate(deployment: Deployment, equal: Document, at_once: bool) -> None:
    if at_once:
        assert outcome(take(deployment, job(), equal)) == (1, 1, [])
    else:
        assert outcome(take(deployment, job())) == (1, 0, [])
        assert outcome(take(deployment, equal)) == (0, 1, [])
    assert jobs_of(deployment) == [("job_000001", "first key", 0, 5, 10)]


def test_an_absent_meter_equals_zero(deployment: Deployment) -> None:
    nothing: list[Document] = [
        {},
        {"transcription": 0},
        {"note_generation": 0},
        {"transcription": 0, "note_generation": 0},
    ]
    for number, tokens in enumerate(nothing):
        assert take(deployment, job(number, tokens=tokens)).accepted == 1
        for others in nothing:
            assert outcome(take(deployment, job(number, tokens=others))) == (0, 1, [])


def test_a_meter_added_later_counts_zero_for_a_job_that_came_before_it(deployment: Deployment) -> None:
    take(deployment, job())
    deployment.ledger.plans.put(plan("video", meters=[{"id": "video", "price": "1"}]))
    assert outcome(take(deployment, job())) == (0, 1, [])
    assert outcome(take(deployment, job(tokens={**job()["tokens"], "video": 0}))) == (0, 1, [])
    assert outcome(take(deployment, job(tokens={**job()["tokens"], "video": 1}))) == (0, 0, ["conflict"])


DIFFERENT: list[tuple[Document, str]] = [
    (job(completed_at="2025-06-01T10:00:00.000001Z"), "completed_at differs"),
    (job(completed_at="2025-06-01T10:00:00+00:01"), "completed_at differs"),
    (job(tokens={"transcription": 5}), "tokens differ"),
    (job(tokens={"transcription": 6, "note_generation": 10}), "tokens differ"),
    (job(api_key="another key"), "api_key differs"),
    (job(api_key="known key"), "api_key differs"),
    (job(api_key="known key", tokens={}, completed_at="2025-06-02T00:00:00Z"), "api_key and completed_at and tokens"),
]


@pytest.mark.parametrize(("other", "detail"), DIFFERENT, ids=[f"{index}-{d}" for index, (_, d) in enumerate(DIFFERENT)])
@pytest.mark.parametrize("at_once", [True, False])
def test_another_job_with_the_same_id_is_a_conflict_and_changes_nothing(
    deployment: Deployment, other: Document, detail: str, at_once: bool
) -> None:
    take(deployment, job("one", api_key="known key"))
    if at_once:
        result = take(deployment, job(), other, job())
        assert outcome(result) == (1, 1, ["conflict"])
        assert codes(result) == [(1, "job_000001", "conflict")]
    else:
        take(deployment, job())
        before = deployment.contents(*STORED)
        result = take(deployment, other)
        assert outcome(result) == (0, 0, ["conflict"])
        assert deployment.contents(*STORED) == before
    assert result.rejected[0].detail.startswith("another job with this id is stored; " + detail)
    assert deployment.ledger.usage("acme").totals.jobs == 2
    assert [key.name for key in deployment.ledger.accounts.keys("acme")] == ["first key", "known key"]


def test_of_several_jobs_with_one_id_the_first_that_may_be_stored_counts(deployment: Deployment) -> None:
    result = take(
        deployment,
        job(tokens={"video": 1}),
        job(completed_at="2026-01-01T00:00:00Z"),
        job(tokens={"transcription": 1}),
        job(tokens={"transcription": 2}),
        job(tokens={"transcription": 1}),
    )
    assert outcome(result) == (1, 1, ["unknown_meter", "future", "conflict"])
    assert jobs_of(deployment) == [("job_000001", "first key", 0, 1, 0)]


def test_the_same_id_in_another_account_is_another_job(deployment: Deployment) -> None:
    assert outcome(take(deployment, job(), job(account="other"), job(account="third"))) == (3, 0, [])


def test_ids_differ_by_each_byte_and_are_never_folded(deployment: Deployment) -> None:
    ids = [
        "a",
        "A",
        "ä",
        "a\u0308",
        "Ä",
        "ss",
        "ß",
        "1",
        "01",
        "1.0",
        " ",
        "  ",
        "%",
        "_",
        "null",
        "job'--",
        "日",
        "😀",
    ]
    assert take(deployment, *(job(name) for name in ids)).accepted == len(ids)
    assert take(deployment, *(job(name) for name in ids)).duplicates == len(ids)
    stored = [row[0] for row in jobs_of(deployment)]
    if deployment.is_sqlite:
        assert stored == sorted(ids, key=str.encode)
    assert sorted(stored) == sorted(ids)
    ranked = [entry.id for entry in deployment.ledger.jobs("acme").jobs]
    assert ranked == sorted(ids, key=str.encode)


def test_names_are_as_exact_as_ids(deployment: Deployment) -> None:
    names = ["acme", "ACME", "äcme", "acme2", "%", "日本", "a/b", "a?b#c"]
    assert take(deployment, *(job(account=name, api_key=key) for name in names for key in names[:1])).accepted == len(
        names
    )
    assert take(deployment, *(job(name, account="acme", api_key=name) for name in names)).accepted == len(names)
    assert [account.name for account in deployment.ledger.accounts.list().accounts] == sorted(names, key=str.encode)
    assert [key.name for key in deployment.ledger.accounts.keys("acme")] == sorted(names, key=str.encode)


def test_a_batch_of_repeats_and_new_jobs_counts_each_once(deployment: Deployment) -> None:
    """The quick way, where nothing is known, and the other give the same."""
    take(deployment, *(job(number) for number in range(0, 1000, 2)))
    result = take(deployment, *(job(number) for number in range(1000)), *(job(number) for number in range(1000)))
    assert outcome(result) == (500, 1500, [])
    totals = deployment.ledger.usage("acme").totals
    assert (totals.jobs, totals.transcription_tokens, totals.note_tokens) == (1000, 5000, 10_000)
    assert deployment.value("SELECT live_jobs FROM account_state") == 1000


def test_the_largest_counts_are_summed_exactly(deployment: Deployment) -> None:
    most = {"transcription": 10**9, "note_generation": 10**9}
    take(deployment, *(job(number, tokens=most) for number in range(1000)))
    totals = deployment.ledger.usage("acme").totals
    assert (totals.transcription_tokens, totals.note_tokens) == (10**12, 10**12)


# Keys


def test_sandbox_jobs_are_kept_and_never_rated(deployment: Deployment) -> None:
    result = take(deployment, job("live"), job("test", api_key="sandbox key", sandbox=True))
    assert outcome(result) == (2, 0, [])
    assert [row[:3] for row in jobs_of(deployment)] == [("live", "first key", 0), ("test", "sandbox key", 1)]
    report = deployment.ledger.usage("acme")
    assert (report.totals.jobs, report.totals.free_jobs_left, list(report.api_keys)) == (1, 99, ["first key"])
    assert [entry.id for entry in deployment.ledger.jobs("acme").jobs] == ["live"]
    assert outcome(take(deployment, job("test", api_key="sandbox key", sandbox=True))) == (0, 1, [])


def test_the_first_job_decides_a_keys_kind_and_one_that_contradicts_it_is_refused(deployment: Deployment) -> None:
    result = take(deployment, job(1), job(2, sandbox=True), job(3, api_key="s", sandbox=True), job(4, api_key="s"))
    assert codes(result) == [(1, "job_000002", "key_kind"), (3, "job_000004", "key_kind")]
    assert [rejection.detail for rejection in result.rejected] == [
        '"first key" is a live key and stays one; the job says otherwise',
        '"s" is a sandbox key and stays one; the job says otherwise',
    ]
    assert outcome(take(deployment, job(1, sandbox=True))) == (0, 0, ["key_kind"])
    kinds = [(key.name, key.kind) for key in deployment.ledger.accounts.keys("acme")]
    assert kinds == [("first key", "live"), ("s", "sandbox")]


def test_a_refused_job_does_not_decide_a_keys_kind(deployment: Deployment) -> None:
    result = take(deployment, job(1, sandbox=True, completed_at="2026-01-01T00:00:00Z"), job(2))
    assert codes(result) == [(0, "job_000001", "future")]
    assert [key.kind for key in deployment.ledger.accounts.keys("acme")] == ["live"]


def test_jobs_of_a_revoked_key_are_accepted_since_they_happened(deployment: Deployment) -> None:
    take(deployment, job(1))
    deployment.ledger.accounts.revoke_key("acme", "first key")
    assert outcome(take(deployment, job(1), job(2))) == (1, 1, [])


def test_keys_of_one_name_in_two_accounts_are_two(deployment: Deployment) -> None:
    result = take(
        deployment, job(1), job(2, account="other", sandbox=True), job(3), job(4, account="other", sandbox=True)
    )
    assert outcome(result) == (4, 0, [])


# Registration turned off


def test_without_registration_unknown_accounts_and_keys_are_refused(deploy: Deploy) -> None:
    deployment = deploy(register=False)
    deployment.ledger.accounts.create("acme")
    deployment.ledger.accounts.create_key("acme", "first key")
    before = deployment.contents(*STORED)
    result = take(deployment, job(1, account="stranger"), job(2, api_key="unknown"))
    assert codes(result) == [(0, "job_000001", "unknown_account"), (1, "job_000002", "unknown_key")]
    assert [rejection.detail for rejection in result.rejected] == [
        'there is no account "stranger"',
        'the account has no API key "unknown"',
    ]
    assert deployment.contents(*STORED) == before
    assert outcome(take(deployment, job(1), job(2))) == (2, 0, [])


def test_without_registration_a_known_id_with_an_unknown_key_is_a_conflict(deploy: Deploy) -> None:
    deployment = deploy(register=False)
    deployment.ledger.accounts.create("acme")
    deployment.ledger.accounts.create_key("acme", "first key")
    take(deployment, job(1))
    assert outcome(take(deployment, job(1, api_key="unknown"))) == (0, 0, ["conflict"])


# Clocks


@pytest.mark.parametrize("together", [True, False])
def test_another_job_of_a_known_id_is_a_conflict_also_where_it_lies_ahead(
    deployment: Deployment, *, together: bool
) -> None:
    good, ahead = job(1), job(1, completed_at="2026-01-01T00:00:00Z")
    if together:
        # A job before it, so that the key is known when the second one comes.
        assert codes(take(deployment, job(2), good, ahead)) == [(2, "job_000001", "conflict")]
    else:
        take(deployment, good)
        assert codes(take(deployment, ahead)) == [(0, "job_000001", "conflict")]


def test_a_job_may_be_five_minutes_ahead_to_the_microsecond(deployment: Deployment) -> None:
    ahead = [job("last", completed_at="2025-06-15T12:05:00Z"), job("over", completed_at="2025-06-15T12:05:00.000001Z")]
    assert codes(take(deployment, *ahead)) == [(1, "over", "future")]
    deployment.now += 1
    assert outcome(take(deployment, *ahead)) == (1, 1, [])


def test_how_far_ahead_is_a_setting(deploy: Deploy) -> None:
    assert outcome(take(deploy(future_seconds=0), job(1, completed_at="2025-06-15T12:00:00.000001Z")))[2] == ["future"]
    assert outcome(take(deploy(future_seconds=86400), job(1, completed_at="2025-06-16T12:00:00Z"))) == (1, 0, [])


def test_a_stored_job_is_a_duplicate_even_when_the_clock_has_stepped_back(deployment: Deployment) -> None:
    take(deployment, job(1, completed_at="2025-06-15T12:00:00Z"))
    deployment.set_clock("2020-01-01T00:00:00Z")
    again = take(deployment, job(1, completed_at="2025-06-15T12:00:00Z"), job(2, completed_at="2025-06-15T12:00:00Z"))
    assert outcome(again) == (0, 1, ["future"])
    differing = take(
        deployment, job(1, completed_at="2025-06-15T12:00:01Z"), job(1, completed_at="2019-06-15T12:00:00Z")
    )
    assert outcome(differing) == (0, 0, ["conflict", "conflict"])


def test_recorded_at_never_falls_in_an_account_though_the_clock_does(deployment: Deployment) -> None:
    clocks = ["2025-06-15T12:00:00Z", "2025-06-14T12:00:00Z", "2025-06-15T11:59:59Z", "2025-06-15T12:00:01Z"]
    for number, clock in enumerate(clocks):
        deployment.set_clock(clock)
        take(deployment, job(number), job(number, account=f"account {number}"))
    recorded = deployment.rows(
        "SELECT recorded_at FROM job JOIN account ON account.id = account_id WHERE name = 'acme' ORDER BY job.id"
    )
    assert [format_instant(at) for (at,) in recorded] == [clocks[0], clocks[0], clocks[0], clocks[3]]
    assert deployment.value(
        "SELECT recorded_at FROM account_state JOIN account ON id = account_id WHERE name = 'acme'"
    ) == parse_instant(clocks[3])
    other = deployment.value(
        "SELECT recorded_at FROM job JOIN account ON account.id = account_id WHERE name = 'account 1'"
    )
    assert other == parse_instant(clocks[1])


# Closed months (design rule 7)


def booked(deployment: Deployment) -> dict[str, str]:
    return {job_id: format_instant(at) for job_id, at in deployment.rows("SELECT id, booked_at FROM job")}


def test_a_job_for_a_closed_month_is_booked_when_it_is_received(deployment: Deployment) -> None:
    take(deployment, job("early", completed_at="2025-04-30T23:59:59.999999Z"))
    deployment.close_month("acme", "2025-04")
    before = deployment.ledger.usage("acme", "2025-04", "2025-04")
    result = take(
        deployment,
        job("late", completed_at="2025-04-30T23:59:59.999999Z"),
        job("open", completed_at="2025-05-01T00:00:00Z"),
        job("long ago", completed_at="1970-01-01T00:00:00Z"),
    )
    assert outcome(result) == (3, 0, [])
    assert booked(deployment) == {
        "early": "2025-04-30T23:59:59.999999Z",
        "late": "2025-06-15T12:00:00Z",
        "open": "2025-05-01T00:00:00Z",
        "long ago": "2025-06-15T12:00:00Z",
    }
    assert deployment.ledger.usage("acme", "2025-04", "2025-04").monthly_breakdown == before.monthly_breakdown
    months = {
        month.month: month.jobs for month in deployment.ledger.usage("acme", "2025-04", "2025-06").monthly_breakdown
    }
    assert months == {"2025-04": 1, "2025-05": 1, "2025-06": 2}
    assert [entry.id for entry in deployment.ledger.jobs("acme", "2025-01", "2025-06").jobs] == [
        "early",
        "open",
        "late",
        "long ago",
    ]


def test_where_the_open_month_begins_after_the_receipt_a_late_job_is_booked_at_its_start(
    deployment: Deployment,
) -> None:
    """In a zone behind UTC the clock may read a month that is closed already."""
    deployment.ledger.accounts.create("acme", time_zone="America/New_York")
    deployment.close_month("acme", "2025-06")
    take(deployment, job("late"))
    assert booked(deployment) == {"late": "2025-07-01T04:00:00Z"}
    assert deployment.ledger.usage("acme", "2025-06", "2025-07").monthly_breakdown[1].jobs == 1


def test_a_late_jobs_repeat_is_known_by_when_it_was_completed(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("acme")
    deployment.close_month("acme", "2025-05")
    late = job("late", completed_at="2025-05-31T00:00:00Z")
    assert outcome(take(deployment, late, late)) == (1, 1, [])
    deployment.set_clock("2025-06-20T00:00:00Z")
    assert outcome(take(deployment, late)) == (0, 1, [])
    assert outcome(take(deployment, job("late", completed_at="2025-06-15T12:00:00Z"))) == (0, 0, ["conflict"])
    assert booked(deployment) == {"late": "2025-06-15T12:00:00Z"}


def test_late_jobs_received_together_stand_in_the_order_of_their_ids(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("acme")
    deployment.close_month("acme", "2025-05")
    take(deployment, *(job(name, completed_at=f"2025-05-0{day}T00:00:00Z") for day, name in enumerate("zaé1", 1)))
    assert [entry.id for entry in deployment.ledger.jobs("acme").jobs] == ["1", "a", "z", "é"]


def test_late_sandbox_jobs_are_kept_like_others(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("acme")
    deployment.close_month("acme", "2025-05")
    assert outcome(take(deployment, job(1, completed_at="2025-05-01T00:00:00Z", sandbox=True))) == (1, 0, [])
    assert booked(deployment) == {"job_000001": "2025-06-15T12:00:00Z"}
    assert deployment.ledger.usage("acme").totals.jobs == 0
