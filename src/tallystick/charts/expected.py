"""The forecast of the running month, laid over cost by month: a dashed bar to what is expected, and its interval."""

from __future__ import annotations

from typing import Any, Final

from tallystick.charts.specifications import layers
from tallystick.charts.wording import ceiling, priced
from tallystick.model.forecast import CostEstimate, Forecast
from tallystick.model.money import grouped
from tallystick.model.report import UsageReport

PICTURE: Final = "cost-by-month"
"""The one picture that shows a forecast."""


def cost_expected(report: UsageReport, forecast: Forecast | None) -> CostEstimate | None:
    """What the running month is expected to cost, `None` where the report has not that month or nothing is foreseen."""
    if forecast is None or forecast.month_end is None:
        return None
    shown = any(month.month == forecast.month for month in report.monthly_breakdown)
    return forecast.month_end.final_cost if shown else None


def laid_over(
    values: dict[str, Any], report: UsageReport, forecast: Forecast | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The values of cost by month with the forecast in its month's row, and the layers that draw it."""
    cost = cost_expected(report, forecast)
    if cost is None or forecast is None:
        return values, []
    expected, between = priced(cost.expected, report.currency), _between(cost, report.currency)
    row = {
        "expected": cost.expected,
        "low": cost.low,
        "high": cost.high,
        "shown": expected,
        "between": between,
        "text": f"{forecast.month}: expected {expected}, four times in five {between}",
    }
    rows = [{**each, "forecast": row} if each["month"] == forecast.month else each for each in values["rows"]]
    end = ceiling(report.totals.base_cost + cost.high)
    return {**values, "rows": rows, "ceiling": end}, layers("forecast")


def sentence(report: UsageReport, forecast: Forecast | None) -> str:
    """The forecast in words, behind those of the picture; empty without one."""
    cost = cost_expected(report, forecast)
    if cost is None or forecast is None:
        return ""
    expected, between = priced(cost.expected, report.currency), _between(cost, report.currency)
    return f" {forecast.month} is expected to end at {expected}, four times in five at {between}."


def _between(cost: CostEstimate, currency: str) -> str:
    return f"{priced(cost.low, currency)} to {grouped(cost.high)}"
