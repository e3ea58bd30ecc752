"""A sparkline: one figure over some months, small enough to stand in a row of a table."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from tallystick.charts.table import Table
from tallystick.charts.wording import span
from tallystick.model.money import grouped, plain


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One figure over time: `points` are pairs of a month or day and its value, in order.

    `title` and `unit` say what it is: ``Series(title="Final cost", unit="USD", points=[("2025-01", cost), …])``.
    """

    title: str
    unit: str
    points: Sequence[tuple[str, int | Decimal]]


def values(series: Series, _: Sequence[str]) -> dict[str, object]:
    """What the specification of a sparkline is filled with."""
    last = len(series.points) - 1
    rows = [
        {
            "place": place,
            "value": value,
            "last": place == last,
            "shown": {
                "text": f"{label}: {_grouped(value)} {series.unit}",
                "label": label,
                "value": f"{_grouped(value)} {series.unit}",
            },
        }
        for place, (label, value) in enumerate(series.points)
    ]
    return {"period": "period", "unit": series.title, "rows": rows}


def sentence(series: Series) -> str:
    """A sparkline in words."""
    if not series.points:
        return f"{series.title}: nothing."
    points = series.points
    (first, _), (last, now) = points[0], points[-1]
    most_label, most = max(points, key=lambda point: point[1])
    return (
        f"{series.title}, {span(first, last)}: last {_grouped(now)} {series.unit}, "
        f"most in {most_label}, {_grouped(most)} {series.unit}."
    )


def table(series: Series) -> Table:
    """A sparkline as a table."""
    rows = [(label, str(value) if isinstance(value, int) else plain(value)) for label, value in series.points]
    return Table(("period", series.unit), tuple(rows))


def _grouped(value: int | Decimal) -> str:
    return f"{value:,}" if isinstance(value, int) else grouped(value)
