"""JSON with exact decimals: written as plain numbers, read from their digits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import msgspec

from tallystick.model.money import plain

_MOST_DIGITS: Final = 1000


def encode(value: object, *, indent: int = 0) -> bytes:
    """JSON of plain data in which every `Decimal` stands as a plain number (``0.07592``, never ``7.592e-2``)."""
    body = msgspec.json.encode(_with_numbers(value))
    return msgspec.json.format(body, indent=indent) if indent else body


def _with_numbers(value: object) -> object:
    if isinstance(value, Decimal):
        return msgspec.Raw(plain(value).encode())
    if isinstance(value, Mapping):
        return {key: _with_numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_numbers(item) for item in value]
    return value


def decode(body: bytes | str) -> Any:
    """Plain data from JSON; every number with a point or an exponent becomes the `Decimal` of its digits.

    Raises `ValueError` for what is not JSON, ``NaN`` and ``Infinity`` among it, which Python would read as floats, and
    for a number that would have thousands of digits, however short it is written: ``1e999999999`` fills the memory.
    """
    return json.loads(body, parse_float=_decimal, parse_constant=_refuse)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = None
    if number is None or len(text) > _MOST_DIGITS or abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError(f"{text[:20]} stands for too many digits")
    return number


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


class Wire(msgspec.Struct, frozen=True):
    """A noun whose wire shape is its fields."""

    def to_dict(self) -> dict[str, Any]:
        """The wire shape: plain data, money as `Decimal`."""
        shape: dict[str, Any] = decode(encode(msgspec.to_builtins(self, builtin_types=(Decimal,))))
        return shape
