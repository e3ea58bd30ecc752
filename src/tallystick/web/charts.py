"""The pictures of an account's usage: drawn in the browser from data that stands in the page, and offered as CSV."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from litestar.exceptions import NotFoundException
from litestar.response import Response
from markupsafe import Markup

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

_PICTURES: Final = ("cost-by-month", "tokens-by-day", "share-by-key", "jobs-by-month")

REST: Final = str(SLOTS)
"""The colour of the keys that are drawn as one."""


class Figure(NamedTuple):
    """A picture's place in a page: its title, what is drawn and what that says in words, as CSV and as a table."""

    name: str
    title: str
    unit: str
    text: str
    specification: Markup
    csv: str
    table: str
    height: int | None


@page(
    "/charts/{picture:str}",
    "/accounts/{account:str}/charts/{picture:str}",
    viewers="account",
    summary="What a picture shows, as CSV",
)
def download_chart(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/charts/NAME.csv."""
    name, _, form = request.path_name("picture").rpartition(".")
    if name not in _PICTURES or form != "csv":
        raise NotFoundException
    overview = request.ledger.overview(request.account)
    period = chosen_period(request, overview.first_month, overview.current_month)
    shown = charts.table(name, _data(request.ledger, overview, period, name))
    return attachment(csv_text(shown.columns, shown.rows), CSV, f"{name}-{period.file_name}.csv")


def inline_json(value: object) -> Markup:
    """Data for a script, to stand in a page as it is: nothing in it can end the element that holds it."""
    return Markup(encode(value).decode().replace("<", "\\u003c"))


@cache
def styles() -> Markup:
    """How pictures look in light and in dark."""
    return inline_json({theme: configuration(theme) for theme in charts.THEMES})


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
    order = key_order(request.ledger, overview.account)
    expects = forecast is not None and forecast.month_end is not None
    cost = f"{report.currency}; dashed: expected at the month's end" if expects else report.currency
    days = request.link(f"{request.account_base}/days", period.query)

    def figure(name: str, title: str, unit: str, table: str) -> Figure:
        data = daily if PICTURES[name].drawn_from is DailyReport else report
        known = {"forecast": forecast} if name == "cost-by-month" else {}
        return Figure(
            name,
            title,
            unit,
            charts.describe(name, data, **known),
            inline_json(charts.fill(name, data, key_order=order, **known)),
            request.link(f"{request.account_base}/charts/{name}.csv", period.query),
            table,
            None if name == "share-by-key" else _HEIGHT,
        )

    return [
        figure("cost-by-month", "Cost by month", cost, "#months"),
        figure("tokens-by-day", "Tokens by day", "tokens, by API key", days),
        figure("share-by-key", "Share by API key", f"of {report.currency}", "#keys"),
        figure("jobs-by-month", "Jobs by month", "jobs", "#months"),
    ]


ROUTES: Final = (download_chart,)
