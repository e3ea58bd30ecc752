"""Exact money: the one door through which amounts enter, and the arithmetic they allow.

Every amount is a `decimal.Decimal`. All arithmetic runs in `EXACT`, a context of 60 digits that traps
`Inexact`: a rounding that nobody asked for is an error, never a wrong bill. Where a rounding is wanted,
its function says so in its name.
"""

from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction
from typing import Final

from tallystick.errors import InvalidInput

EXACT: Final = decimal.Context(
    prec=60,
    rounding=decimal.ROUND_HALF_EVEN,
    traps=[
        decimal.Inexact,
        decimal.InvalidOperation,
        decimal.DivisionByZero,
        decimal.Overflow,
        decimal.Subnormal,
        decimal.FloatOperation,
    ],
)

ZERO: Final = Decimal(0)

PERCENT_PLACES: Final = 4
"""Decimal places of `effective_discount_percentage`."""


def money(value: str | int | Decimal) -> Decimal:
    """The exact amount that `value` names.

    Raises `InvalidInput` for anything that is not a finite decimal, and for every float: a float has
    already lost the digits that a bill needs.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise InvalidInput(f"money is a decimal in quotes, not {type(value).__name__}")
    try:
        amount = Decimal(value) if not isinstance(value, str) else Decimal(_digits(value))
    except decimal.InvalidOperation:
        raise InvalidInput(f"{value!r} is not a decimal number") from None
    if not amount.is_finite():
        raise InvalidInput(f"{value!r} is not a finite number")
    return amount


def _digits(text: str) -> str:
    # Decimal() takes underscores, white space and digits of every script; a price list should not.
    if not text.isascii() or "_" in text or text != text.strip():
        raise InvalidInput(f"{text!r} is not a decimal number")
    return text


def decimal_places(amount: Decimal) -> int:
    """How many digits stand behind the point once trailing zeros are gone."""
    exponent = EXACT.normalize(amount).as_tuple().exponent
    return max(0, -int(exponent))


def percentage_half_even(part: Decimal, whole: Decimal) -> Decimal:
    """`100 * part / whole`, rounded half-even to four places; 0 when `whole` is 0 (rating rule 2)."""
    if not whole:
        return ZERO
    ratio = Fraction(part) * 100 / Fraction(whole)
    scaled = round(ratio * 10**PERCENT_PLACES)
    return EXACT.normalize(EXACT.scaleb(Decimal(scaled), -PERCENT_PLACES))


def plain(amount: Decimal) -> str:
    """`amount` in the one form that goes on the wire: plain digits, never an exponent.

    Trailing zeros are dropped and at least one decimal place stays, as in the contract: ``0.07592``,
    ``0.0``, ``12.0``.
    """
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0")
        if text.endswith("."):
            text += "0"
    else:
        text += ".0"
    return "0.0" if text == "-0.0" else text


def grouped(amount: Decimal) -> str:
    """`amount` for people: as `plain`, with the digits before the point in groups of three, ``1,204.36``."""
    whole, point, fraction = plain(amount).partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits):,}{point}{fraction}"


def tidy(amount: Decimal) -> Decimal:
    """`amount` with the digits that `plain` shows, so that every door gives the same `Decimal`."""
    return Decimal(plain(amount))
