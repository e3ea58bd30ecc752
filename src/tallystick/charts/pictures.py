"""The pictures: what each is drawn from, and what it says in words and as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tallystick.charts import days, differences, expected, keys, months, trend
from tallystick.charts.specifications import filled
from tallystick.charts.table import Table
from tallystick.charts.trend import Series
from tallystick.model.forecast import Forecast
from tallystick.model.report import DailyReport, UsageReport
from tallystick.model.simulation import Simulation

__all__ = ["PICTURES", "Drawable", "Picture", "Series", "Table", "describe", "fill", "table"]


Drawable = UsageReport | DailyReport | Series | Simulation
"""What pictures are drawn from."""


class Picture(NamedTuple):
    """One picture: the class of its data, and the functions that make its values, its sentence and its table of them.

    `values` also takes the account's keys in the order in which their colours are given out.
    """

    drawn_from: type
    values: Callable[[Any, Sequence[str]], dict[str, object]]
    sentence: Callable[[Any], str]
    table: Callable[[Any], Table]


PICTURES: Final[Mapping[str, Picture]] = {
    "cost-by-month": Picture(UsageReport, months.cost_values, months.cost_sentence, months.cost_table),
    "jobs-by-month": Picture(UsageReport, months.job_values, months.job_sentence, months.job_table),
    "share-by-key": Picture(UsageReport, keys.share_values, keys.share_sentence, keys.share_table),
    "tokens-by-day": Picture(DailyReport, days.token_values, days.token_sentence, days.token_table),
    "cost-differences": Picture(
        Simulation, differences.difference_values, differences.difference_sentence, differences.difference_table
    ),
    "sparkline": Picture(Series, trend.values, trend.sentence, trend.table),
    "course": Picture(Series, trend.course_values, trend.sentence, trend.table),
}


def fill(
    name: str,
    data: Drawable,
    *,
    key_order: Sequence[str] = (),
    forecast: Forecast | None = None,
) -> dict[str, Any]:
    """The Vega-Lite specification of the picture `name`, filled from a report.

    `key_order` names the account's keys in a lasting order, such as that of their creation: each keeps its colour as
    long as its place. Without it they are ordered by name. Cost by month also shows the `forecast` of its running
    month. Numbers are exact; `tallystick.model.wire.encode` writes the JSON. A specification has its own title and a
    fixed width; a page may set ``width`` to ``"container"``.
    """
    values = {"description": describe(name, data, forecast=forecast), **_of(name, data).values(data, key_order)}
    if forecast is None:
        return filled(name, values)
    values, layers = expected.laid_over(values, _foreseen(name, data), forecast)
    specification = filled(name, values)
    return {**specification, "layer": [*specification["layer"], *layers]}


def describe(name: str, data: Drawable, *, forecast: Forecast | None = None) -> str:
    """What the picture `name` shows, in words, for those who cannot see it."""
    told = _of(name, data).sentence(data)
    return told if forecast is None else told + expected.sentence(_foreseen(name, data), forecast)


def table(name: str, data: Drawable) -> Table:
    """What the picture `name` shows, as a table of exact figures."""
    return _of(name, data).table(data)


def _foreseen(name: str, data: object) -> UsageReport:
    if name != expected.PICTURE or not isinstance(data, UsageReport):
        raise TypeError(f"{name} shows no forecast; {expected.PICTURE} does")
    return data


def _of(name: str, data: object) -> Picture:
    picture = PICTURES[name]
    if not isinstance(data, picture.drawn_from):
        raise TypeError(f"{name} is drawn from a {picture.drawn_from.__name__}, not from a {type(data).__name__}")
    return picture
