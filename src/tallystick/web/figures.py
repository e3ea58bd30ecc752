"""Figures as they are shown, each beside its exact value. What is rounded here is rounded for the eye alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Final

from tallystick.model.instants import SECOND
from tallystick.model.money import decimal_places, plain
from tallystick.model.months import Month

_COMPACT: Final = ((10**12, "T"), (10**9, "B"), (10**6, "M"))
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def count(number: int) -> str:
    """``12,480``."""
    return f"{number:,}"


def compact(number: int) -> str:
    """``31.2 M``, rounded half-even to one decimal; below a million all digits."""
    for unit, letter in _COMPACT:
        tenths = round(Fraction(number * 10, unit))
        if tenths >= 10:
            return f"{tenths // 10:,}.{tenths % 10} {letter}"
    return count(number)


def money(amount: Decimal, places: int) -> str:
    """``1,204.36``, rounded half-even to so many places."""
    return f"{amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN):,f}"


def exact(amount: Decimal) -> str:
    """``1,204.3587``, every digit."""
    return f"{Decimal(plain(amount)):,f}"


def rounded_places(largest: Decimal) -> int:
    """How many decimal places amounts need, so that the largest of them shows its size: cents, or finer below ten."""
    return 2 if largest >= 10 or not largest else 4 if largest >= 1 else 6


def exact_places(amounts: Iterable[Decimal]) -> int:
    """How many decimal places show every digit of all amounts, so that they stand point under point."""
    return max((decimal_places(amount) for amount in amounts), default=0) or 2


def percent(value: Decimal) -> str:
    """``7 %``, all digits, without a zero behind the point."""
    return f"{plain(value).removesuffix('.0')} %"


def share(part: Decimal, whole: Decimal) -> Decimal:
    """The share of a whole in percent, rounded half-even to one place; 0 of nothing."""
    if not whole:
        return Decimal(0)
    return Decimal(round(Fraction(part) * 1000 / Fraction(whole))).scaleb(-1)


def month_name(month: str) -> str:
    """``Jan 2025`` for ``2025-01``."""
    parsed = Month.parse(month)
    return f"{_MONTHS[parsed.month - 1]} {parsed.year:04d}"


def span_name(start_month: str, end_month: str) -> str:
    """``Jan 2025``, or ``Jan 2025 to Mar 2025``."""
    first, last = month_name(start_month), month_name(end_month)
    return first if first == last else f"{first} to {last}"


def day_name(day: date) -> str:
    """``2 Jan 2025``."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year:04d}"


def ago(then: int, now: int) -> str:
    """``2 min ago``: how long an instant lies back, in the largest whole unit; both in microseconds since 1970."""
    seconds = max(0, now - then) // SECOND
    for unit, name in ((86_400, "day"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            number = seconds // unit
            return f"{number:,} {name}{'s' if name == 'day' and number > 1 else ''} ago"
    return "just now"


def meter_name(meter: str) -> str:
    """``Note generation`` for ``note_generation``."""
    return meter.replace("_", " ").strip().capitalize()
