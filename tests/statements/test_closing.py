"""Closing a month: what a statement says, when it may be made, and that it is there whole, once and for good."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tallystick.demo.scenario import january_jobs
from tallystick.errors import Conflict, InvalidInput, NotFound, StoreError, StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.model.signatures import decode_bytes, holds
from tallystick.model.statement import LiveJobs, PreviousStatement, SignedStatement, Statement
from tallystick.settings import Settings
from tallystick.store import statements
from tests.databases import Databases, run
from tests.embedded import Deploy, Deployment, job, plan

LATER = "2025-06-15T12:00:00Z"


@pytest.fixture
def deploy(deploy: Deploy, tmp_path: Path) -> Deploy:
    """Ledgers that keep their signing keys in a folder of the test's, also on PostgreSQL."""

    def open_one(**given: Any) -> Deployment:
        return deploy(**{"signing_folder": str(tmp_path / "keys"), **given})

    return open_one


@pytest.fixture
def january(deploy: Deploy) -> Deployment:
    """The contract's January, long over."""
    deployment = deploy()
    deployment.ledger.record(january_jobs())
    return deployment


def close(deployment: Deployment, month: str = "2025-01", account: str | None = None) -> list[tuple[str, str]]:
    """What became of each account, and the months whose statements were written."""
    result = deployment.ledger.statements.close(month, account)
    return [(each.outcome, " ".join(each.statements)) for each in result.accounts]


def signed(deployment: Deployment, month: str = "2025-01", account: str = "acme") -> SignedStatement:
    return deployment.ledger.statements.get(account, month)


def stored(deployment: Deployment) -> dict[str, bytes]:
    """Every statement of `acme` by its month."""
    return {info.month: signed(deployment, info.month).document for info in deployment.ledger.statements.list("acme")}


# What it says.


def test_a_statement_is_the_months_report_with_all_that_it_takes_to_check_it(january: Deployment) -> None:
    january.ledger.void("acme", "job_0108", reason="reported twice")
    report = january.ledger.usage("acme", "2025-01", "2025-01")
    explained = january.ledger.explain("acme", "2025-01", "2025-01")
    assert close(january) == [("closed", "2025-01")]
    statement = signed(january).statement
    assert statement.report == report
    assert (statement.lines, statement.plans) == (explained.lines, explained.plans)
    assert (statement.form, statement.account, statement.month) == ("tallystick-statement/1", "acme", "2025-01")
    assert (statement.time_zone, statement.starts_at, statement.ends_at, statement.currency) == (
        "UTC",
        "2025-01-01T00:00:00Z",
        "2025-02-01T00:00:00Z",
        "USD",
    )
    assert statement.live_jobs == LiveJobs(before=0, after=107)
    assert (statement.jobs.live, statement.jobs.late, statement.jobs.voided) == (107, 0, 1)
    assert [meter.id for meter in statement.meters] == ["transcription", "note_generation"]
    assert statement.previous is None


