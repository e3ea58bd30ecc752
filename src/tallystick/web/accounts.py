"""The provider's first page: every account by what it costs."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from litestar.response import Response

from tallystick.model.report import AccountsReport, AccountUsage
from tallystick.web import figures
from tallystick.web.answers import show
from tallystick.web.pages import page
from tallystick.web.periods import chosen_period
from tallystick.web.request import PageRequest
from tallystick.web.tables import Cell, amount, number, share

ACCOUNTS_PER_PAGE: Final = 50


@page("/accounts", viewers="provider", summary="All accounts by what they cost")
def show_accounts(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/accounts."""
    first, current = request.ledger.months()
    period = chosen_period(request, first, current, default_months=1)
    report = request.ledger.usage_of_accounts(
        period.start_month, period.end_month, cursor=request.values.get("cursor"), limit=ACCOUNTS_PER_PAGE
    )
    return show(
        request,
        "accounts.html",
        title=f"Accounts {period.label}",
        period=period,
        totals=[(total, amount(total.final_cost, figures.rounded_places(total.base_cost))) for total in report.totals],
        meters=[figures.meter_name(field.removesuffix("_tokens")) for field in _fields(report)],
        rows=[_row(request, account, report, period.query) for account in report.accounts],
        first=request.link_here(cursor=None) if "cursor" in request.values else "",
        next=request.link_here(cursor=report.next_cursor) if report.next_cursor else "",
    )


def _fields(report: AccountsReport) -> list[str]:
    return list(report.totals[0].tokens) if report.totals else []


def _row(
    request: PageRequest, account: AccountUsage, report: AccountsReport, query: dict[str, str | None]
) -> dict[str, Cell | list[Cell]]:
    whole = next(total for total in report.totals if total.currency == account.currency)
    places = figures.rounded_places(whole.base_cost)
    return {
        "account": Cell(account.account, href=request.link(f"/accounts/{quote(account.account, safe='')}", query)),
        "currency": Cell(account.currency),
        "jobs": number(account.jobs),
        "tokens": [number(account.tokens[field]) for field in _fields(report)],
        "base_cost": amount(account.base_cost, places),
        "savings": amount(account.savings, places),
        "final_cost": amount(account.final_cost, places),
        "share": share(account.final_cost, whole.final_cost),
    }


ROUTES: Final = (show_accounts,)
