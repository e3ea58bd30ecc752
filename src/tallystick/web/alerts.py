"""Alerts: what an account is told of in time, and what for."""

from __future__ import annotations

from typing import Final

from litestar.response import Response

from tallystick.errors import InvalidInput
from tallystick.web.answers import redirect, show
from tallystick.web.budgets import GivenBudget, budget_forms, budget_rows, given_budget, remove, set_from
from tallystick.web.pages import Form, action, page
from tallystick.web.request import PageRequest
from tallystick.web.webhooks import endpoint_section

PATH: Final = "/alerts"
_REFUSED: Final = 400


@page(
    PATH,
    f"/accounts/{{account:str}}{PATH}",
    viewers="account",
    summary="Budgets, what is expected of them, and webhooks",
)
def show_alerts(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/alerts and /dashboard/accounts/{account}/alerts."""
    return _shown(request)


@action(
    f"{PATH}/budgets", f"/accounts/{{account:str}}{PATH}/budgets", viewers="managers", summary="Set or remove a budget"
)
def change_budgets(request: PageRequest, form: Form) -> Response[bytes]:
    """POST /dashboard/alerts/budgets and /dashboard/accounts/{account}/alerts/budgets."""
    given = given_budget(form)
    try:
        if "remove" in form:
            remove(request, given)
        else:
            set_from(request, given)
    except InvalidInput as error:
        return _shown(request, given, error)
    return redirect(request.link(f"{request.account_base}{PATH}"))


def _shown(
    request: PageRequest, given: GivenBudget | None = None, error: InvalidInput | None = None
) -> Response[bytes]:
    overview = request.ledger.overview(request.account)
    foreseen = request.ledger.forecast(overview.account)
    return show(
        request,
        "alerts.html",
        status=200 if error is None else _REFUSED,
        title="Alerts",
        overview=overview,
        month=foreseen.month,
        budgets=budget_rows(request.ledger.budgets.list(overview.account), foreseen),
        too_little=foreseen.too_little,
        form=budget_forms(request, overview.account, given, error) if request.may_manage else None,
        webhooks=endpoint_section(request) if request.may_manage else None,
        act=request.link(f"{request.account_base}{PATH}/budgets"),
    )


ROUTES: Final = (show_alerts, change_budgets)
