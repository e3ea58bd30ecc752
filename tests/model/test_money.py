"""Money is exact: floats stay outside, nothing is rounded unasked, and amounts are written digit by digit."""

from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tallystick.errors import InvalidInput
from tallystick.model.money import (
    EXACT,
    decimal_places,
    grouped,
    money,
    percentage_half_even,
    plain,
)
from tests.reference import rater

AMOUNTS = st.decimals(min_value=0, max_value=10**15, places=12, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("value", "amount"),
    [("0.03", "0.03"), ("12", "12"), (7, "7"), (Decimal("1.50"), "1.50"), ("-3.5", "-3.5"), ("1e3", "1000")],
)
def test_text_integers_and_decimals_are_money(value: str | int | Decimal, amount: str) -> None:
    assert money(value) == Decimal(amount)


@pytest.mark.parametrize("value", [0.03, 1.0, float("nan"), True, None, b"1", Fraction(1, 2)])
def test_a_float_and_whatever_else_is_not_exact_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match=f"not {type(value).__name__}"):
        money(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", " 1", "1 ", "1_000", "1,5", "٣", "x", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_text_that_is_no_finite_plain_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a"):
        money(text)


@given(AMOUNTS, AMOUNTS)
def test_sums_differences_and_products_are_those_of_fractions(left: Decimal, right: Decimal) -> None:
    assert Fraction(EXACT.add(left, right)) == Fraction(left) + Fraction(right)
    assert Fraction(EXACT.subtract(left, right)) == Fraction(left) - Fraction(right)
    assert Fraction(EXACT.multiply(left, right)) == Fraction(left) * Fraction(right)


def test_a_rounding_that_nobody_asked_for_is_an_error() -> None:
    with pytest.raises(decimal.Inexact):
        EXACT.divide(Decimal(1), Decimal(3))
    with pytest.raises(decimal.Inexact):
        EXACT.multiply(Decimal("1." + "1" * 40), Decimal("1." + "1" * 40))
    with pytest.raises(decimal.FloatOperation):
        EXACT.create_decimal(0.1)


def test_exact_arithmetic_does_not_depend_on_the_callers_decimal_context() -> None:
    with decimal.localcontext(prec=2):
        assert EXACT.add(Decimal(123456), Decimal("0.001")) == Decimal("123456.001")
        assert percentage_half_even(Decimal(1), Decimal(3)) == Decimal("33.3333")
        assert plain(Decimal("123456.001")) == "123456.001"


@pytest.mark.parametrize(("text", "places"), [("1", 0), ("100", 0), ("1.50", 1), ("0.000000000001", 12), ("0", 0)])
def test_decimal_places_do_not_count_trailing_zeros(text: str, places: int) -> None:
    assert decimal_places(Decimal(text)) == places


@pytest.mark.parametrize(
    ("part", "whole", "percentage"),
    [
        ("0", "0", "0"),
        ("0", "5", "0"),
        ("5", "5", "100"),
        ("1", "3", "33.3333"),
        ("2", "3", "66.6667"),
        ("0.00000050", "1", "0"),  # 0.00005 % lies in the middle and goes to the even 0.0000
        ("0.00000150", "1", "0.0002"),
        ("0.00000250", "1", "0.0002"),
        ("0.00000250000000000001", "1", "0.0003"),
    ],
)
def test_the_effective_discount_is_rounded_half_even_to_four_places(part: str, whole: str, percentage: str) -> None:
    assert percentage_half_even(Decimal(part), Decimal(whole)) == Decimal(percentage)


@given(AMOUNTS, AMOUNTS.filter(bool))
def test_the_effective_discount_agrees_with_the_reference(part: Decimal, whole: Decimal) -> None:
    expected = rater.half_even(100 * Fraction(part) / Fraction(whole), 4)
    assert Fraction(percentage_half_even(part, whole)) == expected


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("0.07592"), "0.07592"),
        (Decimal("7.592E-2"), "0.07592"),
        (Decimal("1E-12"), "0.000000000001"),
        (Decimal(0), "0.0"),
        (Decimal("-0"), "0.0"),
        (Decimal("-0.00"), "0.0"),
        (Decimal("0E-20"), "0.0"),
        (Decimal(12), "12.0"),
        (Decimal("1E+3"), "1000.0"),
        (Decimal(100), "100.0"),
        (Decimal("1.500"), "1.5"),
        (Decimal("-2.50"), "-2.5"),
    ],
)
def test_an_amount_is_written_in_plain_digits(amount: Decimal, text: str) -> None:
    assert plain(amount) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**20))
@example(Decimal("1E-30"))
@example(Decimal("1E+18"))
def test_the_plain_form_loses_no_digit(amount: Decimal) -> None:
    assert Decimal(plain(amount)) == amount
    assert plain(amount) == rater.plain(Fraction(amount))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("1204.36"), "1,204.36"),
        (Decimal("1234567.000001"), "1,234,567.000001"),
        (Decimal(0), "0.0"),
        (Decimal("-0.5"), "-0.5"),
        (Decimal("-1204.3"), "-1,204.3"),
    ],
)
def test_an_amount_for_people_has_its_thousands_apart(amount: Decimal, text: str) -> None:
    assert grouped(amount) == text
