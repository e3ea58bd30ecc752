"""Currencies (ISO 4217): which there are, and how far amounts are rounded: the decimal places of the minor unit."""

from __future__ import annotations

from typing import Final

_HUNDREDTHS: Final = 2

_CODES: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    _HUNDREDTHS: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF "
        "CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ "
        "GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD "
        "MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON "
        "RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS "
        "UAH USD USN UYU UZS VED VES WST XAD XAG XAU XBA XBB XBC XBD XCD XCG XDR XPD XPT XSU XTS XUA YER "
        "ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""Every currency of ISO 4217's list of 2026-01-01, and BGN, which was on it until then: bills of before are in it.

Those that have no minor unit, such as XAU, are rounded to hundredths. The code for no currency at all is left out.
"""

_PLACES: Final = {code: places for places, codes in _CODES.items() for code in codes.split()}


def is_currency(code: str) -> bool:
    """Whether ISO 4217 has a currency of that code."""
    return code in _PLACES


def minor_unit_places(currency: str) -> int:
    """The decimal places of a currency's minor unit; 2 also for codes that ISO 4217 gives none, or does not have."""
    return _PLACES.get(currency, _HUNDREDTHS)
