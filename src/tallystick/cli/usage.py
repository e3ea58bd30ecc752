"""``tallystick usage``: what an account used and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from tallystick.cli.doors import Server, choose, named_account, open_client, open_ledger
from tallystick.cli.options import Account, Json, OtherDatabase, TokenFile, Url, examples
from tallystick.cli.output import print_json
from tallystick.model.periods import check_months

if TYPE_CHECKING:
    from tallystick.model.explanation import Explanation
    from tallystick.model.report import UsageReport

EXAMPLES: Final = examples(
    "tallystick usage --account acme",
    "tallystick usage --account acme --start 2025-01 --end 2025-03 --json",
    "tallystick usage --account acme --start 2025-01 --explain",
    "tallystick usage --url https://usage.example --token-file token",
)


def usage(
    account: Account = None,
    start: Annotated[
        str | None,
        typer.Option("--start", "--start-month", metavar="YYYY-MM", help="First month. Default: the current one."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--end", "--end-month", metavar="YYYY-MM", help="Last month. Default: the current one."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Every cost as lines: quantity, price, discount, ranks.")
    ] = False,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Show what an account used and what it costs.

    By month and by API key, exactly: nothing is rounded. With --end alone the report begins with the account's
    first month. With --json it has exactly the shape that the server answers.
    """
    check_months(start, end)
    source = choose(url, token_file, database)
    if isinstance(source, Server):
        with open_client(source) as client:
            ask = client.usage.explain if explain else client.usage.get
            report = ask(start_month=start, end_month=end, account=account)
    else:
        name = named_account(account)
        with open_ledger(source.database) as ledger:
            report = ledger.explain(name, start, end) if explain else ledger.usage(name, start, end)
    print_report(report, as_json=as_json)


def print_report(report: UsageReport | Explanation, *, as_json: bool) -> None:
    """A report on standard output: as JSON exactly of the shape that the server answers, or as tables."""
    from tallystick.model.explanation import Explanation

    if as_json:
        print_json(report.to_dict())
    elif isinstance(report, Explanation):
        from tallystick.cli.explanationtables import print_explanation

        print_explanation(report)
    else:
        from tallystick.cli.reporttables import print_tables

        print_tables(report)
