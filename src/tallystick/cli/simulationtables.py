"""A simulation as tables for a terminal: the sums, who moves most, and how the changes are spread."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from tallystick.cli.output import Column, console, count, figures, names, print_rows
from tallystick.cli.reporttables import bar
from tallystick.model.money import EXACT, grouped, percentage_half_even

if TYPE_CHECKING:
    from tallystick.model.simulation import AccountDifference, Simulation

MOST_MOVERS: Final = 8
"""How many accounts are shown of those that pay less, and of those that pay more; --json and --csv have all of them."""


def print_simulations(simulations: Sequence[Simulation], screen: Console | None = None) -> None:
    """Prints each simulation."""
    screen = screen or console()
    for place, simulation in enumerate(simulations):
        if place:
            screen.print()
        _print(simulation, screen)


def _print(simulation: Simulation, screen: Console) -> None:
    first, last = simulation.start_month, simulation.end_month
    until = "" if first == last else f" to {last}"
    screen.print(f"Cost under another plan, {first}{until}", style="bold")
    screen.print()
    print_rows(screen, _columns(""), [_total(simulation)])
    for title, direction in (("who pays less", -1), ("who pays more", 1)):
        movers = [account for account in simulation.movers if account.difference * direction > 0]
        if movers:
            screen.print()
            print_rows(screen, _columns(title), [_mover(account) for account in movers[:MOST_MOVERS]])
            if len(movers) > MOST_MOVERS:
                screen.print(f"and {count(len(movers) - MOST_MOVERS)} more")
    screen.print()
    print_rows(screen, _SPREAD, _spread(simulation))
    screen.print()
    screen.print(_closing(simulation))


def _columns(first: str) -> list[Column]:
    return [names(first), figures("old"), figures("new"), figures("difference"), figures("")]


def _total(simulation: Simulation) -> list[Text | str]:
    amounts = (simulation.old_total, simulation.new_total, simulation.difference)
    return [simulation.currency, *map(grouped, amounts), _share(simulation.difference, simulation.old_total)]


def _mover(account: AccountDifference) -> list[Text | str]:
    amounts = (account.old, account.new, account.difference)
    return [account.account, *map(grouped, amounts), _share(account.difference, account.old)]


def _share(difference: Decimal, old: Decimal) -> str:
    """A difference in percent of the old cost; nothing where there was none."""
    if not old:
        return ""
    size = percentage_half_even(EXACT.abs(difference), old)
    return f"{'-' if difference < 0 else '+'}{size:,.2f} %" if difference else "0 %"


_SPREAD: Final = (Column("change of cost"), figures("accounts"), figures("difference"), Column("share"))


def _spread(simulation: Simulation) -> list[list[Text | str]]:
    everybody = Decimal(len(simulation.accounts))
    return [
        [group.label, count(group.accounts), grouped(group.difference), bar(Decimal(group.accounts), everybody)]
        for group in simulation.distribution
    ]


def _closing(simulation: Simulation) -> str:
    groups = simulation.distribution
    less, same, more = (sum(group.accounts for group in groups if group.direction == way) for way in (-1, 0, 1))
    return (
        f"{count(less)} pay less, {count(more)} more, {count(same)} the same, of {count(less + same + more)} accounts"
    )
