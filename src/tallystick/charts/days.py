"""Tokens by day, stacked by API key, from the daily report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from tallystick.charts.colours import REST, SLOTS, names_of, slots_of
from tallystick.charts.table import Table
from tallystick.charts.wording import by_name, ceiling, counted, span, whole_ticks
from tallystick.model.report import DailyReport, DayUsage

_GAP: Final = Decimal("0.3")
_MOST_DAYS_WITH_GAPS: Final = 100
"""Where there are more, a day is so narrow that a gap beside it would blur its colours."""


class _Part(NamedTuple):
    """What a key, or the rest of them together, used on a day."""

    name: str
    slot: int
    jobs: int
    tokens: Mapping[str, int]


def token_values(report: DailyReport, key_order: Sequence[str]) -> dict[str, object]:
    """What the specification of tokens by day is filled with."""
    totals = _tokens_by_key(report)
    shown = [name for name, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:SLOTS]]
    slots = slots_of(shown, key_order, totals)
    names = names_of(slots, len(totals) - len(shown))
    drawn = sorted(slots.values()) + [REST] * (len(totals) > len(shown))
    return {
        "title": "Tokens by day and API key",
        "subtitle": f"{span(report.start, report.end)} · {counted(totals.total(), 'token')}",
        "unit": "tokens",
        "ceiling": ceiling(totals.total()),
        "ticks": whole_ticks(max((sum(day.tokens.values()) for day in report.days), default=0)),
        "gap": _GAP if len(report.days) <= _MOST_DAYS_WITH_GAPS else 0,
        "names": names,
        # A legend of nothing upsets the layout of the whole picture.
        "legend": {"values": drawn, "labelExpr": "names[datum.value]"} if drawn else None,
        "days": [day.day for day in report.days],
        "rows": [_row(day, part) for day in report.days for part in _parts(day, slots, names[REST])],
    }


def _tokens_by_key(report: DailyReport) -> Counter[str]:
    totals: Counter[str] = Counter()
    for day in report.days:
        totals.update({name: sum(key.tokens.values()) for name, key in day.api_keys.items()})
    return totals


def _parts(day: DayUsage, slots: Mapping[str, int], rest_name: str) -> Iterator[_Part]:
    """The keys that used something on a day, those without a colour of their own as one."""
    jobs, tokens = 0, Counter[str]()
    for name, key in day.api_keys.items():
        if name in slots:
            yield _Part(name, slots[name], key.jobs, key.tokens)
        else:
            jobs += key.jobs
            tokens.update(key.tokens)
    if jobs:
        yield _Part(rest_name, REST, jobs, tokens)


def _row(day: DayUsage, part: _Part) -> dict[str, object]:
    tokens = sum(part.tokens.values())
    return {
        "day": day.day,
        "slot": part.slot,
        "tokens": tokens,
        "shown": {
            "text": f"{day.day}, {part.name}: {counted(tokens, 'token')}",
            "key": part.name,
            "tokens": f"{tokens:,}",
            "meters": by_name(part.tokens),
            "jobs": f"{part.jobs:,}",
        },
    }


def token_sentence(report: DailyReport) -> str:
    """Tokens by day in words."""
    totals = _tokens_by_key(report)
    told = f"Tokens by day and API key, {span(report.start, report.end)}: {counted(totals.total(), 'token')}"
    if not totals.total():
        return f"{told}."
    by_day = {day.day: sum(day.tokens.values()) for day in report.days}
    most_day = max(by_day, key=by_day.__getitem__)
    most_key = min(totals, key=lambda name: (-totals[name], name))
    return (
        f"{told} of {counted(len(totals), 'key')}. Most on {most_day}, {by_day[most_day]:,}; "
        f"most by {most_key}, {totals[most_key]:,}."
    )


def token_table(report: DailyReport) -> Table:
    """Tokens by day and key as a table, a row for each key that used something on a day, with all keys."""
    meters = tuple(dict.fromkeys(meter for day in report.days for key in day.api_keys.values() for meter in key.tokens))
    rows = [
        (day.day, name, str(key.jobs), *(str(key.tokens.get(meter, 0)) for meter in meters))
        for day in report.days
        for name, key in day.api_keys.items()
    ]
    return Table(("day", "api_key", "jobs", *meters), tuple(rows))
