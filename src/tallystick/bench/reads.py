"""Reports of accounts with ever more jobs, beside the least that a read can ask and beside a GROUP BY."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Final
from urllib.parse import urlencode

from tallystick.bench.figures import Figure, Pair, figure_of
from tallystick.bench.routes import SELECT_ONE
from tallystick.bench.site import Site
from tallystick.bench.sizes import Sizes
from tallystick.bench.workload import KEYS
from tallystick.model.instants import DAY
from tallystick.model.months import Month
from tallystick.store import measuring

_MONTHS: Final = 12
_CHUNK: Final = 250_000
"""Jobs of a large account that are added in one transaction."""

_WARM_UP: Final = 5

Rounds = dict[tuple[str, str, str], list[Pair]]
"""The rounds of each figure, by its name, its unit and what it stands beside."""


def usage_figures(site: Site, sizes: Sizes) -> list[Figure]:
    """The report of twelve months for an account of each size."""
    last = Month.of_day(site.now // DAY) - 1
    numbers = {jobs: _add_account(site, jobs, last) for jobs in sizes.accounts}
    measuring.settle(site.subject)
    rounds: Rounds = defaultdict(list)
    for number in range(sizes.rounds):
        site.begin(f"usage, round {number + 1} of {sizes.rounds}")
        _measure(site, sizes, numbers, last, rounds)
    return [figure_of(site.engine, "usage", *what, pairs) for what, pairs in rounds.items()]


def _account(jobs: int) -> str:
    return f"account of {jobs:,} jobs"


def _add_account(site: Site, jobs: int, last: Month) -> int:
    """Adds an account whose jobs are spread evenly over the months up to `last`; gives its number."""
    site.begin(f"making an {_account(jobs)}")
    months = [last - ago for ago in reversed(range(_MONTHS))]
    start = months[0].first_day * DAY
    step = ((last + 1).first_day * DAY - start) // jobs
    with site.subject.transaction() as connection:
        account_id = measuring.add_account(connection, _account(jobs), KEYS, plan="standard", now=site.now)
    for first in range(0, jobs, _CHUNK):
        with site.subject.transaction() as connection:
            numbers = range(first, min(first + _CHUNK, jobs))
            measuring.add_many(connection, account_id, numbers, site.meters, start=start, step=step, keys=len(KEYS))
    with site.subject.transaction() as connection:
        measuring.sum_up(connection, account_id, months, site.meters)
    return account_id


def _measure(site: Site, sizes: Sizes, numbers: dict[int, int], last: Month, rounds: Rounds) -> None:
    medians = []
    for jobs, account_id in numbers.items():
        name = f"usage of {jobs:,} jobs"
        one = _milliseconds(site, SELECT_ONE, sizes.reads)
        query = urlencode({"account": _account(jobs), "start_month": last - _MONTHS + 1, "end_month": last})
        usage = _milliseconds(site, f"/usage?{query}", sizes.reads)
        for percentile, figure, floor in zip((50, 99), usage, one, strict=True):
            rounds[f"{name}, p{percentile}", "ms", "SELECT 1"].append(Pair(figure, floor))
        rounds[f"{name}, p50", "ms", "GROUP BY"].append(Pair(usage[0], _group_by(site, account_id)))
        medians.append(usage[0])
    smallest = min(numbers)
    rounds[f"usage of {max(numbers):,} jobs, p50", "ms", f"of {smallest:,}"].append(Pair(medians[-1], medians[0]))


def _milliseconds(site: Site, path: str, times: int) -> tuple[float, float]:
    """The median and the 99th percentile of an answer's time, over one connection."""
    sent = site.server.send([site.get(path)], connections=1, times=times + _WARM_UP, warm_up=_WARM_UP)
    return sent.p50, sent.p99


def _group_by(site: Site, account_id: int) -> float:
    with site.subject.snapshot() as connection:
        began = time.perf_counter()
        rows = measuring.group_by(connection, account_id, site.meters)
        milliseconds = (time.perf_counter() - began) * 1000
    assert rows > 0
    return milliseconds
