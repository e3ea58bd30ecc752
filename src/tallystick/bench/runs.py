"""The course of the benchmark: on each engine batches, single jobs and reads, each beside its floor."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import msgspec

from tallystick.bench.figures import Figure, Pair, Report, figure_of
from tallystick.bench.ingest import batch_figures, single_figures
from tallystick.bench.places import Place
from tallystick.bench.reads import usage_figures
from tallystick.bench.routes import NOTHING, SELECT_ONE
from tallystick.bench.site import Progress, Site, open_site
from tallystick.bench.sizes import Sizes
from tallystick.bench.workload import ID_ORDERS

_MEASURES: Final[Mapping[str, Callable[[Site, Sizes], list[Figure]]]] = {
    "ingest": batch_figures,
    "single": single_figures,
    "usage": usage_figures,
}
PARTS: Final = tuple(_MEASURES)
"""What can be measured, in the order in which it is."""

NOTES: Final = (
    "Medians of the rounds; within a round, floor and figure follow each other. Load comes from a process of its own.",
    "bare insert: executemany into the table of jobs alone, by one connection, as many rows a commit as a request has",
    f"nothing: POST {NOTHING}, which passes the same edge and access check as POST /jobs, reads its body and answers",
    f"SELECT 1: GET {SELECT_ONE}, which passes the same edge and access check as GET /usage and selects 1",
    "GROUP BY: jobs and tokens per key and month straight from the table of jobs, without ranks and cost",
    "time-ordered, random: what the ids of the jobs are",
    "memory: resident, of the largest process of the server, beside what it was at the start",
)


def run_bench(
    places: Sequence[AbstractContextManager[Place]],
    sizes: Sizes,
    parts: Sequence[str],
    progress: Progress,
    *,
    now: int,
) -> Report:
    """Measures those of `PARTS` that are named, on each engine in turn. `now` is the time, in microseconds since 1970.

    Raises `TallystickError` where the server answers anything but what it should.
    """
    began = time.monotonic()
    figures: list[Figure] = []
    machine = _machine()
    progress.expect(len(places) * _steps(sizes, parts))
    for opening in places:
        with opening as place, open_site(place, progress, now=now) as site:
            machine[site.engine] = f"{site.version}, {place.workers} server process{'es' * (place.workers > 1)}"
            figures += _figures(site, sizes, parts)
    return Report(
        machine=machine,
        sizes=msgspec.to_builtins(sizes, str_keys=True),
        notes=NOTES,
        figures=tuple(figures),
        seconds=round(time.monotonic() - began, 1),
    )


def _figures(site: Site, sizes: Sizes, parts: Sequence[str]) -> Iterator[Figure]:
    before = site.server.resident_mebibytes
    for part, measure in _MEASURES.items():
        if part not in parts:
            continue
        yield from measure(site, sizes)
        after = site.server.resident_mebibytes
        if before is not None and after is not None:
            memory = [Pair(after, before)]
            yield figure_of(site.engine, "memory", f"memory after {part}", "MiB", "at start", memory)


def _steps(sizes: Sizes, parts: Sequence[str]) -> int:
    steps = {
        "ingest": sizes.rounds * len(sizes.batch_jobs) * len(ID_ORDERS),
        "single": sizes.rounds,
        "usage": sizes.rounds + len(sizes.accounts),
    }
    return sum(steps[part] for part in set(parts))


def _machine() -> dict[str, str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": _processor(),
        "cores": str(cores),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
