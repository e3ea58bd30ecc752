"""``tallystick usage``: what an account used and what it costs, as tables, JSON, CSV or a chart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from tallystick.cli.chartfiles import Dark, check_chart_name, write_chart
from tallystick.cli.doors import Server, Store, choose, named_account, open_client, open_ledger
from tallystick.cli.options import Account, Json, OtherDatabase, TokenFile, Url, examples
from tallystick.cli.output import print_json
from tallystick.model.months import Month, format_day
from tallystick.model.periods import check_months

if TYPE_CHECKING:
    from tallystick.model.explanation import Explanation
    from tallystick.model.report import DailyReport, UsageReport

EXAMPLES: Final = examples(
    "tallystick usage --account acme",
    "tallystick usage --account acme --start 2025-01 --end 2025-03 --json",
    "tallystick usage --account acme --start 2025-01 --csv > usage.csv",
    "tallystick usage --account acme --start 2025-01 --chart cost.png",
    "tallystick usage --account acme --start 2025-01 --explain",
    "tallystick usage --url https://usage.example --token-file token",
)


class Drawn(StrEnum):
    """What a chart shows."""

    COST = "cost"
    JOBS = "jobs"
    KEYS = "keys"
    DAYS = "days"


_PICTURES: Final = {Drawn.COST: "cost-by-month", Drawn.JOBS: "jobs-by-month", Drawn.KEYS: "share-by-key"}

Chart = Annotated[
    Path | None,
    typer.Option("--chart", metavar="FILE", help="Draw a chart to a file, .png or .svg.", dir_okay=False),
]


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
    chart: Chart = None,
    drawn: Annotated[
        Drawn, typer.Option("--chart-of", help="Cost or jobs by month, shares of the keys, tokens by day.")
    ] = Drawn.COST,
    dark: Dark = False,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV: a row for each month and key, which sum to the totals.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what an account used and what it costs.

    By month and by API key, exactly: nothing is rounded. With --end alone the report begins with the account's
    first month. With --json it has exactly the shape that the server answers.
    """
    check_months(start, end)
    if as_csv + as_json > 1 or as_csv + explain > 1:
        raise typer.BadParameter("--csv excludes --json and --explain")
    check_chart_name(chart)
    with _opened(choose(url, token_file, database), account) as reads:
        if chart is not None:
            # First, since it can fail for want of a package or of a folder.
            _draw(reads, (start, end), drawn, chart, dark=dark)
        if as_csv:
            typer.echo(reads.csv(start, end).encode(), nl=False)
        else:
            print_report(reads.explanation(start, end) if explain else reads.report(start, end), as_json=as_json)


class _Reads(NamedTuple):
    """What can be read of one account, by its first and last month or day, from a server or a database."""

    report: Callable[[str | None, str | None], UsageReport]
    explanation: Callable[[str | None, str | None], Explanation]
    days: Callable[[str | None, str | None], DailyReport]
    csv: Callable[[str | None, str | None], str]


@contextmanager
def _opened(source: Server | Store, account: str | None) -> Iterator[_Reads]:
    if isinstance(source, Server):
        with open_client(source) as client:
            calls = client.usage
            yield _Reads(
                partial(calls.get, account=account),
                partial(calls.explain, account=account),
                partial(calls.daily, account=account),
                partial(calls.csv, account=account),
            )
        return
    name = named_account(account)
    with open_ledger(source.database) as ledger:
        yield _Reads(
            partial(ledger.usage, name),
            partial(ledger.explain, name),
            partial(ledger.daily, name),
            lambda first, last: ledger.usage_table(name, first, last).to_csv(),
        )


def _draw(reads: _Reads, months: tuple[str | None, str | None], drawn: Drawn, file: Path, *, dark: bool) -> None:
    from tallystick.charts import fill

    report = reads.report(*months)
    if drawn is Drawn.DAYS:
        first, last = Month.parse(report.period.start_month), Month.parse(report.period.end_month)
        days = reads.days(format_day(first.first_day), format_day(last.last_day))
        specification = fill("tokens-by-day", days)
    else:
        specification = fill(_PICTURES[drawn], report)
    write_chart(specification, file, dark=dark)


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
