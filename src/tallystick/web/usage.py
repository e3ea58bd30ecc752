"""What an account used and what it costs: the first page of its customer."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final, NamedTuple, TypeVar

from litestar.response import Response
from markupsafe import Markup

from tallystick.model.forecast import Forecast
from tallystick.model.overview import Overview
from tallystick.model.plans import Meter
from tallystick.model.report import Costs, KeyUsage, MonthUsage, Totals, UsageReport
from tallystick.web import figures, sparklines
from tallystick.web.answers import show
from tallystick.web.charts import REST, figures_of, forecast_in, key_slots, styles
from tallystick.web.pages import page
from tallystick.web.periods import Chosen, chosen_period
from tallystick.web.request import PageRequest
from tallystick.web.standing import Track, track_of
from tallystick.web.tables import Cell, Column, Table, amount, make_table, money_columns, number, share

MONTHS_PER_PAGE: Final = 24
KEYS_PER_PAGE: Final = 25

_NOW: Final = "{now}"
"""Stands for the instant at which the first job's command is run."""

KeyRow = tuple[str, KeyUsage]
Row = TypeVar("Row")


class Card(NamedTuple):
    """A figure at the top of the page: what it is, its short form and its exact value, and a picture by month."""

    label: str
    text: str
    exact: str
    unit: str
    picture: Markup


class UsageView(NamedTuple):
    """Everything that the page shows of a report."""

    period: Chosen
    currency: str
    amounts: Cell
    costs: CostCard
    cards: list[Card]
    track: Track
    months: Table
    keys: Table


class CostCard(NamedTuple):
    """What the period costs, and how that comes about."""

    final: Cell
    base: Cell
    savings: Cell
    discount: str
    picture: Markup
    expected: Expected | None


class Expected(NamedTuple):
    """What the running month's final cost is expected to be, and the ends of its interval."""

    month: str
    final: Cell
    low: Cell
    high: Cell


@page("/", "/accounts/{account:str}", viewers="account", summary="Usage and cost of an account")
def show_usage(request: PageRequest) -> Response[bytes]:
    """GET /dashboard and /dashboard/accounts/{account}."""
    overview = request.ledger.overview(request.account)
    period = chosen_period(request, overview.first_month, overview.current_month)
    report = request.ledger.usage(overview.account, period.start_month, period.end_month)
    forecast = forecast_in(request.ledger, overview, period)
    if not overview.months:
        return show(request, "first_job.html", title="Usage", overview=overview, command=_first_command(request))
    return show(
        request,
        "usage.html",
        title=f"Usage {period.label}",
        overview=overview,
        view=_view(request, overview, period, report, forecast),
        styles=styles(),
        charts=figures_of(request, overview, period, report, forecast) if report.totals.jobs else [],
        nearest=None if report.totals.jobs else overview.nearest_month(period.start_month, period.end_month),
    )


def _first_command(request: PageRequest) -> str:
    """The command that reports an account's first job to this server."""
    job = {
        "id": "job_0001",
        "account": request.account,
        "api_key": "my first key",
        "completed_at": _NOW,
        "tokens": {"transcription": 5, "note_generation": 10},
    }
    url = f"{request.api_address}/jobs"
    header = '-H "Authorization: Bearer $TALLYSTICK_TOKEN" -H "Content-Type: application/json"'
    body = shlex.quote(json.dumps(job, ensure_ascii=False)).replace(_NOW, "'$(date -u +%Y-%m-%dT%H:%M:%SZ)'")
    return f"curl {shlex.quote(url)} \\\n  {header} \\\n  -d {body}"


def _view(
    request: PageRequest, overview: Overview, period: Chosen, report: UsageReport, forecast: Forecast | None
) -> UsageView:
    exact = request.values.get("amounts") == "exact"
    places = figures.exact_places(_amounts(report)) if exact else figures.rounded_places(report.totals.base_cost)
    totals = report.totals
    return UsageView(
        period=period,
        currency=report.currency,
        amounts=Cell(
            "Rounded amounts" if exact else "Exact amounts", href=request.link_here(amounts=None if exact else "exact")
        ),
        costs=CostCard(
            final=amount(totals.final_cost, places),
            base=amount(totals.base_cost, places),
            savings=amount(totals.savings, places),
            discount=figures.percent(totals.effective_discount_percentage),
            picture=sparklines.bars([month.final_cost for month in report.monthly_breakdown]),
            expected=_expected(forecast, places),
        ),
        cards=_cards(report, overview),
        track=track_of(overview, places, _jobs_by_tier(request, report)),
        months=_months(request, overview, report, places),
        keys=_keys(request, overview, report, places),
    )


def _expected(forecast: Forecast | None, places: int) -> Expected | None:
    if forecast is None or forecast.month_end is None:
        return None
    cost = forecast.month_end.final_cost
    final, low, high = (amount(value, places) for value in (cost.expected, cost.low, cost.high))
    return Expected(figures.month_name(forecast.month), final, low, high)


def _amounts(report: UsageReport) -> Iterator[Decimal]:
    """Every amount that the page shows; final cost has no more digits than these together."""
    yield from (report.totals.base_cost, report.totals.savings)
    for month in report.monthly_breakdown:
        yield from (month.base_cost, month.savings)
    for key in report.api_keys.values():
        yield from (key.costs.base, key.costs.savings)


