"""The page of statements: what each came to, the page to print, and the bytes with their signature to take along."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest

from tallystick.model.signatures import decode_bytes, holds
from tests.api.service import Service, job
from tests.web.site import Visitor, tables

STATEMENTS = "/statements"


@pytest.fixture
def account(shared: Service) -> str:
    """A new account with two jobs of November, of which one is voided; November and December are closed.

    Then a job of November comes, late.
    """
    name = shared.account()
    jobs = [job(name, completed_at=f"2024-11-0{n}T12:00:00Z", tokens={"transcription": 7}) for n in (1, 2)]
    shared.post_jobs(jobs)
    shared.ledger.void(name, jobs[1]["id"], reason="reported twice")
    shared.ledger.statements.close("2024-12", name)
    shared.post_jobs([job(name, completed_at="2024-11-03T12:00:00Z")])
    return name


@pytest.fixture
def reader(shared: Service, account: str) -> Visitor:
    """The account's customer, signed in."""
    visitor = Visitor(shared)
    visitor.sign_in(shared.token("usage", account))
    return visitor


def rows(visitor: Visitor, path: str = STATEMENTS, **query: str) -> list[list[str]]:
    return [[cell.text for cell in row] for row in tables(visitor.get(path, **query).text)["statements"][1:]]


def test_every_statement_stands_there_the_last_one_first(shared: Service, account: str, reader: Visitor) -> None:
    december, november = rows(reader)
    assert december[:5] == ["Dec 2024", "0.00", "0", "—", "—"]
    assert november[:5] == ["Nov 2024", "0.00", "1", "—", "1"]
    assert [row[0] for row in rows(reader, statements_sort="month")] == ["Nov 2024", "Dec 2024"]
    infos = shared.ledger.statements.list(account)
    found = tables(reader.get(STATEMENTS).text)["statements"][1:]
    assert [row[6].value for row in found] == [info.sha256 for info in reversed(infos)]
    assert [row[5].value for row in found] == [info.closed_at for info in reversed(infos)]
    assert december[5] == "2025-02-01 12:00:00"


def test_a_job_that_came_late_is_counted_where_it_is_booked(tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.api.service import service

    with service(tmp_path_factory.mktemp("late")) as own:
        name = own.account()
        own.ledger.record([job(name, completed_at="2024-12-01T12:00:00Z")])
        own.ledger.statements.close("2024-12", name)
        own.ledger.record([job(name, completed_at="2024-12-02T12:00:00Z")])
        own.clock.now = datetime(2025, 3, 10, tzinfo=UTC)
        own.ledger.statements.close("2025-02", name)
        visitor = Visitor(own)
        visitor.sign_in(own.token("usage", name))
        assert [[row[0], *row[2:4]] for row in rows(visitor)] == [
            ["Feb 2025", "1", "1"],
            ["Jan 2025", "0", "—"],
            ["Dec 2024", "1", "—"],
        ]


def test_what_is_taken_along_is_what_was_signed(shared: Service, account: str, reader: Visitor) -> None:
    page = reader.get(STATEMENTS).text
    links = [html.unescape(link) for link in re.findall(r'href="(/dashboard/statements/2024-11[^"]*)"', page)]
    printed, document, signature = (reader.client.get(link) for link in links)
    stored = shared.ledger.statements.get(account, "2024-11")
    assert document.content == stored.document
    assert document.headers["content-disposition"] == 'attachment; filename="statement-2024-11.json"'
    assert signature.headers["content-disposition"] == 'attachment; filename="statement-2024-11.sig"'
    keys = {key.id: key for key in shared.ledger.signing.list()}
    assert holds(decode_bytes(keys[stored.signed_by].public_key), document.content, signature.content)
    assert "Statement, November 2024" in printed.text
    assert stored.sha256 in printed.text


def test_the_page_to_print_loads_nothing_and_is_kept_by_nobody(reader: Visitor) -> None:
    printed = reader.get(f"{STATEMENTS}/2024-11")
    assert "default-src 'none'; style-src 'sha256-" in printed.headers["content-security-policy"]
    assert printed.headers["cache-control"] == reader.get(STATEMENTS).headers["cache-control"]
    assert not re.search(r"<(script|link|img)|src=", printed.text)


def test_the_provider_sees_those_of_the_account_in_the_path(shared: Service, account: str, provider: Visitor) -> None:
    assert [row[0] for row in rows(provider, f"/accounts/{account}{STATEMENTS}")] == ["Dec 2024", "Nov 2024"]
    page = provider.get(f"/accounts/{account}{STATEMENTS}").text
    for link in re.findall(rf'href="(/dashboard/accounts/{account}/statements/[^"]+)"', page):
        assert provider.client.get(html.unescape(link)).status_code == 200


def test_no_customer_sees_those_of_another(shared: Service, account: str, customer: Visitor) -> None:
    assert "No month is closed yet" in customer.get(STATEMENTS).text
    assert customer.get(f"{STATEMENTS}/2024-11").status_code == 404
    for path in ("", "/2024-11", "/2024-11/statement.json", "/2024-11/statement.sig"):
        assert customer.get(f"/accounts/{account}{STATEMENTS}{path}").status_code == 403


@pytest.mark.parametrize(("month", "status"), [("2025-01", 404), ("2025-13", 400), ("x", 400), ("%FF", 400)])
def test_what_is_no_statement_says_so_on_a_page(reader: Visitor, month: str, status: int) -> None:
    for path in ("", "/statement.json", "/statement.sig"):
        answer = reader.get(f"{STATEMENTS}/{month}{path}")
        assert answer.status_code == status
        assert "Request id" in answer.text


def test_files_are_no_column_to_sort_by(reader: Visitor) -> None:
    answer = reader.get(STATEMENTS, statements_sort="json")
    assert answer.status_code == 400
    assert "known are month, final_cost, jobs, late, voided, closed_at" in answer.text


def test_the_command_to_check_the_last_one_stands_there(shared: Service, reader: Visitor) -> None:
    assert f"tallystick verify --month 2024-12 --url {shared.url}</code>" in reader.get(STATEMENTS).text
