"""``tallystick simulate``: what every account would have paid under another price plan."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tallystick.cli.chartfiles import Dark, check_chart_name, write_chart
from tallystick.cli.doors import Server, Store, choose, open_client, open_ledger
from tallystick.cli.options import Json, OtherDatabase, TokenFile, Url, examples
from tallystick.cli.output import note, print_json
from tallystick.cli.plans import PlanFile, read_plan_file
from tallystick.cli.progress import counting
from tallystick.model.months import Month
from tallystick.model.simulation import simulations_csv, wire_of

if TYPE_CHECKING:
    from tallystick.model.plans import Plan
    from tallystick.model.simulation import Simulation

EXAMPLES: Final = examples(
    "tallystick simulate new.toml",
    "tallystick simulate new.toml --from 2025-01 --to 2025-12 --chart changes.png",
    "tallystick simulate new.toml --account acme --json",
    "tallystick simulate new.toml --csv > changes.csv",
)


def simulate(
    file: PlanFile,
    start: Annotated[
        str | None, typer.Option("--from", metavar="YYYY-MM", help="First month. Default: the first one with jobs.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM", help="Last month. Default: the current one.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="Look at this account alone.")
    ] = None,
    chart: Annotated[
        Path | None,
        typer.Option("--chart", metavar="FILE", help="Draw the distribution to a file, .png or .svg.", dir_okay=False),
    ] = None,
    dark: Dark = False,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: a row for each account.")] = False,
    as_json: Json = False,
) -> None:
    """Show what accounts would have paid under another plan.

    As if the plan in FILE had held from each account's first job. Nothing is stored. Of several currencies each has
    its own part, the plan's amounts being taken as amounts of that currency.
    """
    if as_csv and as_json:
        raise typer.BadParameter("--csv excludes --json")
    for name, month in (("--from", start), ("--to", end)):
        if month is not None:
            Month.parse(month, name)
    check_chart_name(chart)
    plan = read_plan_file(file)
    simulations = _simulate(choose(url, token_file, database), plan, start, end, account)
    if chart is not None:
        _draw(simulations, chart, dark=dark)
    if as_json:
        print_json(wire_of(simulations))
    elif as_csv:
        typer.echo(simulations_csv(simulations).encode(), nl=False)
    else:
        from tallystick.cli.simulationtables import print_simulations

        _note_currencies(simulations, plan.currency)
        print_simulations(simulations)


def _simulate(
    source: Server | Store, plan: Plan, start: str | None, end: str | None, account: str | None
) -> tuple[Simulation, ...]:
    if isinstance(source, Server):
        with open_client(source) as client:
            return client.plans.simulate(plan, start, end, account=account)
    with open_ledger(source.database) as ledger, counting() as hear:
        return ledger.plans.simulate(plan, start, end, account=account, hear=partial(hear, "accounts"))


def _note_currencies(simulations: Sequence[Simulation], currency: str) -> None:
    others = [simulation.currency for simulation in simulations if simulation.currency != currency]
    if others:
        note(f"the plan is in {currency}; for accounts that pay in {', '.join(others)} its amounts are taken as theirs")


def _draw(simulations: Sequence[Simulation], chart: Path, *, dark: bool) -> None:
    if len(simulations) > 1:
        raise typer.BadParameter(
            f"a chart shows one currency, and these accounts pay in {', '.join(s.currency for s in simulations)}; "
            "give --account, or draw from --json"
        )
    from tallystick.charts import fill

    write_chart(fill("cost-differences", simulations[0]), chart, dark=dark)
