"""Progress: a line now and then where no terminal is, and a bar on one."""

from __future__ import annotations

import io
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress, TextColumn

from tallystick.cli.progress import CountBar, CountLines, LineProgress


@dataclass
class File:
    """As much of a file of jobs as progress looks at."""

    name: str = "jobs.ndjson"
    counted: str = "jobs"
    size_bytes: int | None = 1000
    read_bytes: int = 0


class Stage:
    """A progress with a clock of its own."""

    def __init__(self) -> None:
        self.now = 100.0
        self.lines: list[str] = []
        self.progress = LineProgress(self.lines.append, lambda: self.now)


def test_a_line_comes_every_few_seconds_with_the_rate_and_the_time_left() -> None:
    stage, file = Stage(), File()
    stage.progress.begin(file)
    for _ in range(12):
        stage.now += 1
        file.read_bytes += 50
        stage.progress.advance(file, 2000)
    assert stage.lines == [
        "jobs.ndjson: 10,000 jobs, 2,000/s, 25%, 15 s left",
        "jobs.ndjson: 20,000 jobs, 2,000/s, 50%, 10 s left",
    ]


def test_what_has_no_size_has_no_end_in_sight() -> None:
    stage, file = Stage(), File(size_bytes=None, read_bytes=5)
    stage.progress.begin(file)
    stage.now += 10
    stage.progress.advance(file, 50)
    assert stage.lines == ["jobs.ndjson: 50 jobs, 5/s"]


def test_a_short_import_says_nothing() -> None:
    stage, file = Stage(), File()
    stage.progress.begin(file)
    stage.now += 4.9
    stage.progress.advance(file, 50)
    assert stage.lines == []


def test_each_file_begins_anew() -> None:
    stage, file = Stage(), File(read_bytes=500)
    for _ in range(2):
        stage.progress.begin(file)
        stage.now += 5
        stage.progress.advance(file, 100)
    assert stage.lines == ["jobs.ndjson: 100 jobs, 20/s, 50%, 5 s left"] * 2


def test_what_is_counted_is_told_every_few_seconds_in_a_plain_line() -> None:
    now, lines = 100.0, list[str]()
    counted = CountLines(lines.append, lambda: now)
    for done in range(1, 13):
        now += 1
        counted.hear("accounts", done * 1000, 12_000)
    assert lines == ["accounts: 5,000 of 12,000", "accounts: 10,000 of 12,000"]


def test_a_bar_begins_anew_where_something_else_is_counted() -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=80)
    with Progress(TextColumn("{task.description}"), console=screen) as bars:
        bar = CountBar(bars)
        bar.hear("jobs of 2025-01", 3, 3)
        bar.hear("jobs of 2025-02", 0, 0)
        bar.hear("jobs of 2025-02", 2, 8)
        (task,) = bars.tasks
    assert (task.description, task.completed, task.total) == ("jobs of 2025-02", 2, 8)
