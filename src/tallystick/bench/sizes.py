"""How much is measured."""

from __future__ import annotations

from typing import Final

import msgspec


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs, requests and rounds. `batch_jobs` maps the jobs of a request to those of a round."""

    rounds: int = 3
    batch_jobs: dict[int, int]
    batch_connections: int = 4
    singles: int
    single_connections: int = 64
    accounts: tuple[int, ...]
    reads: int


FULL: Final = Sizes(
    batch_jobs={1_000: 100_000, 10_000: 200_000},
    singles=10_000,
    accounts=(10_000, 1_000_000, 10_000_000),
    reads=500,
)
QUICK: Final = Sizes(
    batch_jobs={1_000: 16_000, 10_000: 40_000},
    singles=1_500,
    accounts=(1_000, 10_000, 100_000),
    reads=60,
)


def at_most(sizes: Sizes, jobs: int) -> Sizes:
    """The same with no account, and no round, of more jobs; a request holds as many as there are."""
    return msgspec.structs.replace(
        sizes,
        batch_jobs={min(size, jobs): min(total, jobs) for size, total in sizes.batch_jobs.items()},
        singles=min(sizes.singles, jobs),
        accounts=tuple(sorted({min(size, jobs) for size in sizes.accounts})),
    )
