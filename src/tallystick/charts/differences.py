"""Who would pay more and who less under another plan, from a simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from tallystick.charts.table import Table
from tallystick.charts.wording import counted, priced, rounded, span
from tallystick.model.money import EXACT, plain
from tallystick.model.simulation import Group, Simulation

_ROOM: Final = Decimal("1.1")
_DIRECTIONS: Final = {-1: "less", 0: "same", 1: "more"}


def difference_values(simulation: Simulation, _: Sequence[str]) -> dict[str, object]:
    """What the specification of the distribution is filled with."""
    currency = simulation.currency
    rows = [
        {
            "group": group.label,
            "accounts": group.accounts,
            "direction": _DIRECTIONS[group.direction],
            "shown": _shown(group, currency),
        }
        for group in simulation.distribution
    ]
    return {
        "title": "Accounts by change of their cost",
        "subtitle": f"{span(simulation.start_month, simulation.end_month)} · {_change(simulation, rounded)}",
        # Room for the figures at the ends of the bars.
        "reach": EXACT.multiply(max(1, *(group.accounts for group in simulation.distribution)), _ROOM),
        "rows": rows,
    }


def _shown(group: Group, currency: str) -> dict[str, str]:
    accounts, difference = counted(group.accounts, "account"), priced(group.difference, currency)
    return {
        "text": f"{group.label}: {accounts}, together {difference}",
        "accounts": f"{group.accounts:,}",
        "difference": difference,
    }


def _change(simulation: Simulation, written: Callable[[Decimal, str], str] = priced) -> str:
    old, new, difference = (
        written(amount, simulation.currency)
        for amount in (simulation.old_total, simulation.new_total, simulation.difference)
    )
    return f"{old} becomes {new}, difference {difference}"


def difference_sentence(simulation: Simulation) -> str:
    """The distribution in words."""
    groups = simulation.distribution
    less, same, more = (sum(g.accounts for g in groups if g.direction == way) for way in (-1, 0, 1))
    return (
        f"Cost under another plan, {span(simulation.start_month, simulation.end_month)}: {_change(simulation)}. "
        f"{counted(less, 'account')} would pay less, {more:,} more, {same:,} the same."
    )


def difference_table(simulation: Simulation) -> Table:
    """The distribution as a table."""
    rows = [(group.label, str(group.accounts), plain(group.difference)) for group in simulation.distribution]
    return Table(("change", "accounts", "difference"), tuple(rows))
