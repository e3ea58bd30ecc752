"""JSON keeps every digit: written as plain numbers, read from the digits."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.wire import decode, encode

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**20, places=20)


def test_decimals_stand_as_plain_numbers_and_order_stays() -> None:
    value = {"b": Decimal("7.592E-2"), "a": [Decimal(0), 1, "é", None, True], "c": {"z": Decimal(12)}}
    assert encode(value).decode() == '{"b":0.07592,"a":[0.0,1,"é",null,true],"c":{"z":12.0}}'


def test_a_decimal_beyond_a_double_keeps_its_digits() -> None:
    digits = "12345678901234567890.123456789012345678901234567891"
    assert encode([Decimal(digits)]).decode() == f"[{digits}]"
    assert decode(f"[{digits}]") == [Decimal(digits)]


@given(
    st.recursive(
        DECIMALS | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)
    )
)
def test_what_is_written_is_read_back(value: object) -> None:
    assert decode(encode(value)) == value


def test_a_tuple_is_a_list() -> None:
    assert encode({"a": (Decimal("0.5"), (1,))}) == b'{"a":[0.5,[1]]}'


def test_an_indent_makes_it_readable_and_changes_nothing() -> None:
    value = {"a": [Decimal("0.10"), {}], "b": 1}
    assert json.loads(encode(value, indent=2)) == json.loads(encode(value))
    assert encode(value, indent=2).decode().startswith('{\n  "a": [\n    0.1,')


@pytest.mark.parametrize("text", ['{"a":7.592e-2}', b'{"a":0.07592}', '{"a":0.075920}'])
def test_numbers_are_read_from_their_digits(text: str | bytes) -> None:
    value = decode(text)["a"]
    assert isinstance(value, Decimal)
    assert value == Decimal("0.07592")


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"a":Infinity}', "[-Infinity]"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting"):
        decode(text)
