"""The explanation of a report: its costs as lines of one key, month, meter and price."""

from __future__ import annotations

from tallystick.model.explanation import Explanation
from tallystick.model.report import Period
from tallystick.report.lines import PricedMonth, build_explanation
from tallystick.report.usage import Opened, read_months
from tallystick.store import accounts
from tallystick.store.database import Connection


def explain(
    connection: Connection, opened: Opened, start_month: str | None, end_month: str | None, *, now: int
) -> Explanation:
    """The lines of the report for the same months. Raises `InvalidInput` as `usage_report` does."""
    account, subject, _ = opened
    first, last, months = read_months(connection, opened, start_month, end_month, now=now)
    priced = [PricedMonth(month, stretch, subject.schedule.version_for(month)) for month, stretch in months]
    return build_explanation(
        priced,
        subject.meters,
        key_names=accounts.key_names(connection, account.id),
        period=Period(str(first), str(last)),
        currency=account.currency,
    )
