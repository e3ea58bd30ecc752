"""What accounts used and what it costs: the report, by month, by day and over all accounts."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.api import examples
from tallystick.api.access import account_of
from tallystick.api.calls import ADMINS, JSON, READERS, Call, Media, read_answer, route
from tallystick.api.conditional import Content, answer_read
from tallystick.api.formats import CSV, CSV_SENT, format_of, format_parameter
from tallystick.api.parameters import ACCOUNT, CURSOR, END, END_MONTH, LIMIT, START, START_MONTH, limit_of
from tallystick.api.request import ApiRequest, in_thread
from tallystick.ledger import Ledger
from tallystick.model.wire import encode

_TAG: Final = "usage"
_FORMATS: Final = {"json": JSON, "csv": CSV}
_REPORT: Final = read_answer("The report.", "UsageReport", examples.USAGE_REPORT, currency=True)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/usage": "getUsage", "/user/usage": "getUserUsage"},
        tag=_TAG,
        summary="Usage and cost of an account",
        description=(
            "Jobs, tokens and cost of some months, by month and by API key. Without parameters it covers the current "
            "month. Months sum to totals, keys sum to totals, tiers sum to jobs, and base_cost - savings is "
            "final_cost, all exactly. `/user/usage` is the same, kept for existing clients. As CSV (format=csv, or "
            "Accept) it is one row for each month and API key, and every column sums to the totals; text that a "
            "spreadsheet would take for a formula has an apostrophe in front."
        ),
        allowed=READERS,
        parameters=(START_MONTH, END_MONTH, format_parameter(_FORMATS), ACCOUNT),
        answer=msgspec.structs.replace(
            _REPORT, media={**_REPORT.media, CSV: Media(schema={"type": "string"}, example=examples.USAGE_CSV)}
        ),
        problems=(400, 404),
    )
)
async def get_usage(request: ApiRequest) -> Response[bytes]:
    """GET /usage."""
    asked = account_of(request), request.values.get("start_month"), request.values.get("end_month")
    if format_of(request, _FORMATS) == "csv":
        return answer_read(request, await in_thread(_usage_csv, request.ledger, *asked), media_type=CSV_SENT)
    return answer_read(request, await in_thread(_usage, request.ledger, *asked))


def _usage(ledger: Ledger, account: str, start_month: str | None, end_month: str | None) -> Content:
    report = ledger.usage(account, start_month, end_month)
    return Content(encode(report.to_dict()), report.currency)


def _usage_csv(ledger: Ledger, account: str, start_month: str | None, end_month: str | None) -> Content:
    table = ledger.usage_table(account, start_month, end_month)
    return Content(table.to_csv().encode(), table.currency)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/usage/explain": "explainUsage"},
        tag=_TAG,
        summary="Every cost of an account as lines",
        description=(
            "The report for the same months, taken apart: one line for each API key, month, meter and price, with "
            "quantity, price per unit, discount, cost, the ranks that it covers and the plan version that priced it. "
            "quantity * price_per_unit * (1 - discount / 100) is final_cost, and the lines sum to the report, exactly."
        ),
        allowed=READERS,
        parameters=(START_MONTH, END_MONTH, ACCOUNT),
        answer=read_answer("The lines.", "Explanation", examples.EXPLANATION, currency=True),
        problems=(400, 404),
    )
)
async def explain_usage(request: ApiRequest) -> Response[bytes]:
    """GET /usage/explain."""
    months = request.values.get("start_month"), request.values.get("end_month")
    return answer_read(request, await in_thread(_explain, request.ledger, account_of(request), *months))


def _explain(ledger: Ledger, account: str, start_month: str | None, end_month: str | None) -> Content:
    explanation = ledger.explain(account, start_month, end_month)
    return Content(encode(explanation.to_dict()), explanation.currency)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/usage/daily": "getDailyUsage"},
        tag=_TAG,
        summary="Usage and cost by day",
        description="The same report by day and API key, for charts. Days are those of the account's time zone; "
        "without parameters it covers the current month.",
        allowed=READERS,
        parameters=(START, END, ACCOUNT),
        answer=read_answer("The report by day.", "DailyReport", examples.DAILY_REPORT, currency=True),
        problems=(400, 404),
    )
)
async def get_daily_usage(request: ApiRequest) -> Response[bytes]:
    """GET /usage/daily."""
    days = request.values.get("start"), request.values.get("end")
    return answer_read(request, await in_thread(_daily, request.ledger, account_of(request), *days))


def _daily(ledger: Ledger, account: str, start: str | None, end: str | None) -> Content:
    report = ledger.daily(account, start, end)
    return Content(encode(report.to_dict()), report.currency)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/usage/forecast": "getForecast"},
        tag=_TAG,
        summary="What the current month comes to",
        description=(
            "Jobs, tokens and final cost at the end of the month, each with an interval that holds four times in five, "
            "and the days on which the free jobs, the next tier and each budget are reached. What is to come is rated "
            "as jobs are, at the ranks that follow. Where the history is too short, `too_little` says what is lacking."
        ),
        allowed=READERS,
        parameters=(ACCOUNT,),
        answer=read_answer("The forecast.", "Forecast", examples.FORECAST, currency=True),
        problems=(400, 404),
    )
)
async def get_forecast(request: ApiRequest) -> Response[bytes]:
    """GET /usage/forecast."""
    return answer_read(request, await in_thread(_forecast, request.ledger, account_of(request)))


def _forecast(ledger: Ledger, account: str) -> Content:
    forecast = ledger.forecast(account)
    return Content(encode(forecast.to_dict()), forecast.currency)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/usage/accounts": "getUsageOfAccounts"},
        tag=_TAG,
        summary="Usage and cost of all accounts",
        description="Totals per account, most cost first, and of all accounts by currency.",
        allowed=ADMINS,
        parameters=(START_MONTH, END_MONTH, CURSOR, LIMIT),
        answer=read_answer("A page of accounts.", "AccountsReport", examples.ACCOUNTS_REPORT),
        problems=(400, 409),
    )
)
async def get_usage_of_accounts(request: ApiRequest) -> Response[bytes]:
    """GET /usage/accounts."""
    arguments = {name: request.values.get(name) for name in ("start_month", "end_month", "cursor")}
    return answer_read(request, await in_thread(_accounts, request.ledger, arguments, limit_of(request)))


def _accounts(ledger: Ledger, arguments: dict[str, Any], limit: int) -> Content:
    report = ledger.usage_of_accounts(**arguments, limit=limit)
    return Content(encode(report.to_dict()))


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (
    get_usage,
    explain_usage,
    get_daily_usage,
    get_forecast,
    get_usage_of_accounts,
)
