"""Price plans. All of these need an admin token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallystick.client.call import Call, json_body, many, named, one, path_of, query_of
from tallystick.model.accounts import PlanInfo
from tallystick.model.months import Month
from tallystick.model.plans import Plan, parse_plan
from tallystick.model.simulation import Simulation, simulations_from_json


def list_plans() -> Call[tuple[PlanInfo, ...]]:
    """Every price plan with all its versions. Raises `RequestError`."""
    return Call("GET", "/plans", many("plans", PlanInfo))


def simulate_plan(
    plan: Plan | Mapping[str, Any],
    start_month: str | None = None,
    end_month: str | None = None,
    *,
    account: str | None = None,
) -> Call[tuple[Simulation, ...]]:
    """What every account, or one, would have paid if a price plan had held from its first job. Stores nothing.

    Months are ``YYYY-MM``, both included; without them the whole history up to the current month. Gives one simulation
    for each currency in which the accounts pay. `plan` and the errors are those of `put`.
    """
    checked = parse_plan(plan.to_document() if isinstance(plan, Plan) else plan)
    for name, month in (("start_month", start_month), ("end_month", end_month)):
        if month is not None:
            Month.parse(month, name)
    months = {"from": start_month, "to": end_month}
    query = query_of(**months, account=None if account is None else named("account", account))
    body = json_body(checked.to_document())
    return Call("POST", "/plans/simulate", lambda answer: simulations_from_json(answer.body), query, body)


def put_plan(plan: Plan | Mapping[str, Any], *, effective_from: str | None = None) -> Call[PlanInfo]:
    """Stores a price plan, or a version of one that takes effect at the start of a month (``YYYY-MM``).

    `plan` is a `Plan` or the mapping that a plan file holds. Raises `InvalidPlan`, which names the key of every
    mistake, and `InvalidInput` for a malformed month before any request; and `RequestError`.
    """
    checked = parse_plan(plan.to_document() if isinstance(plan, Plan) else plan)
    if effective_from is not None:
        Month.parse(effective_from, "effective_from")
    query = query_of(effective_from=effective_from)
    return Call("PUT", path_of("plans", checked.name), one(PlanInfo), query, json_body(checked.to_document()))
