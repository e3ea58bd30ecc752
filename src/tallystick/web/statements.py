"""Statements: the bills of closed months, each as a page to print, and as the very bytes that were signed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from litestar.response import Response

from tallystick.model.currencies import minor_unit_places
from tallystick.model.overview import Overview
from tallystick.model.signatures import decode_bytes
from tallystick.model.statement import SignedStatement, StatementInfo
from tallystick.printing import POLICY, statement_page
from tallystick.web import figures
from tallystick.web.answers import HTML, show
from tallystick.web.downloads import file_of
from tallystick.web.pages import page
from tallystick.web.request import PageRequest
from tallystick.web.tables import Cell, Column, Table, make_table, number

PATH: Final = "/statements"
STATEMENTS_PER_PAGE: Final = 24

_OF_ACCOUNT: Final = f"/accounts/{{account:str}}{PATH}"
_JSON: Final = "application/json"
_BYTES: Final = "application/octet-stream"
_SHOWN_DIGITS: Final = 12


@page(PATH, _OF_ACCOUNT, viewers="account", summary="The statements of closed months")
def show_statements(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/statements and /dashboard/accounts/{account}/statements."""
    overview = request.ledger.overview(request.account)
    statements = request.ledger.statements.list(overview.account)
    return show(
        request,
        "statements.html",
        title="Statements",
        overview=overview,
        table=_table(request, overview, statements) if statements else None,
        last=statements[-1] if statements else None,
        command=_command(request, statements[-1].month) if statements else "",
        grace_hours=figures.count(request.settings.grace_hours),
    )


def _command(request: PageRequest, month: str) -> str:
    """The command that checks the statement of a month."""
    return f"tallystick verify --month {month} --url {shlex.quote(request.api_address)}"


def _table(request: PageRequest, overview: Overview, statements: Sequence[StatementInfo]) -> Table:
    base = f"{request.account_base}{PATH}"
    places = minor_unit_places(overview.currency)

    def jobs(info: StatementInfo) -> Cell:
        period = {"start_month": info.month, "end_month": info.month}
        return number(info.jobs, request.link(f"{request.account_base}/jobs", period))

    def file(label: str, name: str) -> Column[StatementInfo]:
        return Column(
            name,
            label,
            lambda info: Cell(f"{info.month}.{name}", href=request.link(f"{base}/{info.month}/statement.{name}")),
            None,
            figure=False,
        )

    columns: list[Column[StatementInfo]] = [
        Column(
            "month",
            "Month",
            lambda info: Cell(figures.month_name(info.month), href=request.link(f"{base}/{info.month}")),
            lambda info: info.month,
            figure=False,
        ),
        Column(
            "final_cost",
            "To pay",
            lambda info: Cell(f"{info.final_cost:,.{places}f}"),
            lambda info: info.final_cost,
            unit=overview.currency,
        ),
        Column("jobs", "Jobs", jobs, lambda info: info.jobs),
        Column("late", "Came late", lambda info: Cell(_unless_none(info.late)), lambda info: info.late),
        Column("voided", "Voided", lambda info: Cell(_unless_none(info.voided)), lambda info: info.voided),
        Column(
            "closed_at",
            "Closed",
            lambda info: Cell(_seconds(info.closed_at), exact=info.closed_at),
            lambda info: info.closed_at,
            figure=False,
            unit="UTC",
        ),
        Column("sha256", "SHA-256", lambda info: Cell(f"{info.sha256[:_SHOWN_DIGITS]}…", info.sha256), None, False),
        file("Signed bytes", "json"),
        file("Signature", "sig"),
    ]
    return make_table(
        request,
        name="statements",
        caption="Closed months",
        columns=columns,
        rows=statements,
        total=(),
        default="-month",
        rows_per_page=STATEMENTS_PER_PAGE,
    )


def _unless_none(number: int) -> str:
    return figures.count(number) if number else "—"


def _seconds(instant: str) -> str:
    """``2025-02-03 02:00:00``, whatever fraction there is."""
    return instant[:19].replace("T", " ")


@page(f"{PATH}/{{month:str}}", f"{_OF_ACCOUNT}/{{month:str}}", viewers="account", summary="A statement to print")
def print_statement(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/statements/{month}: a page that loads nothing, as it would be kept."""
    headers = {"Content-Security-Policy": POLICY}
    return Response(statement_page(_signed(request)).encode(), media_type=HTML, headers=headers)


@page(
    f"{PATH}/{{month:str}}/statement.json",
    f"{_OF_ACCOUNT}/{{month:str}}/statement.json",
    viewers="account",
    summary="A statement's bytes as they were signed",
)
def download_statement(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/statements/{month}/statement.json."""
    signed = _signed(request)
    return file_of(signed.document, _JSON, f"statement-{signed.statement.month}.json")


@page(
    f"{PATH}/{{month:str}}/statement.sig",
    f"{_OF_ACCOUNT}/{{month:str}}/statement.sig",
    viewers="account",
    summary="The signature of a statement's bytes",
)
def download_signature(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/statements/{month}/statement.sig: the 64 bytes of RFC 8032."""
    signed = _signed(request)
    return file_of(decode_bytes(signed.signature), _BYTES, f"statement-{signed.statement.month}.sig")


def _signed(request: PageRequest) -> SignedStatement:
    return request.ledger.statements.get(request.account, request.path_name("month"))


ROUTES: Final = (show_statements, print_statement, download_statement, download_signature)
