"""A simulation: what accounts would have paid under another price plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from tallystick.model.csvtext import csv_text
from tallystick.model.money import EXACT, ZERO, plain, tidy
from tallystick.model.wire import Wire, decode

EDGES: Final = (5, 10, 20, 50)
"""Where the groups of a distribution end, in percent of the old cost."""

_COLUMNS: Final = ("account", "currency", "old", "new", "difference")


class AccountDifference(Wire, frozen=True, kw_only=True):
    """What an account paid, what it would have paid, and the difference: negative where that is less."""

    account: str
    old: Decimal
    new: Decimal
    difference: Decimal


class Group(Wire, frozen=True, kw_only=True):
    """The accounts whose cost would change by about as much: how many, and the sum of their differences.

    `direction` is -1 where they would pay less, 1 where more, 0 where the same.
    """

    label: str
    direction: int
    accounts: int
    difference: Decimal


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """What the accounts of one currency would have paid from `start_month` to `end_month`, both included.

    Accounts come by the size of their difference, the largest first, then by name. They sum to the totals exactly.
    """

    start_month: str
    end_month: str
    currency: str
    old_total: Decimal
    new_total: Decimal
    difference: Decimal
    accounts: tuple[AccountDifference, ...]

    def to_dict(self) -> dict[str, Any]:
        """The wire shape, money as `Decimal`."""
        return {
            "from": self.start_month,
            "to": self.end_month,
            "currency": self.currency,
            "old_total": self.old_total,
            "new_total": self.new_total,
            "difference": self.difference,
            "accounts": [msgspec.structs.asdict(account) for account in self.accounts],
        }

    @property
    def movers(self) -> tuple[AccountDifference, ...]:
        """The accounts that would pay another amount, the largest difference first."""
        return tuple(account for account in self.accounts if account.difference)

    @property
    def distribution(self) -> tuple[Group, ...]:
        """The accounts by how much their cost would change, from much less to much more, empty groups included.

        In percent of the old cost; who paid nothing and would pay something is among those that pay much more.
        """
        found: list[list[AccountDifference]] = [[] for _ in _LABELS]
        for account in self.accounts:
            found[_group(account)].append(account)
        middle = len(EDGES) + 1
        return tuple(
            Group(
                label=label,
                direction=(place > middle) - (place < middle),
                accounts=len(accounts),
                difference=summed(account.difference for account in accounts),
            )
            for place, (label, accounts) in enumerate(zip(_LABELS, found, strict=True))
        )

    def __str__(self) -> str:
        from tallystick.model.text import simulation_text

        return simulation_text(self)


def _labels() -> tuple[str, ...]:
    bounds = [f"{low}–{high} %" for low, high in zip((0, *EDGES), EDGES, strict=False)]
    sizes = [*bounds, f"≥ {EDGES[-1]} %"]
    return (*(f"{size} less" for size in reversed(sizes)), "the same", *(f"{size} more" for size in sizes))


_LABELS: Final = _labels()


def _group(account: AccountDifference) -> int:
    """The number of the group; a difference of just so many percent is in the larger one."""
    middle = len(EDGES) + 1
    if not account.difference:
        return middle
    hundredfold = EXACT.multiply(abs(account.difference), 100)
    size = 1 + sum(hundredfold >= EXACT.multiply(account.old, edge) for edge in EDGES)
    return middle + size if account.difference > 0 else middle - size


def build_simulation(
    differences: Iterable[tuple[str, Decimal, Decimal]], *, start_month: str, end_month: str, currency: str
) -> Simulation:
    """The simulation of accounts given by name, old and new cost."""
    accounts = [
        AccountDifference(account=name, old=tidy(old), new=tidy(new), difference=tidy(EXACT.subtract(new, old)))
        for name, old, new in differences
    ]
    accounts.sort(key=lambda account: (-abs(account.difference), account.account.encode()))
    old_total, new_total = (summed(getattr(account, field) for account in accounts) for field in ("old", "new"))
    return Simulation(
        start_month=start_month,
        end_month=end_month,
        currency=currency,
        old_total=old_total,
        new_total=new_total,
        difference=tidy(EXACT.subtract(new_total, old_total)),
        accounts=tuple(accounts),
    )


def summed(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum of some amounts."""
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return tidy(total)


def wire_of(simulations: Sequence[Simulation]) -> Any:
    """The shape of an answer: the simulation itself, or a list where the accounts pay in several currencies."""
    shapes = [simulation.to_dict() for simulation in simulations]
    return shapes[0] if len(shapes) == 1 else shapes


def simulations_from_json(body: bytes | str) -> tuple[Simulation, ...]:
    """The simulations that an answer holds; amounts are read from its digits."""
    wire = decode(body)
    return tuple(
        msgspec.convert({"start_month": shape.pop("from"), "end_month": shape.pop("to"), **shape}, Simulation)
        for shape in (wire if isinstance(wire, list) else [wire])
    )


def simulations_csv(simulations: Sequence[Simulation]) -> str:
    """A row for each account as CSV, names guarded against formulas."""
    return csv_text(
        _COLUMNS,
        (
            [account.account, simulation.currency, *map(plain, (account.old, account.new, account.difference))]
            for simulation in simulations
            for account in simulation.accounts
        ),
    )
