"""Price plans. Both of these need an admin token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallystick.client.call import Call, json_body, many, one, path_of, query_of
from tallystick.model.accounts import PlanInfo
from tallystick.model.months import Month
from tallystick.model.plans import Plan, parse_plan


def list_plans() -> Call[tuple[PlanInfo, ...]]:
    """Every price plan with all its versions. Raises `RequestError`."""
    return Call("GET", "/plans", many("plans", PlanInfo))


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
