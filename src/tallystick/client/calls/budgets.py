"""Budgets: what an account, or one of its keys, means to spend in a month."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Final

from tallystick.client.call import Answer, Call, json_body, named, nothing, query_of
from tallystick.client.calls.usage import currency_of
from tallystick.model.budgets import BudgetReport, checked_budget
from tallystick.model.money import plain

_PATH: Final = "/usage/budget"


def list_budgets(*, account: str | None = None) -> Call[BudgetReport]:
    """An account's budgets, what the current month has used of them, and the thresholds that it has passed.

    `account` is for admin tokens, which must name one. Raises `InvalidInput` for a malformed name before any request,
    and `RequestError`.
    """
    return Call("GET", _PATH, _report, query_of(account=_named("account", account)))


def set_budget(
    amount: str | int | Decimal,
    *,
    api_key: str | None = None,
    thresholds: Collection[int] | None = None,
    account: str | None = None,
) -> Call[BudgetReport]:
    """Sets the monthly budget of the account, or of one of its keys, in the place of the one that it had.

    `amount` is a decimal in the account's currency; a float is refused, which has lost digits already. `thresholds` are
    whole percents of it: 50, 80 and 100 where they are left out, none for an empty list. Gives all of the account's
    budgets as they are then. Needs a token of scope
    ``manage``, or an admin token, which must name the `account`. Raises `InvalidInput` before any request, and
    `RequestError`.
    """
    budget = checked_budget(amount, thresholds)
    body = json_body({"amount": plain(budget.amount), "thresholds": list(budget.thresholds)})
    return Call("PUT", _PATH, _report, _place(api_key, account), body)


def remove_budget(*, api_key: str | None = None, account: str | None = None) -> Call[None]:
    """Removes the budget of the account, or of one of its keys.

    Needs a token of scope ``manage``, or an admin token, which must name the `account`. Raises `InvalidInput` for a
    malformed name before any request, `ResourceNotFound` (code ``unknown_budget``) where there is none, and
    `RequestError`. A repeat would meet that error, so it is retried only where the first request surely was not carried
    out.
    """
    return Call("DELETE", _PATH, nothing, _place(api_key, account), repeatable=False)


def _report(answer: Answer) -> BudgetReport:
    return BudgetReport.from_json(answer.body, currency=currency_of(answer))


def _place(api_key: str | None, account: str | None) -> dict[str, str]:
    return query_of(api_key=_named("api_key", api_key), account=_named("account", account))


def _named(parameter: str, name: str | None) -> str | None:
    return None if name is None else named(parameter, name)
