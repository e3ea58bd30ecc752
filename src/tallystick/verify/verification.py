"""What a check came to, in one screen."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from tallystick.model.money import grouped
from tallystick.model.wire import Wire
from tallystick.verify.differences import Difference


class CheckedMonth(Wire, frozen=True, kw_only=True):
    """A month whose statement held: how many jobs were read, and what was computed again."""

    month: str
    live: int
    late: int
    voided: int
    first_rank: int
    last_rank: int
    api_keys: int
    lines: int
    plan: str
    plan_version: str | None
    sha256: str
    signed_by: str
    base_cost: Decimal
    final_cost: Decimal
    to_pay: Decimal
    places: int


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of a statement came to.

    `opening` is the month of the statement from which it went on, which held before (`None`: from the first month).
    `months` are those that were checked now, the one asked for last. It `holds` where nothing differs; otherwise
    `difference` is the first thing that does. `key_is_new` says that no key was remembered: the first one was taken as
    it came, and should be compared with what the provider says elsewhere. `replaced_key` is the key in whose place
    another one was found now, which it had signed, or which was believed by the user's word (`key_by_word`).
    """

    server: str
    account: str
    month: str
    currency: str
    opening: str | None
    months: tuple[CheckedMonth, ...]
    key_is_new: bool
    replaced_key: str | None
    key_by_word: bool
    trusted_file: str
    difference: Difference | None

    @property
    def holds(self) -> bool:
        return self.difference is None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, money as `Decimal`."""
        return {
            "holds": self.holds,
            **{name: getattr(self, name) for name in self.__struct_fields__},
            "months": [month.to_dict() for month in self.months],
            "difference": None if self.difference is None else self.difference.to_dict(),
        }

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def _lines(found: Verification) -> Iterator[str]:
    if found.difference is None:
        yield f"Statement {found.month} of {found.account}: everything holds."
    else:
        yield f"Statement {found.month} of {found.account} DOES NOT HOLD."
        yield ""
        yield f"  {found.difference.month}  {found.difference.code}: {found.difference.detail}"
    yield ""
    yield from (f"  {name:<17}{text}" for name, text in _facts(found))


def _facts(found: Verification) -> Iterator[tuple[str, str]]:
    if found.months and found.holds:
        yield from _checked(found.months[-1], found.currency)
        if found.key_is_new:
            yield "", "a key that was seen for the first time"
        if found.replaced_key is not None:
            yield "", f"a new key in place of {found.replaced_key},"
            yield "", "believed because --trust-key names it" if found.key_by_word else "which signed the new one"
    if found.months:
        months = [month.month for month in found.months]
        span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
        jobs = sum(month.live + month.voided for month in found.months)
        yield "chain", f"{span} checked now, {_counted(jobs, 'job')}"
    if found.opening is None:
        yield "trusted opening", "the account's first month"
    else:
        yield "trusted opening", f"{found.opening}, which held when it was checked;"
        yield "", "the jobs of it and of the months before were not read again"
    yield "remembered in", found.trusted_file


def _checked(month: CheckedMonth, currency: str) -> Iterator[tuple[str, str]]:
    yield "to pay", f"{currency} {month.to_pay:,.{month.places}f} (exactly {grouped(month.final_cost)})"
    if month.live:
        ranks = f"ranks {month.first_rank:,} to {month.last_rank:,}"
        yield "ledger", f"{_counted(month.live, 'job')} in order, {ranks}, digest equal"
    else:
        yield "ledger", "no jobs, as the statement counts"
    if month.late:
        yield "", f"{month.late:,} of them came late, when their own month was closed"
    if month.voided:
        yield "", f"{month.voided:,} more {'was' if month.voided == 1 else 'were'} voided"
    lines = f"{_counted(month.lines, 'line')} of {_counted(month.api_keys, 'API key')}"
    yield "rated again", f"{lines}, equal to the last digit"
    yield "", f"with plan {month.plan}{f' of {month.plan_version}' if month.plan_version else ''}"
    yield "rounded again", f"to {month.places} decimal places, keys sum to the bill"
    yield "signature", f"Ed25519, key {month.signed_by}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
