"""How far an import is: a bar on a terminal, elsewhere a line every few seconds. Both on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from tallystick.cli.output import console, note, visible

SECONDS_BETWEEN_LINES: Final = 5.0
_MOST_OF_A_NAME: Final = 20


class Source(Protocol):
    """A file that is read."""

    @property
    def name(self) -> str: ...

    @property
    def size_bytes(self) -> int | None: ...

    @property
    def read_bytes(self) -> int: ...


class Progress(Protocol):
    """Hears how many jobs of a file are done."""

    def begin(self, file: Source) -> None:
        """A file begins."""
        ...

    def advance(self, file: Source, jobs: int) -> None:
        """So many more jobs of the file are done."""
        ...


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """The progress that suits where standard error goes."""
    if not sys.stderr.isatty():
        yield LineProgress(note)
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[jobs]:,} jobs"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=console(stderr=True),
        expand=True,
    ) as bars:
        yield BarProgress(bars)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """On a terminal a bar that hears how many are done, and of how many; elsewhere nobody listens."""
    if not sys.stderr.isatty():
        yield lambda _done, _of: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(bar_width=None), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=console(stderr=True), expand=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, of: bars.update(task, completed=done, total=of)


class BarProgress:
    """A bar for each file, by the bytes read of it, with the jobs, their rate and the time that is left."""

    def __init__(self, bars: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._bars = bars
        self._clock = clock
        self._began = clock()
        self._task: Any = None
        self._jobs = 0

    def begin(self, file: Source) -> None:
        name = visible(file.name)
        if len(name) > _MOST_OF_A_NAME:
            name = "…" + name[1 - _MOST_OF_A_NAME :]
        self._began, self._jobs = self._clock(), 0
        self._task = self._bars.add_task(name, total=file.size_bytes, jobs=0, rate=0.0)

    def advance(self, file: Source, jobs: int) -> None:
        self._jobs += jobs
        rate = self._jobs / max(self._clock() - self._began, 1e-3)
        self._bars.update(self._task, completed=file.read_bytes, jobs=self._jobs, rate=rate)


class LineProgress:
    """A plain line now and then, for logs."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._began = self._told = clock()
        self._jobs = 0

    def begin(self, file: Source) -> None:
        self._began = self._told = self._clock()
        self._jobs = 0

    def advance(self, file: Source, jobs: int) -> None:
        self._jobs += jobs
        now = self._clock()
        if now - self._told < SECONDS_BETWEEN_LINES:
            return
        self._told = now
        rate = self._jobs / max(now - self._began, 1e-3)
        self._write(f"{file.name}: {self._jobs:,} jobs, {rate:,.0f}/s{_share(file, now - self._began)}")


def _share(file: Source, elapsed: float) -> str:
    if not file.size_bytes or not file.read_bytes:
        return ""
    share = min(file.read_bytes / file.size_bytes, 1.0)
    return f", {share:.0%}, {elapsed / share - elapsed:,.0f} s left"
