"""The currencies that there are, beside those of the Unicode CLDR (PyPI `babel`), which is somebody else's list."""

from __future__ import annotations

from babel.core import get_global

from tallystick.model.currencies import is_currency, minor_unit_places

_CAPITALS = [chr(letter) for letter in range(ord("A"), ord("Z") + 1)]


def test_a_code_is_a_currency_where_it_is_in_use() -> None:
    in_use = {
        code
        for currencies in get_global("territory_currencies").values()
        for code, _, until, _ in currencies
        if until is None
    }
    # CLDR has a code of the markets that ISO 4217 has not, and lacks that of El Salvador, with which nobody pays, and
    # that of the Arab Monetary Fund. Three times X stands for no currency.
    expected = in_use - {"CNH", "X" * 3} | {"SVC", "XAD"}
    codes = (first + second + third for first in _CAPITALS for second in _CAPITALS for third in _CAPITALS)
    assert {code for code in codes if is_currency(code)} == expected


def test_minor_units_are_those_of_iso_4217() -> None:
    # CLDR knows how many places are used, which are fewer for some; none has more than ISO 4217.
    used = {code: places for code, (places, *_) in get_global("currency_fractions").items() if is_currency(code)}
    assert {code for code, places in used.items() if places > minor_unit_places(code)} == set()
    assert {code for code, places in used.items() if places > 2} == {
        "BHD",
        "CLF",
        "JOD",
        "KWD",
        "LYD",
        "OMR",
        "TND",
        "UYW",
    }


def test_what_is_none_has_hundredths() -> None:
    assert not any(map(is_currency, ("", "usd", "USDX", "ABC", "BTC")))
    assert minor_unit_places("ABC") == 2
