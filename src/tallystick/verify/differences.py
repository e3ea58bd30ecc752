"""What does not hold, by a code and in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from tallystick.model.money import EXACT, grouped
from tallystick.model.wire import Wire

DifferenceCode = Literal[
    "signature",
    "signing_key",
    "unreadable",
    "terms",
    "chain",
    "statement_replaced",
    "counter",
    "job_removed",
    "job_added",
    "jobs_reordered",
    "job_altered",
    "job_misplaced",
    "cost",
    "rounding",
]


class Difference(Wire, frozen=True, kw_only=True):
    """The first thing that does not hold: in which month's statement, what kind of thing, and how it differs.

    =====================  ==========================================================================================
    code                   means
    =====================  ==========================================================================================
    ``signature``          the statement's bytes are not those that were signed
    ``signing_key``        it is signed with a key that the remembered one has not signed
    ``unreadable``         the statement or a job cannot be read
    ``terms``              account, month, time zone, instants, currency, meters or plan are not what they must be
    ``chain``              a statement names another one before it than there is
    ``statement_replaced``  another statement was checked before, or belongs to the chain
    ``counter``            the account's counts of live jobs do not follow each other
    ``job_removed``        a job that the statement counts is not in the ledger
    ``job_added``          a job is in the ledger that the statement does not count
    ``jobs_reordered``     the ledger is not in order
    ``job_altered``        the ledger's jobs are not those of the statement's digest
    ``job_misplaced``      a job does not belong into this month
    ``cost``               a number of the report or its explanation is not what the jobs and the plan give
    ``rounding``           the rounded amounts are not what the exact ones give
    =====================  ==========================================================================================
    """

    month: str
    code: DifferenceCode
    detail: str


class Mismatch(Exception):
    """Something does not hold; whoever knows the month makes a `Difference` of it."""

    def __init__(self, code: DifferenceCode, detail: str) -> None:
        super().__init__(detail)
        self.code: DifferenceCode = code
        self.detail = detail


class Found(NamedTuple):
    """Where two documents differ first: the path to it, and what stands there in each."""

    path: str
    given: Any
    expected: Any

    @property
    def sentence(self) -> str:
        """How they differ: both values, and by how much where they are numbers."""
        told = f"{self.path} is {_shown(self.given)}, and comes to {_shown(self.expected)}"
        if _is_number(self.given) and _is_number(self.expected):
            told += f" ({_signed(self.expected, self.given)})"
        return told

    @property
    def change(self) -> str:
        """How they differ where what was expected is what stood there before."""
        return f"{self.path} is {_shown(self.given)}, and was {_shown(self.expected)}"


def first_difference(given: Any, expected: Any, path: str = "") -> Found | None:
    """The first place at which two plain documents differ, in their order; numbers are equal as numbers."""
    if isinstance(given, Mapping) and isinstance(expected, Mapping):
        for name in [*expected, *(name for name in given if name not in expected)]:
            found = first_difference(given.get(name), expected.get(name), f"{path}.{name}" if path else str(name))
            if found is not None:
                return found
        # The same members in another order are another document: its bytes are what is signed.
        return (
            None
            if list(given) == list(expected)
            else Found(f"the order of {path or 'the members'}", *_keys(given, expected))
        )
    if _is_list(given) and _is_list(expected):
        for place in range(max(len(given), len(expected))):
            found = first_difference(_at(given, place), _at(expected, place), f"{path}[{place}]")
            if found is not None:
                return found
        return None
    same = type(given) is type(expected) or (_is_number(given) and _is_number(expected))
    return None if same and given == expected else Found(path, given, expected)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _at(values: Sequence[Any], place: int) -> Any:
    return values[place] if place < len(values) else None


def _keys(given: Mapping[str, Any], expected: Mapping[str, Any]) -> tuple[str, str]:
    return ", ".join(given), ", ".join(expected)


def _shown(value: Any) -> str:
    if value is None:
        return "absent"
    if isinstance(value, Decimal):
        return grouped(value)
    return f"{value:,}" if _is_number(value) else str(value)[:200]


def _signed(expected: int | Decimal, given: int | Decimal) -> str:
    """The difference with its sign: +0.01."""
    difference = EXACT.subtract(Decimal(expected), Decimal(given))
    text = _shown(int(difference) if isinstance(expected, int) and isinstance(given, int) else difference)
    return text if text.startswith("-") else f"+{text}"
