"""How far long work is: a bar on a terminal, elsewhere a line every few seconds. Both on standard error."""

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
    """A file that is read; `counted` names what is done of it, jobs or bytes."""

    @property
    def name(self) -> str: ...

    @property
    def counted(self) -> str: ...

    @property
    def size_bytes(self) -> int | None: ...

    @property
    def read_bytes(self) -> int: ...


class Progress(Protocol):
    """Hears how much of a file is done."""

    def begin(self, file: Source) -> None:
        """A file begins."""
        ...

    def advance(self, file: Source, done: int) -> None:
        """So many more jobs, or bytes, of the file are done."""
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
        TextColumn("{task.fields[done]:,} {task.fields[counted]}"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=console(stderr=True),
        expand=True,
    ) as bars:
        yield BarProgress(bars)


@contextmanager
def counting() -> Iterator[Callable[[str, int, int], None]]:
    """Hears what is counted, how many are done and of how many, each time that one more is."""
    if not sys.stderr.isatty():
        yield CountLines(note).hear
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=console(stderr=True),
        expand=True,
        transient=True,
    ) as bars:
        yield CountBar(bars).hear


class CountBar:
    """A bar that begins anew where something else is counted, and is gone when the work is done."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._what: str | None = None
        self._task: Any = None

    def hear(self, what: str, done: int, of: int) -> None:
        if what != self._what:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._what, self._task = what, self._bars.add_task(visible(what), total=max(of, 1))
        self._bars.update(self._task, completed=done, total=max(of, 1))


class CountLines:
    """A plain line now and then, for logs."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._told = clock()

    def hear(self, what: str, done: int, of: int) -> None:
        now = self._clock()
        if now - self._told >= SECONDS_BETWEEN_LINES:
            self._told = now
            self._write(f"{what}: {done:,} of {of:,}")


class BarProgress:
    """A bar for each file, by what is read of it, with the number done, the rate and the time that is left."""

    def __init__(self, bars: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._bars = bars
        self._clock = clock
        self._began = clock()
        self._task: Any = None
        self._done = 0

    def begin(self, file: Source) -> None:
        name = visible(file.name)
        if len(name) > _MOST_OF_A_NAME:
            name = "…" + name[1 - _MOST_OF_A_NAME :]
        self._began, self._done = self._clock(), 0
        self._task = self._bars.add_task(name, total=file.size_bytes, done=0, counted=file.counted, rate=0.0)

    def advance(self, file: Source, done: int) -> None:
        self._done += done
        rate = self._done / max(self._clock() - self._began, 1e-3)
        self._bars.update(self._task, completed=file.read_bytes, done=self._done, rate=rate)


class LineProgress:
    """A plain line now and then, for logs."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._began = self._told = clock()
        self._done = 0

    def begin(self, file: Source) -> None:
        self._began = self._told = self._clock()
        self._done = 0

    def advance(self, file: Source, done: int) -> None:
        self._done += done
        now = self._clock()
        if now - self._told < SECONDS_BETWEEN_LINES:
            return
        self._told = now
        rate = self._done / max(now - self._began, 1e-3)
        self._write(f"{file.name}: {self._done:,} {file.counted}, {rate:,.0f}/s{_share(file, now - self._began)}")


def _share(file: Source, elapsed: float) -> str:
    if not file.size_bytes or not file.read_bytes:
        return ""
    share = min(file.read_bytes / file.size_bytes, 1.0)
    return f", {share:.0%}, {elapsed / share - elapsed:,.0f} s left"
