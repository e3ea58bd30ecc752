"""The provider's first page: every account by what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from litestar.response import Response

from tallystick.errors import Conflict, InvalidInput, NotFound
from tallystick.model.accounts import PlanInfo
from tallystick.model.instants import parse_instant
from tallystick.model.months import Month
from tallystick.model.overview import AccountTrend
from tallystick.model.report import AccountsReport, AccountUsage, CurrencyTotals
from tallystick.web import figures, sparklines
from tallystick.web.answers import redirect, show
from tallystick.web.pages import Form, action, field, page
from tallystick.web.periods import Chosen, chosen_period
from tallystick.web.request import PageRequest
from tallystick.web.tables import Cell, amount, number, share

ACCOUNTS_PER_PAGE: Final = 25
TREND_MONTHS: Final = 12


@page("/accounts", viewers="provider", summary="All accounts by what they cost")
def show_accounts(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/accounts."""
    return _accounts_page(request)


def _accounts_page(
    request: PageRequest, *, status: int = 200, problem: str = "", entered: Mapping[str, str] | None = None
) -> Response[bytes]:
    request.stand_for("/accounts")
    first, current = request.ledger.months()
    period = chosen_period(request, first, current, default_months=1)
    search = request.values.get("search", "").strip()
    report = request.ledger.usage_of_accounts(
        period.start_month,
        period.end_month,
        cursor=request.values.get("cursor"),
        limit=ACCOUNTS_PER_PAGE,
        search=search,
    )
    last = Month.parse(period.end_month)
    plans = request.ledger.plans.list()
    names = [account.account for account in report.accounts]
    trends = request.ledger.trends(names, str(last - (TREND_MONTHS - 1)), str(last))
    return show(
        request,
        "accounts.html",
        status=status,
        title=f"Accounts {period.label}",
        period=period,
        search=search,
        cards=_cards(request, period, current, report),
        meters=[names_of_meters(plans).get(each, each) for each in _fields(report)],
        rows=[_row(request, each, report, period, trends[each.account]) for each in report.accounts],
        currencies=sorted({total.currency for total in report.totals}),
        first=request.link_here(cursor=None) if "cursor" in request.values else "",
        next=request.link_here(cursor=report.next_cursor) if report.next_cursor else "",
        plans=[plan.name for plan in plans],
        problem=problem,
        entered=entered
        or {"name": "", "time_zone": request.settings.default_time_zone, "plan": request.settings.default_plan},
    )


@action("/accounts/create", viewers="provider", summary="Make an account")
def create_account(request: PageRequest, form: Form) -> Response[bytes]:
    """POST /dashboard/accounts/create."""
    entered = {name: field(form, name).strip() for name in ("name", "time_zone", "plan")}
    try:
        request.ledger.accounts.create(**entered)
    except (InvalidInput, Conflict, NotFound) as error:
        status = 409 if isinstance(error, Conflict) else 400
        return _accounts_page(request, status=status, problem=error.detail, entered=entered)
    return redirect(request.link(f"/accounts/{quote(entered['name'], safe='')}/access", {"done": "account"}))


def names_of_meters(plans: Sequence[PlanInfo]) -> dict[str, str]:
    """How people call the report's fields, by the meters of all plans."""
    meters = (meter for plan in plans for version in plan.versions for meter in version.plan["meters"])
    return {meter["report_as"]: figures.meter_name(meter["id"]) for meter in meters}


def _fields(report: AccountsReport) -> list[str]:
    return list(report.totals[0].tokens) if report.totals else []


def _cards(request: PageRequest, period: Chosen, current: str, report: AccountsReport) -> list[dict[str, Any]]:
    first, last = Month.parse(period.start_month), Month.parse(period.end_month)
    length = last.index - first.index + 1
    earlier = request.ledger.usage_of_accounts(str(first - length), str(last - length), limit=1)
    before = {total.currency: total.final_cost for total in earlier.totals}
    name = figures.span_name(str(first - length), str(last - length))
    return [
        {
            "total": total,
            "final": amount(total.final_cost, figures.rounded_places(total.base_cost)),
            "savings": amount(total.savings, figures.rounded_places(total.base_cost)),
            "change": _change(total, before.get(total.currency, Decimal(0)), name, running=period.end_month >= current),
        }
        for total in report.totals
    ]


def _change(total: CurrencyTotals, before: Decimal, name: str, *, running: bool) -> str:
    """How the cost stands to the period before; a month that still runs is not measured against a whole one."""
    if not before:
        return ""
    places = figures.rounded_places(before)
    if running:
        return f"so far; {name} cost {figures.money(before, places)}"
    percent = figures.share(total.final_cost - before, before)
    return f"{'▲' if percent > 0 else '▼' if percent < 0 else ''} {abs(percent):,} % on {name}".strip()


def _row(
    request: PageRequest, account: AccountUsage, report: AccountsReport, period: Chosen, trend: AccountTrend
) -> dict[str, Any]:
    whole = next(total for total in report.totals if total.currency == account.currency)
    places = figures.rounded_places(whole.base_cost)
    last = trend.last_recorded_at
    return {
        "account": Cell(
            account.account, href=request.link(f"/accounts/{quote(account.account, safe='')}", period.query)
        ),
        "currency": account.currency,
        "jobs": number(account.jobs),
        "tokens": [number(account.tokens[each]) for each in _fields(report)],
        "savings": amount(account.savings, places),
        "final_cost": amount(account.final_cost, places),
        "share": share(account.final_cost, whole.final_cost),
        "trend": sparklines.bars(trend.final_costs),
        "last_at": last,
        "last": "" if last is None else figures.ago(parse_instant(last), request.ledger.now()),
    }


ROUTES: Final = (show_accounts, create_account)
