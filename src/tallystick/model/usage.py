"""Sums of jobs and tokens: what rollups hold and what prices are multiplied with."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Usage(NamedTuple):
    """A number of jobs and the sum of their tokens per meter, in the order of the deployment's meters."""

    jobs: int
    tokens: tuple[int, ...]

    def plus(self, other: Usage) -> Usage:
        """The sum of both."""
        return Usage(self.jobs + other.jobs, tuple(a + b for a, b in zip(self.tokens, other.tokens, strict=True)))

    def minus(self, other: Usage) -> Usage:
        """What is left of this without the other."""
        return Usage(self.jobs - other.jobs, tuple(a - b for a, b in zip(self.tokens, other.tokens, strict=True)))


def added(parts: Iterable[tuple[Key, Usage]]) -> dict[Key, Usage]:
    """The sum per key of (key, usage) pairs."""
    sums: dict[Key, Usage] = {}
    for key, usage in parts:
        known = sums.get(key)
        sums[key] = usage if known is None else known.plus(usage)
    return sums


def jobs_of(usage: Mapping[Key, Usage]) -> int:
    """How many jobs a sum per key holds in all."""
    return sum(part.jobs for part in usage.values())
