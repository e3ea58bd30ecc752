"""Adding lines up: jobs, tokens, cost and tiers, in whatever grouping a report needs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tallystick.model.money import EXACT, ZERO, tidy
from tallystick.model.plans import Meter
from tallystick.model.report import Costs, KeyUsage
from tallystick.rating.stretches import Line


class Tally:
    """Sums of lines. Money is added exactly."""

    def __init__(self, meters: tuple[Meter, ...]) -> None:
        self._meters = meters
        self.jobs = 0
        self._tokens = [0] * len(meters)
        self._base: Decimal = ZERO
        self._final: Decimal = ZERO
        self._tiers: dict[int, int] = {}

    def add(self, line: Line) -> None:
        """Adds one line."""
        self.jobs += line.usage.jobs
        for i, tokens in enumerate(line.usage.tokens):
            self._tokens[i] += tokens
        self._base = EXACT.add(self._base, line.base_cost)
        self._final = EXACT.add(self._final, line.final_cost)
        self._tiers[line.band.tier] = self._tiers.get(line.band.tier, 0) + line.usage.jobs

    def merge(self, other: Tally) -> None:
        """Adds what another has summed."""
        self.jobs += other.jobs
        self._tokens = [a + b for a, b in zip(self._tokens, other._tokens, strict=True)]
        self._base = EXACT.add(self._base, other._base)
        self._final = EXACT.add(self._final, other._final)
        for tier, jobs in other._tiers.items():
            self._tiers[tier] = self._tiers.get(tier, 0) + jobs

    @property
    def base(self) -> Decimal:
        """Cost before discount."""
        return tidy(self._base)

    @property
    def final(self) -> Decimal:
        """Cost after discount."""
        return tidy(self._final)

    @property
    def savings(self) -> Decimal:
        """The difference of both."""
        return tidy(EXACT.subtract(self._base, self._final))

    @property
    def tokens_by_field(self) -> dict[str, int]:
        """Tokens under the report's field of each meter."""
        return {meter.report_as: count for meter, count in zip(self._meters, self._tokens, strict=True)}

    @property
    def tokens_by_meter(self) -> dict[str, int]:
        """Tokens under each meter's id."""
        return {meter.id: count for meter, count in zip(self._meters, self._tokens, strict=True)}

    def tiers(self, most: int) -> dict[str, int]:
        """Jobs in tier1 to tier<most>."""
        return {f"tier{number}": self._tiers.get(number, 0) for number in range(1, most + 1)}


class KeyTallies:
    """A tally per API key, and their report: most jobs first, then by the name's bytes (rule 6)."""

    def __init__(self, meters: tuple[Meter, ...]) -> None:
        self._meters = meters
        self._by_key: dict[int, Tally] = {}

    def add(self, line: Line) -> None:
        """Adds one line to its key."""
        tally = self._by_key.get(line.key)
        if tally is None:
            tally = self._by_key[line.key] = Tally(self._meters)
        tally.add(line)

    def in_order(self, names: Mapping[int, str]) -> list[int]:
        """The keys that have jobs, in the order in which they are reported."""
        return sorted(self._by_key, key=lambda key: (-self._by_key[key].jobs, names[key].encode()))

    def report(self, names: Mapping[int, str], tiers: int) -> dict[str, KeyUsage]:
        """Each key's part by its name; keys without jobs are not there."""
        return {names[key]: _key_usage(self._by_key[key], tiers) for key in self.in_order(names)}


def _key_usage(tally: Tally, tiers: int) -> KeyUsage:
    return KeyUsage(
        jobs=tally.jobs,
        tokens=tally.tokens_by_meter,
        costs=Costs(tally.base, tally.final, tally.savings),
        tiers=tally.tiers(tiers),
    )
