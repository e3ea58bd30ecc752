"""Price plans: what each says, since when, and a new version of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from litestar.response import Response

from tallystick.errors import FieldError, InvalidInput, InvalidPlan
from tallystick.model.accounts import PlanInfo, PlanVersionInfo
from tallystick.model.months import Month
from tallystick.model.planfiles import plan_toml, read_plan
from tallystick.model.plans import Plan
from tallystick.web import figures
from tallystick.web.answers import redirect, show
from tallystick.web.pages import Form, action, field, page
from tallystick.web.request import PageRequest

LONGEST_LINE: Final = 500
"""Characters: a key of thousands of dotted parts would take the TOML parser gigabytes."""

LONGEST_PLAN: Final = 64 * 1024


@page("/plans", viewers="provider", summary="All price plans")
def show_plans(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/plans."""
    plans = [_shown(request, plan) for plan in request.ledger.plans.list()]
    return show(request, "plans.html", title="Plans", plans=plans, default=request.settings.default_plan)


@page("/plans/{plan:str}", viewers="provider", summary="A price plan with its versions, and a form for the next")
def show_plan(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/plans/{plan}."""
    return _plan_page(request, request.ledger.plans.get(request.path_name("plan")))


@page("/new-plan", viewers="provider", summary="A form for a new price plan")
def show_new_plan(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/new-plan."""
    standard = request.ledger.plans.get(request.settings.default_plan)
    return _plan_page(request, None, text=plan_toml({**standard.versions[-1].plan, "name": "a new name"}))


@action("/plans", viewers="provider", summary="Store a price plan, or a version of one")
def put_plan(request: PageRequest, form: Form) -> Response[bytes]:
    """POST /dashboard/plans."""
    text, month, name = field(form, "document"), field(form, "effective_from").strip(), field(form, "plan")
    try:
        plan = _read(text)
        if name and plan.name != name:
            raise InvalidPlan([FieldError(f"must stay {name!r}; another plan has a page of its own", key="name")])
        request.ledger.plans.put(plan, effective_from=month or None)
    except InvalidInput as error:
        known = request.ledger.plans.get(name) if name else None
        return _plan_page(request, known, text=text, month=month, errors=error.errors, status=400)
    return redirect(request.link(f"/plans/{quote(plan.name, safe='')}", {"done": "stored"}))


def _read(text: str) -> Plan:
    if len(text) > LONGEST_PLAN or any(len(line) > LONGEST_LINE for line in text.splitlines()):
        raise InvalidPlan([FieldError(f"is too long; a line has at most {LONGEST_LINE} characters")])
    return read_plan(text)


def _plan_page(
    request: PageRequest,
    plan: PlanInfo | None,
    *,
    text: str = "",
    month: str = "",
    errors: Sequence[FieldError] = (),
    status: int = 200,
) -> Response[bytes]:
    request.stand_for("/plans")
    return show(
        request,
        "plan.html",
        status=status,
        title=plan.name if plan else "New plan",
        plan=_shown(request, plan) if plan else None,
        text=text or (plan_toml(plan.versions[-1].plan) if plan else ""),
        month=month,
        next_month=_next_month(request) if plan else "",
        errors=errors,
        done="done" in request.values and not errors,
    )


def _next_month(request: PageRequest) -> str:
    return str(Month.parse(request.ledger.months()[1]) + 1)


def _shown(request: PageRequest, plan: PlanInfo) -> dict[str, Any]:
    current = request.ledger.months()[1]
    started = [version for version in plan.versions if (version.effective_from or "") <= current]
    in_force = started[-1] if started else plan.versions[0]
    return {
        "name": plan.name,
        "currency": plan.currency,
        "href": request.link(f"/plans/{quote(plan.name, safe='')}"),
        "versions": [_version(version, in_force) for version in reversed(plan.versions)],
        "in_force": _version(in_force, in_force),
    }


def _version(version: PlanVersionInfo, in_force: PlanVersionInfo) -> dict[str, Any]:
    document = version.plan
    return {
        "since": version.effective_from or "the beginning",
        "in_force": version is in_force,
        "free_jobs": figures.count(document["free_jobs"]),
        "free_monthly": document.get("free_jobs_reset") == "month",
        "monthly": document.get("reset") == "month",
        "meters": [
            {**meter, "name": figures.meter_name(meter["id"]), "per": figures.count(meter["per"])}
            for meter in document["meters"]
        ],
        "tiers": [
            {"after_jobs": figures.count(tier["after_jobs"]), "discount": tier["discount"].removesuffix(".0")}
            for tier in document["tiers"]
        ],
    }


ROUTES: Final = (show_plans, show_plan, show_new_plan, put_plan)
