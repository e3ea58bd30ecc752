"""What was used and what it costs."""

from __future__ import annotations

from typing import Final

from tallystick.client.call import CSV, Answer, Call, check_media_type, named, query_of
from tallystick.model.explanation import Explanation
from tallystick.model.forecast import Forecast
from tallystick.model.periods import check_days, check_months
from tallystick.model.report import AccountsReport, DailyReport, UsageReport

CURRENCY_HEADER: Final = "tallystick-currency"
"""The contract's report has no place for the currency, so it comes beside it."""


def get_usage(
    start_month: str | None = None, end_month: str | None = None, *, account: str | None = None
) -> Call[UsageReport]:
    """What an account used in the months from `start_month` to `end_month`, and what it costs.

    Months are ``YYYY-MM`` in the account's time zone, both included, at most 120 of them. Without any, the report
    covers the current month; without an end, it goes up to the current month; without a start, it begins with the
    account's first month, at most 120 months before the end. `account` is for admin tokens, which must name one;
    every other token reads its own account.

    Raises `InvalidInput` (code ``invalid_month`` or ``invalid_period``) before any request, and `RequestError`.
    """
    check_months(start_month, end_month)
    query = query_of(start_month=start_month, end_month=end_month, account=_account(account))
    return Call("GET", "/usage", lambda answer: UsageReport.from_json(answer.body, currency=currency_of(answer)), query)


def get_usage_csv(
    start_month: str | None = None, end_month: str | None = None, *, account: str | None = None
) -> Call[str]:
    """The report of the same months as CSV: a row for each month and API key, every column summing to the totals.

    Text that a spreadsheet would take for a formula has an apostrophe in front. Write it to a file with
    ``newline=""``, as its lines end as RFC 4180 has it. Raises as `get` does.
    """
    check_months(start_month, end_month)
    query = query_of(format="csv", start_month=start_month, end_month=end_month, account=_account(account))
    return Call("GET", "/usage", _text, query)


def explain_usage(
    start_month: str | None = None, end_month: str | None = None, *, account: str | None = None
) -> Call[Explanation]:
    """Every cost of the report for the same months as lines, one for each key, month, meter and price.

    ``quantity * price_per_unit * (1 - discount / 100)`` is the cost of each line, exactly, and the lines sum to the
    report. Each names the ranks that it covers, and the plan version that priced it, which comes along. Months and
    `account` are those of `usage.get`, and so are the errors.
    """
    check_months(start_month, end_month)
    query = query_of(start_month=start_month, end_month=end_month, account=_account(account))
    return Call("GET", "/usage/explain", lambda answer: Explanation.from_json(answer.body), query)


def get_daily_usage(
    start: str | None = None, end: str | None = None, *, account: str | None = None
) -> Call[DailyReport]:
    """The usage report by day and key, for charts. Days are ``YYYY-MM-DD`` in the account's time zone.

    Both ends are included, at most 366 days of them; without any, the report covers the current month up to today.
    `account` is for admin tokens, which must name one.
    Raises `InvalidInput` (code ``invalid_day`` or ``invalid_period``) before any request, and `RequestError`.
    """
    check_days(start, end)
    query = query_of(start=start, end=end, account=_account(account))
    return Call(
        "GET", "/usage/daily", lambda answer: DailyReport.from_json(answer.body, currency=currency_of(answer)), query
    )


def get_forecast(*, account: str | None = None) -> Call[Forecast]:
    """What the current month comes to: jobs, tokens and final cost, each with an interval that holds 4 times in 5.

    And the days on which the free jobs, the next tier and each budget are reached. Where the history is too short,
    `too_little` says what is lacking and `month_end` is `None`. `account` is for admin tokens, which must name one.
    Raises `InvalidInput` for a malformed name before any request, and `RequestError`.
    """
    return Call(
        "GET",
        "/usage/forecast",
        lambda answer: Forecast.from_json(answer.body, currency=currency_of(answer)),
        query_of(account=_account(account)),
    )


def get_usage_of_accounts(
    start_month: str | None = None, end_month: str | None = None, *, cursor: str | None = None, limit: int | None = None
) -> Call[AccountsReport]:
    """Totals per account, most cost first, and of all accounts by currency. Needs an admin token.

    `limit` bounds the accounts of one answer; its `next_cursor`, given as `cursor` together with the same months,
    yields the next ones. Raises `InvalidInput` as `usage.get` does, and `RequestError`.
    """
    check_months(start_month, end_month)
    query = query_of(start_month=start_month, end_month=end_month, cursor=cursor, limit=limit)
    return Call("GET", "/usage/accounts", lambda answer: AccountsReport.from_json(answer.body), query)


def _text(answer: Answer) -> str:
    check_media_type(answer, CSV)
    return answer.body.decode()


def _account(name: str | None) -> str | None:
    return None if name is None else named("account", name)


def currency_of(answer: Answer) -> str:
    """The currency of the amounts in an answer."""
    return answer.headers.get(CURRENCY_HEADER, "")
