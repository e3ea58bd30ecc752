"""Each API key's share of the cost, from the usage report: the eight largest, and the rest as one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from tallystick.charts.colours import REST, SLOTS, rest_name, slots_of
from tallystick.charts.table import Table
from tallystick.charts.wording import counted, months_of, priced, rounded
from tallystick.model.money import EXACT, ZERO, percentage_half_even, plain
from tallystick.model.report import UsageReport

_ROOM: Final = Decimal("1.4")
"""The longest bar leaves room for the figures at its end."""

_ROW_HEIGHT: Final = 30


class _Share(NamedTuple):
    """What a key, or the rest of them together, has of the whole."""

    name: str
    jobs: int
    cost: Decimal


class _Shares:
    """The shares of a report's keys: of its cost, or of its jobs where nothing was paid for."""

    def __init__(self, report: UsageReport) -> None:
        self.free = not report.totals.final_cost
        self._whole = Decimal(report.totals.jobs) if self.free else report.totals.final_cost
        each = [_Share(name, key.jobs, key.costs.final) for name, key in report.api_keys.items()]
        each.sort(key=lambda share: (-share.cost, -share.jobs, share.name))
        self.first, self.others = each[:SLOTS], each[SLOTS:]

    def shown(self) -> list[_Share]:
        """The largest, and the rest of them as one."""
        if not self.others:
            return self.first
        cost = ZERO
        for share in self.others:
            cost = EXACT.add(cost, share.cost)
        return [*self.first, _Share(rest_name(len(self.others)), sum(share.jobs for share in self.others), cost)]

    def part(self, share: _Share) -> Decimal:
        """What is plotted."""
        return Decimal(share.jobs) if self.free else share.cost

    def percentage(self, share: _Share) -> Decimal:
        """The share in percent, rounded half-even to four places."""
        return percentage_half_even(self.part(share), self._whole)


def share_values(report: UsageReport, key_order: Sequence[str]) -> dict[str, object]:
    """What the specification of the keys' shares is filled with."""
    shares = _Shares(report)
    shown = shares.shown()
    slots = slots_of([share.name for share in shares.first], key_order, report.api_keys)
    places = [slots[share.name] for share in shares.first] + [REST] * (len(shown) - len(shares.first))
    return {
        "title": "Share of jobs by API key" if shares.free else "Share of cost by API key",
        "subtitle": f"{months_of(report.period)} · {_whole(report)}",
        "names": [share.name for share in shown],
        "height": _ROW_HEIGHT * max(len(shown), 1),
        "reach": EXACT.multiply(max([shares.part(share) for share in shown], default=Decimal(1)), _ROOM),
        "rows": [
            {"row": row, "slot": slot, "part": shares.part(share), "shown": _shown(share, shares, report.currency)}
            for row, (share, slot) in enumerate(zip(shown, places, strict=True))
        ],
    }


def _shown(share: _Share, shares: _Shares, currency: str) -> dict[str, str]:
    percentage, cost = shares.percentage(share), priced(share.cost, currency)
    figure = counted(share.jobs, "job") if shares.free else cost
    return {
        "key": share.name,
        "text": f"{share.name}: {plain(percentage)} %, {figure}",
        "label": f"{percentage:.1f} % · {figure if shares.free else rounded(share.cost, currency)}",
        "brief": f"{percentage:.1f} %",
        "share": f"{plain(percentage)} %",
        "final_cost": cost,
        "jobs": f"{share.jobs:,}",
    }


def share_sentence(report: UsageReport) -> str:
    """The keys' shares in words."""
    shares = _Shares(report)
    of = "jobs" if shares.free else "cost"
    told = f"Share of {of} by API key, {months_of(report.period)}, of {_whole(report)}"
    parts = [f"{share.name} {shares.percentage(share):.1f} %" for share in shares.shown()]
    return f"{told}: {', '.join(parts) or 'no API key has jobs'}."


def share_table(report: UsageReport) -> Table:
    """The keys' shares as a table; the rest is one row, as in the picture."""
    shares = _Shares(report)
    rows = [
        (share.name, str(share.jobs), plain(share.cost), plain(shares.percentage(share))) for share in shares.shown()
    ]
    return Table(("api_key", "jobs", "final_cost", "share_percentage"), tuple(rows))


def _whole(report: UsageReport) -> str:
    totals = report.totals
    return priced(totals.final_cost, report.currency) if totals.final_cost else counted(totals.jobs, "job")
