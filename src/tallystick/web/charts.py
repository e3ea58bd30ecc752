"""The pictures of an account's usage, and what they show as CSV: each drawn in the browser from our own answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from litestar.exceptions import NotFoundException
from litestar.response import Response

from tallystick import charts
from tallystick.charts import PICTURES, configuration
from tallystick.charts.colours import SLOTS, slots_of
from tallystick.ledger import Ledger
from tallystick.model.csvtext import csv_text
from tallystick.model.forecast import Forecast
from tallystick.model.months import Month, format_day
from tallystick.model.overview import Overview
from tallystick.model.report import DailyReport, UsageReport
from tallystick.model.wire import encode
from tallystick.web.downloads import CSV, attachment
from tallystick.web.pages import page
from tallystick.web.periods import Chosen, chosen_period
from tallystick.web.request import PageRequest

MOST_DAYS: Final = 366
"""A daily report covers no more; of a longer period the picture by day shows the last of it."""

_HEIGHT: Final = 230
"""Pictures beside each other are of one height; shares are as high as there are keys."""

_JSON: Final = "application/json"
_BY_MONTH: Final = ("cost-by-month", "jobs-by-month", "share-by-key")
_BY_DAY: Final = ("tokens-by-day",)


REST: Final = str(SLOTS)
"""The colour of the keys that are drawn as one."""


class Figure(NamedTuple):
    """A picture's place in a page: its title, its data, what it shows in words, and where that stands as a table."""

    name: str
    title: str
    unit: str
    text: str
    source: str
    csv: str
    table: str
    height: int | None


@page(
    "/charts/{picture:str}",
    "/accounts/{account:str}/charts/{picture:str}",
    viewers="account",
    summary="A picture's specification (NAME.json), or what it shows (NAME.csv)",
)
def show_chart(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/charts/{picture}."""
    name, _, form = request.path_name("picture").rpartition(".")
    if name not in (*_BY_MONTH, *_BY_DAY) or form not in ("json", "csv"):
        raise NotFoundException
    overview = request.ledger.overview(request.account)
    period = chosen_period(request, overview.first_month, overview.current_month)
    data = _data(request.ledger, overview, period, name)
    if form == "csv":
        shown = charts.table(name, data)
        return attachment(csv_text(shown.columns, shown.rows), CSV, f"{name}-{period.file_name}.csv")
    forecast = forecast_in(request.ledger, overview, period) if name == "cost-by-month" else None
    order = key_order(request.ledger, overview.account)
    specification = charts.fill(name, data, key_order=order, forecast=forecast)
    return Response(encode(specification), media_type=_JSON)


@page("/chart-styles.json", viewers="anyone", summary="How pictures look in light and in dark")
def show_chart_styles(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/chart-styles.json."""
    styles = {theme: configuration(theme) for theme in charts.THEMES}
    return Response(encode(styles), media_type=_JSON, headers={"Cache-Control": "public, max-age=3600"})


def _data(ledger: Ledger, overview: Overview, period: Chosen, name: str) -> UsageReport | DailyReport:
    if PICTURES[name].drawn_from is DailyReport:
        return ledger.daily(overview.account, *days_of(overview, period))
    return ledger.usage(overview.account, period.start_month, period.end_month)


def forecast_in(ledger: Ledger, overview: Overview, period: Chosen) -> Forecast | None:
    """The forecast of the running month, where a period has it."""
    running = period.start_month <= overview.current_month <= period.end_month
    return ledger.forecast(overview.account, of_keys=False) if running else None


def days_of(overview: Overview, period: Chosen) -> tuple[str, str]:
    """The first and last day of a period: no day to come, where it has others, and no more than a report covers."""
    first = Month.parse(period.start_month).first_day
    last = Month.parse(period.end_month).last_day
    if first <= overview.today < last:
        last = overview.today
    return format_day(max(first, last - (MOST_DAYS - 1))), format_day(last)


def key_order(ledger: Ledger, account: str) -> list[str]:
    """An account's keys in the order of their creation, in which their colours are given out."""
    return [key.name for key in sorted(ledger.accounts.keys(account), key=lambda key: (key.created_at, key.name))]


def key_slots(ledger: Ledger, account: str, report: UsageReport) -> dict[str, str]:
    """The colours of the keys that the share of cost tells apart, as it has them; `REST` is that of all others."""
    first = sorted(report.api_keys.items(), key=lambda item: (-item[1].costs.final, -item[1].jobs, item[0]))
    names = [name for name, _ in first[:SLOTS]]
    slots = slots_of(names, key_order(ledger, account), report.api_keys)
    return {name: str(slot) for name, slot in slots.items()}


def figures_of(
    request: PageRequest, overview: Overview, period: Chosen, report: UsageReport, forecast: Forecast | None
) -> list[Figure]:
    """The pictures of the page of usage."""
    daily = request.ledger.daily(overview.account, *days_of(overview, period))
    texts: dict[str, Callable[[], str]] = {
        "cost-by-month": lambda: charts.describe("cost-by-month", report, forecast=forecast),
        "tokens-by-day": lambda: charts.describe("tokens-by-day", daily),
        "share-by-key": lambda: charts.describe("share-by-key", report),
        "jobs-by-month": lambda: charts.describe("jobs-by-month", report),
    }
    expects = forecast is not None and forecast.month_end is not None
    places = {
        "cost-by-month": (
            "Cost by month",
            f"{report.currency}; dashed: expected at the month's end" if expects else report.currency,
            "#months",
        ),
        "tokens-by-day": (
            "Tokens by day",
            "tokens, by API key",
            request.link(f"{request.account_base}/days", period.query),
        ),
        "share-by-key": ("Share by API key", f"of {report.currency}", "#keys"),
        "jobs-by-month": ("Jobs by month", "jobs", "#months"),
    }

    def source(name: str, form: str) -> str:
        return request.link(f"{request.account_base}/charts/{name}.{form}", period.query)

    return [
        Figure(
            name,
            title,
            unit,
            texts[name](),
            source(name, "json"),
            source(name, "csv"),
            table,
            None if name == "share-by-key" else _HEIGHT,
        )
        for name, (title, unit, table) in places.items()
    ]


ROUTES: Final = (show_chart, show_chart_styles)
