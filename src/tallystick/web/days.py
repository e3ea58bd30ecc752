"""Usage by day and API key: what the picture of tokens by day shows, as a table."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

from litestar.response import Response

from tallystick.model.money import EXACT, ZERO
from tallystick.model.overview import Overview
from tallystick.model.plans import Meter
from tallystick.model.report import Costs, DailyReport, KeyUsage
from tallystick.web import figures
from tallystick.web.answers import show
from tallystick.web.charts import days_of
from tallystick.web.pages import page
from tallystick.web.periods import chosen_period
from tallystick.web.request import PageRequest
from tallystick.web.tables import Cell, Column, Table, amount, make_table, money_columns, number

ROWS_PER_PAGE: Final = 50


class Row(NamedTuple):
    """What a key used on a day."""

    day: str
    key: str
    usage: KeyUsage


@page("/days", "/accounts/{account:str}/days", viewers="account", summary="Usage and cost by day and API key")
def show_days(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/days and /dashboard/accounts/{account}/days."""
    overview = request.ledger.overview(request.account)
    period = chosen_period(request, overview.first_month, overview.current_month)
    report = request.ledger.daily(overview.account, *days_of(overview, period))
    return show(
        request,
        "days.html",
        title=f"Days {period.label}",
        overview=overview,
        period=period,
        days=f"{report.start} to {report.end}",
        table=_table(request, overview, report),
    )


def _table(request: PageRequest, overview: Overview, report: DailyReport) -> Table:
    rows = [Row(day.day, name, usage) for day in report.days for name, usage in day.api_keys.items()]
    base, savings, final = (_sum(rows, costs) for costs in (_base, _savings, _final))
    places = figures.exact_places(each for row in rows for each in (row.usage.costs.base, row.usage.costs.savings))
    columns: list[Column[Row]] = [
        Column("day", "Day", lambda row: Cell(row.day), lambda row: row.day, False),
        Column("key", "API key", lambda row: Cell(row.key), lambda row: row.key.encode(), False),
        Column("jobs", "Jobs", lambda row: number(row.usage.jobs), lambda row: row.usage.jobs),
        *(_meter_column(meter) for meter in overview.meters),
        *money_columns(report.currency, places, _costs),
    ]
    tokens = (sum(row.usage.tokens[meter.id] for row in rows) for meter in overview.meters)
    money = (amount(each, places) for each in (base, savings, final))
    jobs = sum(row.usage.jobs for row in rows)
    return make_table(
        request,
        name="days",
        caption="Days and API keys",
        columns=columns,
        rows=rows,
        total=[Cell("Total"), Cell(""), number(jobs), *map(number, tokens), *money],
        default="-day",
        rows_per_page=ROWS_PER_PAGE,
    )


def _meter_column(meter: Meter) -> Column[Row]:
    def tokens(row: Row) -> int:
        return row.usage.tokens[meter.id]

    return Column(meter.report_as, figures.meter_name(meter.id), lambda row: number(tokens(row)), tokens, unit="tokens")


def _costs(row: Row) -> Costs:
    return row.usage.costs


def _base(row: Row) -> Decimal:
    return row.usage.costs.base


def _savings(row: Row) -> Decimal:
    return row.usage.costs.savings


def _final(row: Row) -> Decimal:
    return row.usage.costs.final


def _sum(rows: list[Row], of: Callable[[Row], Decimal]) -> Decimal:
    total = ZERO
    for row in rows:
        total = EXACT.add(total, of(row))
    return total


ROUTES: Final = (show_days,)
