"""``tallystick account``: the customers, their time zones and price plans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tallystick.cli.doors import open_ledger
from tallystick.cli.options import DEFAULT_DATABASE, Database, Json, examples
from tallystick.cli.output import Column, day, names, print_fields, print_json, print_table

if TYPE_CHECKING:
    from tallystick.ledger import Ledger
    from tallystick.model.accounts import Account

app = typer.Typer(help="Create, list, show and change accounts.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name.", show_default=False)]
TimeZone = Annotated[
    str | None, typer.Option("--time-zone", metavar="ZONE", help="An IANA time zone, such as Europe/Berlin.")
]
PlanName = Annotated[str | None, typer.Option("--plan", metavar="PLAN", help="The name of a price plan.")]

_PAGE = 1000


@app.command(
    epilog=examples("tallystick account create acme", "tallystick account create café --time-zone Asia/Kolkata")
)
def create(
    name: Name,
    time_zone: TimeZone = None,
    plan: PlanName = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Create an account.

    Without --time-zone and --plan it gets those of the settings, as an account does that a job names first.
    """
    with open_ledger(database, make=True) as ledger:
        _print(ledger.accounts.create(name, time_zone=time_zone, plan=plan), as_json)


@app.command("list", epilog=examples("tallystick account list", "tallystick account list --json"))
def list_accounts(database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """List all accounts."""
    with open_ledger(database) as ledger:
        accounts = list(_every(ledger))
    if as_json:
        print_json({"accounts": accounts})
        return
    print_table(
        [names("account"), Column("time zone"), names("plan"), Column("created")],
        [[a.name, a.time_zone, a.plan, day(a.created_at)] for a in accounts],
        nothing="no accounts yet; the first job of one makes it, or: tallystick account create NAME",
    )


@app.command(epilog=examples("tallystick account show acme"))
def show(name: Name, database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """Show one account."""
    with open_ledger(database) as ledger:
        _print(ledger.accounts.get(name), as_json)


@app.command(
    epilog=examples(
        "tallystick account change acme --time-zone America/New_York",
        "tallystick account change acme --plan volume --plan-from 2025-07",
    )
)
def change(
    name: Name,
    time_zone: TimeZone = None,
    plan: PlanName = None,
    plan_from: Annotated[
        str | None, typer.Option("--plan-from", metavar="YYYY-MM", help="The month from which the plan holds.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Change an account's time zone or price plan.

    Another time zone moves the account's jobs to its own days and months. A plan holds from the start of a month.
    """
    if time_zone is None and plan is None:
        raise typer.BadParameter("nothing to change: give --time-zone or --plan")
    with open_ledger(database) as ledger:
        _print(ledger.accounts.change(name, time_zone=time_zone, plan=plan, plan_from=plan_from), as_json)


def _every(ledger: Ledger) -> Iterator[Account]:
    cursor = None
    while True:
        page = ledger.accounts.list(cursor=cursor, limit=_PAGE)
        yield from page.accounts
        cursor = page.next_cursor
        if cursor is None:
            return


def _print(account: Account, as_json: bool) -> None:
    if as_json:
        print_json(account)
        return
    print_fields(
        [
            ("account", account.name),
            ("time zone", account.time_zone),
            ("plan", account.plan),
            ("plans", ", ".join(f"{entry.plan} from {entry.plan_from or 'the beginning'}" for entry in account.plans)),
            ("currency", account.currency),
            ("created", account.created_at),
        ]
    )