def test_the_digest_is_that_of_the_documented_lines(january: Deployment) -> None:
    """Written out here from docs/statements.md, by other means."""
    january.ledger.void("acme", "job_0005", reason='said "twice"')
    close(january)
    with january.ledger.job_lines("acme", "2025-01", "2025-01", voided=True) as found:
        jobs = [json.loads(line) for chunk in found for line in chunk.splitlines()]
    lines = []
    for each in jobs:
        tokens = [each["tokens"]["transcription"], each["tokens"]["note_generation"]]
        void = [each["voided_at"], each["void_reason"]] if "voided_at" in each else None
        line = [each["id"], each["api_key"], each["completed_at"], each["booked_at"], tokens, void]
        lines.append(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert signed(january).statement.jobs.sha256 == digest
    assert len(lines) == 108


def test_the_bytes_are_signed_and_read_back_to_the_same_bytes(january: Deployment) -> None:
    close(january)
    given = signed(january)
    (key,) = january.ledger.signing.list()
    assert given.signed_by == key.id
    public_key, signature = decode_bytes(key.public_key), decode_bytes(given.signature)
    assert holds(public_key, given.document, signature)
    assert not holds(public_key, given.document.replace(b"0.07592", b"0.07591"), signature)
    assert given.statement.to_bytes() == given.document
    assert Statement.from_bytes(given.document).to_bytes() == given.document


def test_each_statement_names_the_one_before_by_its_digest(january: Deployment) -> None:
    january.ledger.record([job("march", completed_at="2025-03-01T00:00:00Z")])
    assert close(january, "2025-03") == [("closed", "2025-01 2025-02 2025-03")]
    before, empty, march = (signed(january, f"2025-0{n}") for n in (1, 2, 3))
    assert empty.statement.previous == PreviousStatement("2025-01", hashlib.sha256(before.document).hexdigest())
    assert march.statement.previous == PreviousStatement("2025-02", empty.sha256)
    assert (empty.statement.live_jobs, march.statement.live_jobs) == (LiveJobs(108, 108), LiveJobs(108, 109))
    assert (empty.statement.jobs.live, empty.statement.report.api_keys, empty.statement.lines) == (0, {}, ())
    assert empty.statement.jobs.sha256 == hashlib.sha256().hexdigest()


def test_amounts_are_rounded_to_the_minor_unit_and_shared_out_to_keys(deploy: Deploy) -> None:
    deployment = deploy()
    meters = [{"id": "transcription", "price": "0.005"}]
    deployment.ledger.plans.put(plan("halves", meters=meters, tiers=[{"after_jobs": 0, "discount": "10"}]))
    deployment.ledger.accounts.create("acme", plan="halves")
    deployment.ledger.record([job(n, api_key=f"key {n}", tokens={"transcription": 1}) for n in range(3)])
    deployment.set_clock("2025-08-01T00:00:00Z")
    close(deployment, "2025-06")
    rounded = signed(deployment, "2025-06").statement.rounded
    assert (rounded.mode, rounded.places) == ("half-even", 2)
    # 0.015 lies in the middle and goes to the even 0.02; 0.0135 goes to 0.01.
    assert (rounded.base_cost, rounded.final_cost, rounded.savings) == (
        Decimal("0.02"),
        Decimal("0.01"),
        Decimal("0.01"),
    )
    assert [costs.base for costs in rounded.api_keys.values()] == [Decimal("0.01"), Decimal("0.01"), 0]
    assert [costs.final for costs in rounded.api_keys.values()] == [Decimal("0.01"), 0, 0]


def test_a_meter_that_another_plan_brings_along_changes_no_statement(january: Deployment) -> None:
    """Not even between the sealing and the writing."""
    with_new = {"meters": [{"id": "pages", "price": "1"}], "free_jobs": 0}
    january.ledger.plans.put(plan("other", **with_new))
    close(january)
    assert [meter.id for meter in signed(january).statement.meters] == ["transcription", "note_generation"]
    assert list(signed(january).statement.report.totals.tokens) == ["transcription_tokens", "note_tokens"]


def test_a_meter_that_jobs_carry_and_the_plan_does_not_price_is_in_the_statement(january: Deployment) -> None:
    january.ledger.plans.put(plan("other", meters=[{"id": "pages", "price": "1"}, {"id": "lines", "price": "1"}]))
    january.ledger.record(
        [
            job("paged", completed_at="2025-01-31T00:00:00Z", tokens={"pages": 7}),
            job("lined", completed_at="2025-01-31T00:00:00Z", tokens={"lines": 9}),
        ]
    )
    january.ledger.void("acme", "lined", reason="no such thing")
    close(january)
    statement = signed(january).statement
    assert [meter.id for meter in statement.meters] == ["transcription", "note_generation", "pages", "lines"]
    assert statement.report.totals.tokens["pages_tokens"] == 7


# When.


def test_a_month_is_closed_from_the_end_of_its_grace_period_on(january: Deployment) -> None:
    january.set_clock("2025-02-02T23:59:59.999999Z")
    with pytest.raises(Conflict, match="from 2025-02-03T00:00:00Z on") as caught:
        close(january, account="acme")
    assert caught.value.code == "month_not_over"
    assert close(january) == [("early", "")]
    assert january.count("statement") == january.count("signing_key") == 0
    january.set_clock("2025-02-03T00:00:00Z")
    assert close(january) == [("closed", "2025-01")]


def test_the_grace_period_is_a_setting_and_the_month_ends_in_the_accounts_zone(deploy: Deploy) -> None:
    deployment = deploy(grace_hours=0, now="2025-01-20T00:00:00Z")
    for zone in ("Pacific/Auckland", "UTC", "America/Los_Angeles"):
        deployment.ledger.accounts.create(zone, time_zone=zone)
    expected = {
        "2025-01-31T10:59:59.999999Z": ["early", "early", "early"],
        "2025-01-31T11:00:00Z": ["early", "closed", "early"],
        "2025-02-01T00:00:00Z": ["early", "already", "closed"],
        "2025-02-01T08:00:00Z": ["closed", "already", "already"],
    }
    for now, outcomes in expected.items():
        deployment.set_clock(now)
        assert [outcome for outcome, _ in close(deployment)] == outcomes, now
    statement = signed(deployment, account="Pacific/Auckland").statement
    assert (statement.starts_at, statement.ends_at) == ("2024-12-31T11:00:00Z", "2025-01-31T11:00:00Z")


@pytest.mark.parametrize("month", ["2025-13", "25-01", "", "2025-1"])
def test_what_is_no_month_is_refused(january: Deployment, month: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        close(january, month)
    assert caught.value.code == "invalid_month"


def test_the_far_ends_of_the_calendar_can_be_asked_for(january: Deployment) -> None:
    assert close(january, "9999-12") == [("early", "")]
    assert close(january, "0001-01") == [("none", "")]
    assert close(january, "2024-12") == [("none", "")]


def test_an_unknown_account_is_not_found(january: Deployment) -> None:
    for ask in (lambda: close(january, account="nobody"), lambda: signed(january, account="nobody")):
        with pytest.raises(NotFound) as caught:
            ask()
        assert caught.value.code == "unknown_account"
    with pytest.raises(NotFound) as caught:
        signed(january)
    assert caught.value.code == "no_statement"


# Which months.


def test_history_begins_with_the_first_job_or_with_the_account(deploy: Deploy) -> None:
    deployment = deploy(now="2025-03-10T00:00:00Z")
    for name in ("without jobs", "with earlier jobs", "with a voided job", "with later jobs"):
        deployment.ledger.accounts.create(name)
    deployment.ledger.record(
        [
            job(1, account="with earlier jobs", completed_at="2025-01-31T23:59:59Z"),
            job(1, account="with a voided job", completed_at="2025-02-01T00:00:00Z"),
            job(1, account="with later jobs", completed_at="2025-03-09T00:00:00Z"),
            job(1, account="trying", completed_at="2025-01-01T00:00:00Z", sandbox=True),
        ]
    )
    deployment.ledger.void("with a voided job", f"job_{1:06d}", reason="a mistake")
    deployment.set_clock("2025-05-10T00:00:00Z")
    deployment.ledger.accounts.create("newcomer")
    result = deployment.ledger.statements.close("2025-04")
    assert {each.account: each.statements for each in result.accounts} == {
        "newcomer": (),
        "trying": ("2025-03", "2025-04"),
        "with a voided job": ("2025-02", "2025-03", "2025-04"),
        "with earlier jobs": ("2025-01", "2025-02", "2025-03", "2025-04"),
        "with later jobs": ("2025-03", "2025-04"),
        "without jobs": ("2025-03", "2025-04"),
    }


def test_a_month_of_one_account_leaves_the_others_open(january: Deployment) -> None:
    january.ledger.record([job(1, account="other", completed_at="2025-01-02T00:00:00Z")])
    assert close(january, account="other") == [("closed", "2025-01")]
    assert january.ledger.statements.list("acme") == ()
    assert january.ledger.record([job(2, completed_at="2025-01-03T00:00:00Z")]).accepted == 1
    assert january.ledger.usage("acme", "2025-01", "2025-01").totals.jobs == 109


def test_many_months_are_closed_at_once(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.ledger.record([job(n, completed_at=f"20{20 + n:02d}-07-01T00:00:00Z") for n in range(5)])
    (outcome, months) = close(deployment, "2025-04")[0]
    assert (outcome, len(months.split())) == ("closed", 58)
    last = signed(deployment, "2025-04").statement
    assert last.live_jobs == LiveJobs(5, 5)


# For good.


def test_a_second_closing_changes_nothing(january: Deployment) -> None:
    close(january)
    before = january.contents()
    assert close(january) == [("already", "")]
    assert close(january, "2024-12") == [("already", "")]
    assert january.contents() == before


def test_a_late_job_is_booked_in_an_open_month_and_marked(january: Deployment) -> None:
    close(january)
    before = stored(january)
    late = job("late", completed_at="2025-01-11T00:00:00Z", tokens={"transcription": 1000})
    assert january.ledger.record([late]).accepted == 1
    (entry,) = january.ledger.jobs("acme", "2025-06", "2025-06").jobs
    assert (entry.late, entry.booked_at, entry.completed_at) == (True, LATER, "2025-01-11T00:00:00Z")
    assert stored(january) == before
    january.set_clock("2025-08-01T00:00:00Z")
    close(january, "2025-06")
    june = signed(january, "2025-06").statement
    assert (june.jobs.live, june.jobs.late) == (1, 1)


def test_nothing_can_be_voided_in_a_closed_month_or_move_its_days(january: Deployment) -> None:
    close(january)
    before = stored(january)
    with pytest.raises(Conflict) as caught:
        january.ledger.void("acme", "job_0001", reason="too late")
    assert caught.value.code == "month_closed"
    with pytest.raises(InvalidInput) as refused:
        january.ledger.accounts.change("acme", time_zone="Asia/Kolkata")
    assert refused.value.code == "zone_fixed"
    assert stored(january) == before


def test_a_closing_that_broke_off_goes_on_with_the_same_bytes(
    january: Deployment, databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    january.ledger.record([job("feb", completed_at="2025-02-14T00:00:00Z")])
    january.ledger.close()
    settings = Settings(signing_folder=str(tmp_path / "keys"))
    with databases.copy(january.database) as twin, Ledger(twin, settings=settings, clock=lambda: january.now) as ledger:
        ledger.statements.close("2025-03")
        undisturbed = {n: ledger.statements.get("acme", f"2025-0{n}").document for n in (1, 2, 3)}
    with Ledger(january.database, settings=settings, clock=lambda: january.now) as ledger:
        with monkeypatch.context() as broken:
            broken.setattr(statements, "add", _power_cut)
            with pytest.raises(KeyboardInterrupt):
                ledger.statements.close("2025-03")
        # Sealed, and nothing of a statement is there.
        assert january.rows("SELECT closed_through, (SELECT COUNT(*) FROM statement) FROM account_state") == [
            (2025 * 12 + 2, 0)
        ]
        ledger.record([job("late", completed_at="2025-02-20T00:00:00Z")])
        with pytest.raises(Conflict):
            ledger.void("acme", "feb", reason="too late")
        ledger.plans.put(plan("other", meters=[{"id": "pages", "price": "1"}]))
    january.set_clock("2025-09-01T00:00:00Z")
    with Ledger(january.database, settings=settings, clock=lambda: january.now) as ledger:
        (account,) = ledger.statements.close("2025-03").accounts
        assert (account.outcome, account.statements) == ("already", ("2025-01", "2025-02", "2025-03"))
        assert {n: ledger.statements.get("acme", f"2025-0{n}").document for n in (1, 2, 3)} == undisturbed


def _power_cut(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_month_is_not_sealed_where_nothing_can_be_signed(january: Deployment, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("not a folder")
    with pytest.raises(Exception, match="no private key can be kept"):
        close(january)
    assert january.value("SELECT closed_through FROM account_state") is None


def test_what_the_jobs_do_not_sum_to_is_never_signed(january: Deployment) -> None:
    january.rows("UPDATE usage_month SET tokens_transcription = tokens_transcription + 1")
    with pytest.raises(StoreError, match="tallystick db check") as caught:
        close(january, account="acme")
    assert caught.value.code == "rollups_differ"
    assert january.count("statement") == 0
    january.ledger.maintenance.repair()
    assert close(january) == [("already", "2025-01")]


def test_a_void_of_which_the_reason_is_lost_is_told_and_never_signed(january: Deployment) -> None:
    january.ledger.record([job("b1", account="beta", completed_at="2025-01-15T00:00:00Z")])
    january.ledger.void("acme", "job_0108", reason="reported twice")
    january.rows("DELETE FROM voided_job")
    told = "the job 'job_0108' is voided, and when and why is missing from the database; run: tallystick db check"
    with pytest.raises(StoreError, match=re.escape(told)) as caught:
        close(january, account="acme")
    assert caught.value.code == "void_missing"
    result = january.ledger.statements.close("2025-01")
    assert [(each.account, each.outcome) for each in result.accounts] == [("acme", "failed"), ("beta", "closed")]
    assert result.accounts[0].error is not None
    assert (result.accounts[0].error.code, result.accounts[0].error.detail) == ("void_missing", told)


def test_an_account_that_cannot_be_closed_holds_up_no_other(january: Deployment) -> None:
    for name in ("beta", "zeta"):
        january.ledger.record([job(name, account=name, completed_at="2025-01-15T00:00:00Z")])
    wrong = "SELECT id FROM account WHERE name IN ('acme', 'zeta')"
    january.rows(f"UPDATE usage_month SET jobs = jobs + 1 WHERE account_id IN ({wrong})")
    heard: list[str] = []
    result = january.ledger.statements.close("2025-01", progress=lambda each, _: heard.append(each.account))
    assert heard == ["acme", "beta", "zeta"]
    assert [each.outcome for each in result.accounts] == ["failed", "closed", "failed"]
    assert not result.complete
    error = result.accounts[0].error
    assert error is not None
    assert error.code == "rollups_differ"
    assert error.detail.startswith("the jobs of 'acme' do not sum to what its reports show")
    assert january.count("statement") == 1
    january.ledger.maintenance.repair()
    assert close(january) == [("already", "2025-01"), ("already", ""), ("already", "2025-01")]


def test_another_statement_than_the_stored_one_is_told(january: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a process of another version closes at the same time."""
    close(january)
    document = signed(january).document
    monkeypatch.setattr(statements, "last", lambda *_: None)
    monkeypatch.setattr(Statement, "to_bytes", lambda _: b'{"another": true}')
    monkeypatch.setattr(statements, "of_month", lambda *_: None)
    with pytest.raises(StoreError) as caught:
        close(january, account="acme")
    assert caught.value.code == "statement_differs"
    monkeypatch.undo()
    assert signed(january).document == document


def test_a_writer_in_the_way_is_waited_for(january: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [StoreUnavailable("busy"), StoreUnavailable("busy")]
    seal = statements.seal

    def contended(*arguments: Any) -> None:
        if failures:
            raise failures.pop()
        seal(*arguments)

    monkeypatch.setattr(statements, "seal", contended)
    assert close(january) == [("closed", "2025-01")]


def test_the_audit_log_has_the_closing_once(january: Deployment) -> None:
    close(january)
    close(january)
    actions = [(event.action, event.subject) for event in january.ledger.audit.list().events]
    assert actions.count(("month.close", "acme")) == 1


def test_the_list_tells_what_each_came_to(january: Deployment) -> None:
    close(january, "2025-02")
    first, second = january.ledger.statements.list("acme")
    assert (first.month, first.jobs, first.final_cost, first.currency) == ("2025-01", 108, Decimal("0.08"), "USD")
    assert (first.closed_at, first.sha256, first.previous_sha256) == (LATER, signed(january).sha256, None)
    assert second.previous_sha256 == first.sha256


def test_counts_of_statements_from_before_there_was_a_column_are_read_from_them(
    january: Deployment, databases: Databases
) -> None:
    january.ledger.void("acme", "job_0108", reason="reported twice")
    close(january)
    (info,) = january.ledger.statements.list("acme")
    assert (info.jobs, info.late, info.voided) == (107, 0, 1)
    january.ledger.close()
    # As it was then, without the columns that came later either.
    for table, columns in (("statement", ("late", "voided")), ("notice_mark", ("asked", "answered"))):
        for column in columns:
            run(january.database, f"ALTER TABLE {table} DROP COLUMN {column}")
    run(january.database, "UPDATE alembic_version SET version_num = '0008'")
    with Ledger(january.database) as ledger:
        assert ledger.statements.list("acme") == (info,)


# At the same time.


def test_of_many_closings_at_once_each_account_has_one_statement(deploy: Deploy) -> None:
    deployments = [deploy() for _ in range(3)]
    names = [f"account {n}" for n in range(8)]
    deployments[0].ledger.record([job(1, account=name, completed_at="2025-03-01T00:00:00Z") for name in names])
    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda n: close(deployments[n % 3], "2025-04"), range(6)))
    assert all(outcome in ("closed", "already") for result in results for outcome, _ in result)
    assert deployments[0].count("statement") == 16
    assert deployments[0].count("signing_key") == 1
    for name in names:
        assert signed(deployments[1], "2025-04", name).statement.live_jobs == LiveJobs(1, 1)


def test_no_job_slips_between_the_ledger_and_a_statement_while_jobs_come_in(deploy: Deploy) -> None:
    """Four writers post jobs of January and February; January is closed while they do."""
    deployment = deploy(now="2025-02-20T00:00:00Z", grace_hours=0)
    ledger = deployment.ledger
    ledger.record([job("first", completed_at="2025-01-01T00:00:00Z")])
    under_way, closed = threading.Barrier(5), threading.Event()

    def write(writer: int) -> int:
        accepted = turn = behind = 0
        while behind < 2:
            behind += closed.is_set()
            batch = [
                job(
                    f"{writer} {turn} {n}",
                    completed_at=f"2025-0{1 + n % 2}-{1 + (turn + n) % 14:02d}T10:00:00.{n:06d}Z",
                    api_key=f"key {n % 3}",
                )
                for n in range(40)
            ]
            accepted += ledger.record(batch).accepted
            turn += 1
            if turn == 2:
                under_way.wait(60)
        return accepted

    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(write, n) for n in range(4)]
        under_way.wait(60)
        assert close(deployment) == [("closed", "2025-01")]
        closed.set()
        accepted = 1 + sum(each.result() for each in writing)
    statement = signed(deployment).statement
    with ledger.job_lines("acme", "2025-01", "2025-02") as found:
        jobs = [json.loads(line) for chunk in found for line in chunk.splitlines()]
    assert len(jobs) == accepted
    booked = [each for each in jobs if each["booked_at"] < "2025-02"]
    assert len(booked) == statement.jobs.live == statement.live_jobs.after
    completed = [each for each in jobs if each["completed_at"] < "2025-02"]
    late = [each for each in jobs if each["late"]]
    assert len(completed) == len(booked) + len(late)
    assert len(late) >= 4 * 2 * 20
    assert ledger.usage("acme", "2025-01", "2025-01").monthly_breakdown == statement.report.monthly_breakdown
    assert ledger.maintenance.check().clean
