"""One figure over time: a sparkline, small enough to stand in a row of a table, or its course with axes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from tallystick.charts.table import Table
from tallystick.charts.wording import ceiling, span
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
    return {"period": "period", "unit": series.title, "rows": _rows(series)}


def course_values(series: Series, _: Sequence[str]) -> dict[str, object]:
    """What the specification of a course is filled with."""
    return {
        "title": series.title,
        "unit": series.unit,
        "ceiling": ceiling(max((value for _, value in series.points), default=0)),
        "rows": _rows(series),
    }


def _rows(series: Series) -> list[dict[str, object]]:
    last = len(series.points) - 1
    return [
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


def sentence(series: Series) -> str:
    """A figure over time in words."""
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
    """A figure over time as a table."""
    rows = [(label, str(value) if isinstance(value, int) else plain(value)) for label, value in series.points]
    return Table(("period", series.unit), tuple(rows))


def _grouped(value: int | Decimal) -> str:
    return f"{value:,}" if isinstance(value, int) else grouped(value)
