"""A statement put together from a walk over its month. Pure: the same jobs and plan give the same bytes.

The server makes a statement with this, and the customer makes it again to compare.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tallystick.model.explanation import ExplainedPlan
from tallystick.model.months import Month
from tallystick.model.plans import Meter, PlanVersion
from tallystick.model.report import Period
from tallystick.model.rounding import rounded_costs
from tallystick.model.statement import FORM, LiveJobs, PreviousStatement, Statement, StatementJobs
from tallystick.rating.bands import free_jobs_left
from tallystick.report.building import build_report
from tallystick.report.lines import PricedMonth, build_explanation
from tallystick.report.monthwalk import MonthWalk


class MonthTerms(NamedTuple):
    """What holds for an account's month before any job is looked at. Instants are RFC 3339, `ends_at` excluded.

    `plan_document` is that of `version`, as it stands in the statement.
    """

    account: str
    month: Month
    time_zone: str
    starts_at: str
    ends_at: str
    currency: str
    meters: tuple[Meter, ...]
    version: PlanVersion
    plan_document: dict[str, Any]
    previous: PreviousStatement | None
    live_jobs_before: int


def build_statement(terms: MonthTerms, walk: MonthWalk) -> Statement:
    """The statement of a month that has been walked over."""
    stretch, key_names = walk.stretch()
    period = Period(str(terms.month), str(terms.month))
    live_jobs = LiveJobs(terms.live_jobs_before, terms.live_jobs_before + walk.live)
    report = build_report(
        [(terms.month, stretch)],
        terms.meters,
        key_names=key_names,
        free_jobs_left=free_jobs_left(stretch.plan, live_jobs.after, stretch.opening),
        period=period,
        currency=terms.currency,
    )
    explanation = build_explanation(
        [PricedMonth(terms.month, stretch, terms.version)],
        terms.meters,
        key_names=key_names,
        period=period,
        currency=terms.currency,
    )
    return Statement(
        form=FORM,
        account=terms.account,
        month=str(terms.month),
        time_zone=terms.time_zone,
        starts_at=terms.starts_at,
        ends_at=terms.ends_at,
        currency=terms.currency,
        previous=terms.previous,
        live_jobs=live_jobs,
        jobs=StatementJobs(walk.live, walk.late, walk.voided, walk.sha256),
        meters=terms.meters,
        plans=(
            ExplainedPlan(
                plan=terms.version.plan.name, plan_version=terms.version.version, document=terms.plan_document
            ),
        ),
        report=report,
        lines=explanation.lines,
        rounded=rounded_costs({name: key.costs for name, key in report.api_keys.items()}, terms.currency),
    )
