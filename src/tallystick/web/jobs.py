"""The ledger: an account's single jobs in rank order, each with what decided its price."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

from litestar.response import Response

from tallystick.errors import InvalidInput
from tallystick.model.jobs import LedgerJob
from tallystick.model.overview import Overview
from tallystick.model.plans import MAX_RANK, MAX_TIERS
from tallystick.web import figures
from tallystick.web.answers import show
from tallystick.web.pages import page
from tallystick.web.periods import Filter, Option, chosen_period
from tallystick.web.request import PageRequest

JOBS_PER_PAGE: Final = 50
HAS_PARQUET: Final = find_spec("pyarrow") is not None
"""Whether the extra that writes Parquet is installed; without it the file is not offered."""


@page("/jobs", "/accounts/{account:str}/jobs", viewers="account", summary="Single jobs with rank, tier and cost")
def show_jobs(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/jobs and /dashboard/accounts/{account}/jobs."""
    overview = request.ledger.overview(request.account)
    period = chosen_period(request, overview.first_month, overview.current_month)
    api_key, tier = request.values.get("api_key"), _whole_number(request, "tier", MAX_TIERS)
    found = request.ledger.slice(
        overview.account,
        period.start_month,
        period.end_month,
        api_key=api_key,
        tier=tier,
        behind=_whole_number(request, "behind", MAX_RANK),
        before=_whole_number(request, "before", MAX_RANK),
        limit=JOBS_PER_PAGE,
    )
    places = figures.exact_places(cost for job in found.jobs for cost in (job.base_cost, job.final_cost))
    return show(
        request,
        "jobs.html",
        title=f"Ledger {period.label}",
        overview=overview,
        period=period,
        filters=[_key_filter(request, overview, api_key), _tier_filter(overview, tier)],
        has_parquet=HAS_PARQUET,
        meters=[figures.meter_name(meter.id) for meter in overview.meters],
        rows=[_row(job, overview, places) for job in found.jobs],
        first=request.link_here(behind=None, before=None) if found.previous else "",
        previous=request.link_here(behind=None, before=str(found.previous)) if found.previous else "",
        next=request.link_here(behind=str(found.next), before=None) if found.next else "",
    )


def _whole_number(request: PageRequest, name: str, most: int) -> int | None:
    text = request.values.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise InvalidInput.parameter(name, f"must be a whole number from 1 to {most}", code="invalid_parameter")
    return int(text)


def _key_filter(request: PageRequest, overview: Overview, chosen: str | None) -> Filter:
    names = [key.name for key in request.ledger.accounts.keys(overview.account)]
    return Filter("api_key", "Key", [Option("", "All keys"), *(Option(name, name) for name in names)], chosen or "")


def _tier_filter(overview: Overview, chosen: int | None) -> Filter:
    tiers = [
        Option(str(mark.number), f"{mark.number} · {figures.percent(mark.discount)}")
        for mark in overview.standing.tiers
    ]
    if chosen is not None and chosen > len(tiers):
        tiers.append(Option(str(chosen), str(chosen)))
    return Filter("tier", "Tier", [Option("", "All tiers"), *tiers], "" if chosen is None else str(chosen))


def _row(job: LedgerJob, overview: Overview, places: int) -> dict[str, Any]:
    return {
        "rank": figures.count(job.rank),
        "id": job.id,
        "api_key": job.api_key,
        "completed_at": job.completed_at,
        "late": job.late,
        "booked_at": job.booked_at,
        "tokens": [figures.count(job.tokens[meter.id]) for meter in overview.meters],
        "tier": job.tier,
        "free": job.free,
        "discount": figures.percent(job.discount),
        "base_cost": figures.money(job.base_cost, places),
        "final_cost": figures.money(job.final_cost, places),
    }


ROUTES: Final = (show_jobs,)
