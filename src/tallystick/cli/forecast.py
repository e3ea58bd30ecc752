"""``tallystick forecast``: what the current month comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tallystick.cli.doors import Server, choose, named_account, open_client, open_ledger
from tallystick.cli.options import Account, Json, OtherDatabase, TokenFile, Url, examples
from tallystick.cli.output import Column, console, figures, names, print_json, print_rows, tell
from tallystick.model.forecasttext import MONTH_HEADS, REACHED_HEADS, lacking, month_rows, reached_rows

if TYPE_CHECKING:
    from tallystick.model.forecast import Forecast

EXAMPLES: Final = examples("tallystick forecast --account acme", "tallystick forecast --account acme --json")


def forecast(
    account: Account = None,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Show what the current month comes to, and when what is reached.

    Four times in five, what comes lies between low and high. What is to come is rated as jobs are, at the ranks that
    follow; the table shows costs to the cent, --json as they were rated.
    """
    source = choose(url, token_file, database)
    if isinstance(source, Server):
        with open_client(source) as client:
            foreseen = client.usage.forecast(account=account)
    else:
        with open_ledger(source.database) as ledger:
            foreseen = ledger.forecast(named_account(account))
    if as_json:
        print_json(foreseen.to_dict())
    else:
        _print(foreseen)


def _print(foreseen: Forecast) -> None:
    screen = console()
    print_rows(screen, [names(f"month {foreseen.month}"), *map(figures, MONTH_HEADS)], month_rows(foreseen))
    reached = reached_rows(foreseen)
    if reached:
        screen.print()
        print_rows(screen, [names("reached"), *map(Column, REACHED_HEADS)], reached)
    for sentence in lacking(foreseen):
        tell(sentence)
