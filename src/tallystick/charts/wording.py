"""How charts say periods, sums of money and counts, and where their axes end."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tallystick.model.money import grouped
from tallystick.model.report import Period


def span(first: str, last: str) -> str:
    """A period in words: ``2025-01`` or ``2025-01 to 2025-03``."""
    return first if first == last else f"{first} to {last}"


def months_of(period: Period) -> str:
    """The months of a report in words."""
    return span(period.start_month, period.end_month)


def priced(amount: Decimal, currency: str) -> str:
    """An exact amount with its currency, where that is known."""
    return f"{currency} {grouped(amount)}".lstrip()


def rounded(amount: Decimal, currency: str) -> str:
    """An amount as a short label: two decimals and three digits that count. The exact one stands beside it."""
    places = 2 if abs(amount) >= 1 or not amount else 2 - amount.adjusted()
    return f"{currency} {amount:,.{places}f}".lstrip()


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 job``, ``1,204 jobs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def by_name(counts: Mapping[str, int]) -> str:
    """Counts with their names: ``transcription 1,520, note_generation 2,715``."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def ceiling(total: int | Decimal) -> int | None:
    """The end of a value axis: left to the data, unless all of it is 0 and has no extent."""
    return None if total else 1


def whole_ticks(highest: int) -> int:
    """How many steps an axis of things that are whole has: none between one and the next."""
    return min(5, max(highest, 1))
