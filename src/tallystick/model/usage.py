"""Sums of jobs and tokens: what rollups hold and what prices are multiplied with."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from operator import add, sub
from typing import TypeVar

import msgspec

Key = TypeVar("Key", bound=Hashable)


class Usage(msgspec.Struct, frozen=True, gc=False):
    """A number of jobs and the sum of their tokens per meter, in the order of the deployment's meters.

    Reports make many: a struct takes a sixth of a named tuple's time, and the collector of garbage leaves it out.
    """

    jobs: int
    tokens: tuple[int, ...]

    def plus(self, other: Usage) -> Usage:
        """The sum of both."""
        return Usage(self.jobs + other.jobs, tuple(map(add, self.tokens, other.tokens)))

    def minus(self, other: Usage) -> Usage:
        """What is left of this without the other."""
        return Usage(self.jobs - other.jobs, tuple(map(sub, self.tokens, other.tokens)))


def added(parts: Iterable[tuple[Key, Usage]]) -> dict[Key, Usage]:
    """The sum per key of (key, usage) pairs."""
    by_key: dict[Key, list[Usage]] = {}
    for key, usage in parts:
        by_key.setdefault(key, []).append(usage)
    return {key: total(usages) for key, usages in by_key.items()}


def total(usages: Sequence[Usage]) -> Usage:
    """The sum of one or more."""
    if len(usages) == 1:
        return usages[0]
    # Column by column, which takes a fraction of the time of adding one to the other.
    columns = zip(*[usage.tokens for usage in usages], strict=True)
    return Usage(sum([usage.jobs for usage in usages]), tuple(map(sum, columns)))


def jobs_of(usage: Mapping[Key, Usage]) -> int:
    """How many jobs a sum per key holds in all."""
    return sum(part.jobs for part in usage.values())
