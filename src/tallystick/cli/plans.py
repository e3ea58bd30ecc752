"""``tallystick plan``: price plans, which are data."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tallystick.cli.doors import open_ledger
from tallystick.cli.failures import FAILED
from tallystick.cli.options import DEFAULT_DATABASE, Database, Json, examples
from tallystick.cli.output import (
    Column,
    console,
    count,
    figures,
    names,
    note,
    print_fields,
    print_json,
    print_rows,
    print_table,
)
from tallystick.errors import InvalidPlan
from tallystick.model.planfiles import plan_toml, read_plan_bytes
from tallystick.model.plans import Plan

if TYPE_CHECKING:
    from tallystick.model.accounts import PlanInfo

app = typer.Typer(help="List, show, check and put price plans.", no_args_is_help=True)

PlanFile = Annotated[
    str, typer.Argument(metavar="FILE", help="The plan in TOML or JSON, - for standard input.", show_default=False)
]


@app.command("list", epilog=examples("tallystick plan list"))
def list_plans(database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """List the price plans, each as its latest version has it."""
    with open_ledger(database) as ledger:
        plans = ledger.plans.list()
    if as_json:
        print_json({"plans": plans})
        return
    print_table(
        [
            names("plan"),
            Column("currency"),
            figures("free jobs"),
            figures("meters"),
            figures("tiers"),
            Column("latest from"),
        ],
        [_line(info) for info in plans],
        nothing="no plans",
    )


@app.command(epilog=examples("tallystick plan show standard", "tallystick plan show standard --toml > plan.toml"))
def show(
    name: Annotated[str, typer.Argument(metavar="PLAN", help="The plan's name.", show_default=False)],
    toml: Annotated[
        bool, typer.Option("--toml", help="Print the latest version as TOML, for `plan put` to take back.")
    ] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Show a price plan and all its versions."""
    with open_ledger(database) as ledger:
        info = ledger.plans.get(name)
    if as_json:
        print_json(info)
    elif toml:
        typer.echo(plan_toml(info.versions[-1].plan), nl=False)
    else:
        _print_info(info)


@app.command(
    epilog=examples(
        "tallystick plan put plan.toml",
        "tallystick plan put plan.toml --from 2025-07    a new version from July on",
    )
)
def put(
    file: PlanFile,
    effective_from: Annotated[
        str | None,
        typer.Option("--from", metavar="YYYY-MM", help="The month from which this version holds."),
    ] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Store a price plan, or a new version of one that exists."""
    plan = read_plan_file(file)
    with open_ledger(database, make=True) as ledger:
        info = ledger.plans.put(plan, effective_from=effective_from)
    if as_json:
        print_json(info)
    else:
        _print_info(info)


@app.command(epilog=examples("tallystick plan check plan.toml"))
def check(file: PlanFile, as_json: Json = False) -> None:
    """Check a price plan and show how it was understood. Nothing is stored.

    Every mistake is told with its line, and the exit status is 1 then.
    """
    try:
        document = read_plan_file(file).to_document()
    except InvalidPlan as error:
        if not as_json:
            raise
        print_json({"errors": error.errors})
        raise typer.Exit(FAILED) from None
    if as_json:
        print_json(document)
    else:
        _print_document(document)
        note("the plan is sound")


_RESETS: Final = {"never": "once", "month": "each month anew"}


def read_plan_file(file: str) -> Plan:
    """The plan in a file, or on standard input for ``-``. Raises `InvalidPlan` with the line of every mistake."""
    return read_plan_bytes(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes())


def _line(info: PlanInfo) -> Sequence[str]:
    latest = info.versions[-1]
    document = latest.plan
    sizes = [count(document["free_jobs"]), str(len(document["meters"])), str(len(document["tiers"]))]
    return [info.name, info.currency, *sizes, latest.effective_from or "the beginning"]


def _print_info(info: PlanInfo) -> None:
    for i, version in enumerate(info.versions):
        if i:
            console().print()
        console().print(f"from {version.effective_from or 'the beginning'}", style="bold")
        _print_document(version.plan)


def _print_document(document: Mapping[str, Any]) -> None:
    print_fields(
        [
            ("plan", document["name"]),
            ("currency", document["currency"]),
            ("free jobs", f"{count(document['free_jobs'])} {_RESETS[document['free_jobs_reset']]}"),
            ("tiers count", _RESETS[document["reset"]]),
        ]
    )
    meters = [[m["id"], m["report_as"], m["price"], count(m["per"])] for m in document["meters"]]
    tiers = [
        [f"tier{i}", count(tier["after_jobs"]), f"{tier['discount']} %"] for i, tier in enumerate(document["tiers"], 1)
    ]
    screen = console()
    screen.print()
    print_rows(screen, [names("meter"), names("reported as"), figures("price"), figures("per")], meters)
    screen.print()
    print_rows(screen, [Column("tier"), figures("after jobs"), figures("discount")], tiers)
