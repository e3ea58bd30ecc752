"""Budgets: set, removed, and seen beside what the month has cost so far."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec
from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response
from msgspec import UNSET, UnsetType

from tallystick.api import examples
from tallystick.api.access import account_of
from tallystick.api.bodies import read_document, submit
from tallystick.api.calls import (
    CURRENCY,
    IN_CURRENCY,
    MANAGERS,
    READERS,
    Answer,
    Body,
    Call,
    json_media,
    read_answer,
    route,
)
from tallystick.api.conditional import Content, answer_read
from tallystick.api.parameters import ACCOUNT, API_KEY
from tallystick.api.request import ApiRequest, in_thread
from tallystick.api.responses import answer_json, answer_nothing
from tallystick.ledger import Ledger
from tallystick.model.wire import encode

_TAG: Final = "budgets"
_PATH: Final = "/usage/budget"


class BudgetRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A budget to be set. `amount` is for each month, in the account's currency; `thresholds` are percent of it.

    An amount may stand in quotes or not; it is read from its digits either way.
    """

    amount: Decimal
    thresholds: list[int] | UnsetType = UNSET


@route(
    Call(
        method=HttpMethod.GET,
        paths={_PATH: "getBudgets"},
        tag=_TAG,
        summary="Budgets and what the month has used of them",
        description=(
            "The account's own budget first, then its keys', each with the cost of the current month so far, exactly "
            "as the usage report has it, and the thresholds that it has reached."
        ),
        allowed=READERS,
        parameters=(ACCOUNT,),
        answer=read_answer("The budgets.", "BudgetReport", examples.BUDGET_REPORT, currency=True),
        problems=(400, 404),
    )
)
async def get_budgets(request: ApiRequest) -> Response[bytes]:
    """GET /usage/budget."""
    return answer_read(request, await in_thread(_budgets, request.ledger, account_of(request)))


def _budgets(ledger: Ledger, account: str) -> Content:
    report = ledger.budgets.list(account)
    return Content(encode(report.to_dict()), report.currency)


@route(
    Call(
        method=HttpMethod.PUT,
        paths={_PATH: "setBudget"},
        tag=_TAG,
        summary="Set the monthly budget of an account or a key",
        description=(
            "In the place of the one that there was; without `api_key` it is the whole account's. A budget tells, and "
            "stops nothing: jobs are finished work when they are reported. Thresholds are whole percents, 50, 80 and "
            "100 where they are left out; an empty list tells of none."
        ),
        allowed=MANAGERS,
        parameters=(ACCOUNT, API_KEY),
        body=Body(description="The budget.", media=json_media("BudgetRequest", examples.BUDGET_REQUEST)),
        answer=Answer(
            status=200,
            description="The account's budgets as they are now.",
            media=json_media("BudgetReport", examples.BUDGET_REPORT),
            headers=IN_CURRENCY,
        ),
        problems=(400, 404, 413, 415),
    )
)
async def set_budget(request: ApiRequest) -> Response[bytes]:
    """PUT /usage/budget."""
    place = account_of(request), request.values.get(API_KEY.name)
    wanted = await read_document(request, BudgetRequest)
    report = await submit(request.ledger.budgets.set, wanted, *place)
    return answer_json(report.to_dict(), headers={CURRENCY: report.currency})


@route(
    Call(
        method=HttpMethod.DELETE,
        paths={_PATH: "removeBudget"},
        tag=_TAG,
        summary="Remove the budget of an account or a key",
        description="Without `api_key` it is the whole account's.",
        allowed=MANAGERS,
        parameters=(ACCOUNT, API_KEY),
        answer=Answer(status=204, description="It is removed."),
        problems=(400, 404),
    )
)
async def remove_budget(request: ApiRequest) -> Response[bytes]:
    """DELETE /usage/budget."""
    await in_thread(request.ledger.budgets.remove, account_of(request), request.values.get(API_KEY.name))
    return answer_nothing()


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (get_budgets, set_budget, remove_budget)