def _cards(report: UsageReport, overview: Overview) -> list[Card]:
    months, totals = report.monthly_breakdown, report.totals
    jobs = sparklines.bars([month.jobs for month in months])
    cards = [Card("Jobs", figures.compact(totals.jobs), figures.count(totals.jobs), "", jobs)]
    for meter in overview.meters:
        sums = totals.tokens[meter.report_as]
        picture = sparklines.bars([month.tokens[meter.report_as] for month in months])
        name = figures.meter_name(meter.id)
        cards.append(Card(name, figures.compact(sums), figures.count(sums), "tokens", picture))
    return cards


def _meter_column(meter: Meter, of: Callable[[Row], int]) -> Column[Row]:
    """The column of a meter's tokens; it sorts by the name of the report's field."""
    return Column(meter.report_as, figures.meter_name(meter.id), lambda row: number(of(row)), of, unit="tokens")


def _months(request: PageRequest, overview: Overview, report: UsageReport, places: int) -> Table:
    columns: list[Column[MonthUsage]] = [
        Column("month", "Month", lambda m: Cell(m.month, href=_of_month(request, m.month)), lambda m: m.month, False),
        Column(
            "jobs",
            "Jobs",
            lambda m: number(m.jobs, _jobs_of(request, m.month, m.month) if m.jobs else ""),
            lambda m: m.jobs,
        ),
        *(_meter_column(meter, _tokens_of_month(meter)) for meter in overview.meters),
        *money_columns(report.currency, places, _costs_of_month),
        Column(
            "current_tier_discount",
            "Tier",
            lambda m: Cell(figures.percent(m.current_tier_discount)),
            lambda m: m.current_tier_discount,
        ),
    ]
    return make_table(
        request,
        name="months",
        caption="Months",
        columns=columns,
        rows=report.monthly_breakdown,
        total=[*_sums(report.totals, places), Cell("")],
        default="-month",
        rows_per_page=MONTHS_PER_PAGE,
    )


def _costs_of_month(month: MonthUsage) -> Costs:
    return Costs(month.base_cost, month.final_cost, month.savings)


def _tokens_of_month(meter: Meter) -> Callable[[MonthUsage], int]:
    return lambda month: month.tokens[meter.report_as]


def _keys(request: PageRequest, overview: Overview, report: UsageReport, places: int) -> Table:
    totals = report.totals

    def jobs_of(row: KeyRow) -> str:
        return _jobs_of(request, report.period.start_month, report.period.end_month, api_key=row[0])

    slots = key_slots(request.ledger, overview.account, report)
    columns: list[Column[KeyRow]] = [
        Column(
            "name",
            "API key",
            lambda row: Cell(row[0], slot=slots.get(row[0], REST)),
            lambda row: row[0].encode(),
            False,
        ),
        Column("jobs", "Jobs", lambda row: number(row[1].jobs, jobs_of(row)), lambda row: row[1].jobs),
        *(_meter_column(meter, _tokens_of_key(meter)) for meter in overview.meters),
        *money_columns(report.currency, places, _costs_of_key),
        Column("share", "Share", lambda row: share(row[1].costs.final, totals.final_cost), lambda r: r[1].costs.final),
    ]
    return make_table(
        request,
        name="keys",
        caption="API keys",
        columns=columns,
        rows=list(report.api_keys.items()),
        total=[*_sums(totals, places), Cell("100 %" if totals.final_cost else "")],
        default="-final_cost",
        rows_per_page=KEYS_PER_PAGE,
    )


def _costs_of_key(row: KeyRow) -> Costs:
    return row[1].costs


def _tokens_of_key(meter: Meter) -> Callable[[KeyRow], int]:
    return lambda row: row[1].tokens[meter.id]


def _sums(totals: Totals, places: int) -> list[Cell]:
    money = (amount(value, places) for value in (totals.base_cost, totals.savings, totals.final_cost))
    return [Cell("Total"), number(totals.jobs), *(number(sums) for sums in totals.tokens.values()), *money]


def _of_month(request: PageRequest, month: str) -> str:
    return request.link_here(start_month=month, end_month=month, months_page=None, keys_page=None)


def _jobs_of(request: PageRequest, start_month: str, end_month: str, **only: str) -> str:
    """The link to the jobs behind a figure."""
    return request.link(f"{request.account_base}/jobs", {"start_month": start_month, "end_month": end_month, **only})


def _jobs_by_tier(request: PageRequest, report: UsageReport) -> dict[int, Cell]:
    """The jobs of the period in each tier, by its number, with the link to them."""
    period = report.period
    sums: Counter[str] = Counter()
    for month in report.monthly_breakdown:
        sums.update(month.tiers)
    numbers = {int(name.removeprefix("tier")): jobs for name, jobs in sums.items() if jobs}
    return {
        tier: number(jobs, _jobs_of(request, period.start_month, period.end_month, tier=str(tier)))
        for tier, jobs in numbers.items()
    }


ROUTES: Final = (show_usage,)
