"""The ledger: an account's single jobs in rank order, each with what decided its price."""

from __future__ import annotations

from typing import Final

from litestar.response import Response

from tallystick.model.jobs import LedgerJob
from tallystick.model.overview import Overview
from tallystick.web import figures
from tallystick.web.answers import show
from tallystick.web.pages import page
from tallystick.web.periods import chosen_period
from tallystick.web.request import PageRequest

JOBS_PER_PAGE: Final = 50


@page("/jobs", "/accounts/{account:str}/jobs", viewers="account", summary="Single jobs with rank, tier and cost")
def show_jobs(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/jobs and /dashboard/accounts/{account}/jobs."""
    overview = request.ledger.overview(request.account)
    period = chosen_period(request, overview.first_month, overview.current_month)
    found = request.ledger.jobs(
        overview.account,
        period.start_month,
        period.end_month,
        cursor=request.values.get("cursor"),
        limit=JOBS_PER_PAGE,
    )
    places = figures.exact_places(cost for job in found.jobs for cost in (job.base_cost, job.final_cost))
    return show(
        request,
        "jobs.html",
        title=f"Ledger {period.label}",
        overview=overview,
        period=period,
        meters=[figures.meter_name(meter.id) for meter in overview.meters],
        rows=[_row(job, overview, places) for job in found.jobs],
        first=request.link_here(cursor=None) if "cursor" in request.values else "",
        next=request.link_here(cursor=found.next_cursor) if found.next_cursor else "",
    )


def _row(job: LedgerJob, overview: Overview, places: int) -> dict[str, object]:
    return {
        "rank": figures.count(job.rank),
        "id": job.id,
        "api_key": job.api_key,
        "completed_at": job.completed_at,
        "late": job.booked_at != job.completed_at,
        "booked_at": job.booked_at,
        "tokens": [figures.count(job.tokens[meter.id]) for meter in overview.meters],
        "tier": job.tier,
        "free": job.free,
        "discount": figures.percent(job.discount),
        "base_cost": figures.money(job.base_cost, places),
        "final_cost": figures.money(job.final_cost, places),
    }


ROUTES: Final = (show_jobs,)
