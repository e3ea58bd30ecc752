"""``tallystick budget``: what an account or a key means to spend in a month, and what of it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tallystick.cli.doors import Server, Store, choose, named_account, open_client, open_ledger
from tallystick.cli.options import Account, Json, OtherDatabase, TokenFile, Url, examples
from tallystick.cli.output import Column, figures, names, note, print_json, print_table
from tallystick.model.budgets import percents_of
from tallystick.model.forecasttext import budget_heads, budget_row

if TYPE_CHECKING:
    from tallystick.model.budgets import BudgetReport

app = typer.Typer(help="Set, list and remove monthly budgets.", no_args_is_help=True)

Key = Annotated[
    str | None, typer.Option("--key", metavar="KEY", help="An API key of the account. Without it the whole account.")
]


@app.command("list", epilog=examples("tallystick budget list --account acme", "tallystick budget list --json"))
def list_budgets(
    account: Account = None,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Show the budgets, and what the month has used of them."""
    _print(_list(choose(url, token_file, database), account), as_json)


@app.command(
    "set",
    epilog=examples(
        "tallystick budget set 250 --account acme",
        "tallystick budget set 99.50 --key 'production key' --thresholds 80,100,120",
    ),
)
def set_budget(
    amount: Annotated[
        str, typer.Argument(metavar="AMOUNT", help="For each month, in the account's currency.", show_default=False)
    ],
    key: Key = None,
    thresholds: Annotated[
        str | None,
        typer.Option(
            "--thresholds",
            metavar="PERCENTS",
            help="When to tell: whole percents from 1 to 1000, with commas; or none.  [default: 50,80,100]",
        ),
    ] = None,
    account: Account = None,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Set the monthly budget of an account or a key.

    It takes the place of the one that there was. A budget tells, and stops nothing: jobs are finished work when they
    are reported.
    """
    percents = None if thresholds is None else percents_of(thresholds)
    source = choose(url, token_file, database)
    if isinstance(source, Server):
        with open_client(source) as client:
            report = client.budgets.set(amount, api_key=key, thresholds=percents, account=account)
    else:
        with open_ledger(source.database) as ledger:
            report = ledger.budgets.set(named_account(account), key, amount=amount, thresholds=percents)
    _print(report, as_json)


@app.command(epilog=examples("tallystick budget remove --account acme", "tallystick budget remove --key trial"))
def remove(
    key: Key = None,
    account: Account = None,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Remove the budget of an account or a key."""
    source = choose(url, token_file, database)
    if isinstance(source, Server):
        with open_client(source) as client:
            client.budgets.remove(api_key=key, account=account)
    else:
        with open_ledger(source.database) as ledger:
            ledger.budgets.remove(named_account(account), key)
    note("removed")
    _print(_list(source, account), as_json)


def _list(source: Server | Store, account: str | None) -> BudgetReport:
    if isinstance(source, Server):
        with open_client(source) as client:
            return client.budgets.list(account=account)
    with open_ledger(source.database) as ledger:
        return ledger.budgets.list(named_account(account))


def _print(report: BudgetReport, as_json: bool) -> None:
    if as_json:
        print_json(report.to_dict())
        return
    amounts, passed = budget_heads(report)[:-1], budget_heads(report)[-1]
    print_table(
        [names(f"budgets {report.month}"), *map(figures, amounts), Column(passed, "wrap")],
        [budget_row(use) for use in report.budgets],
        nothing="no budgets; to set one: tallystick budget set AMOUNT --account NAME",
    )
