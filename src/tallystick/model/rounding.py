"""The one rounding of money: a bill's exact amounts to the currency's minor unit, shared out so that sums still hold.

Base and final cost are rounded half-even, each by itself; savings are their difference. The keys' amounts are rounded
down, and the units that are then missing go to the keys with the largest remainders, to the lesser name (by its bytes)
where two are equal: so keys sum to the bill. A key whose base cost lost its unit and whose final cost gained one shows
savings of one unit less than nothing.
"""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from decimal import Decimal
from functools import reduce
from typing import Any, Final

import msgspec

from tallystick.model.currencies import minor_unit_places
from tallystick.model.money import EXACT, ZERO, tidy
from tallystick.model.report import Costs

MODE: Final = "half-even"


class RoundedCosts(msgspec.Struct, frozen=True, kw_only=True):
    """What a bill comes to in the currency's minor unit of `places` decimal places, and each key's share of it."""

    mode: str
    places: int
    base_cost: Decimal
    final_cost: Decimal
    savings: Decimal
    api_keys: Mapping[str, Costs]

    def to_dict(self) -> dict[str, Any]:
        """The wire shape, money as `Decimal`."""
        keys = {name: costs.to_dict() for name, costs in self.api_keys.items()}
        return {**{name: getattr(self, name) for name in self.__struct_fields__}, "api_keys": keys}


def rounded_costs(costs_by_key: Mapping[str, Costs], currency: str) -> RoundedCosts:
    """The rounded bill of keys whose exact costs sum to it."""
    places = minor_unit_places(currency)
    base, base_by_key = _shared_out({name: costs.base for name, costs in costs_by_key.items()}, places)
    final, final_by_key = _shared_out({name: costs.final for name, costs in costs_by_key.items()}, places)
    return RoundedCosts(
        mode=MODE,
        places=places,
        base_cost=base,
        final_cost=final,
        savings=tidy(EXACT.subtract(base, final)),
        api_keys={
            name: Costs(
                base_by_key[name], final_by_key[name], tidy(EXACT.subtract(base_by_key[name], final_by_key[name]))
            )
            for name in costs_by_key
        },
    )


def _shared_out(amounts: Mapping[str, Decimal], places: int) -> tuple[Decimal, dict[str, Decimal]]:
    """The rounded sum, and the amounts rounded so that they sum to it."""
    exact = {name: EXACT.scaleb(amount, places) for name, amount in amounts.items()}
    total = _whole(reduce(EXACT.add, exact.values(), ZERO), decimal.ROUND_HALF_EVEN)
    units = {name: _whole(amount, decimal.ROUND_FLOOR) for name, amount in exact.items()}
    missing = total - sum(units.values())
    by_remainder = sorted(exact, key=lambda name: (EXACT.subtract(units[name], exact[name]), name.encode()))
    for name in by_remainder[:missing]:
        units[name] += 1
    return _amount(total, places), {name: _amount(count, places) for name, count in units.items()}


def _whole(amount: Decimal, mode: str) -> int:
    return int(amount.to_integral_value(rounding=mode))


def _amount(units: int, places: int) -> Decimal:
    return tidy(EXACT.scaleb(Decimal(units), -places))
