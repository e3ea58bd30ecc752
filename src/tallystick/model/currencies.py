"""How far amounts of a currency are rounded: the decimal places of its minor unit (ISO 4217)."""

from __future__ import annotations

from typing import Final

_CODES: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""Every currency of ISO 4217's list of 2026-01-01 whose minor unit is not a hundredth."""

_PLACES: Final = {code: places for places, codes in _CODES.items() for code in codes.split()}
_HUNDREDTHS: Final = 2


def minor_unit_places(currency: str) -> int:
    """The decimal places of a currency's minor unit; 2 also for codes that ISO 4217 gives none, such as XAU."""
    return _PLACES.get(currency, _HUNDREDTHS)
