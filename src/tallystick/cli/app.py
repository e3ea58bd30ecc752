"""The ``tallystick`` command: its groups put together. Each command imports what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from tallystick.cli import (
    accounts,
    audit,
    bench,
    budgets,
    close,
    db,
    demo,
    exporting,
    forecast,
    importing,
    keys,
    notices,
    plans,
    quarantine,
    serve,
    signing,
    simulate,
    tokens,
    usage,
    verify,
    webhooks,
)
from tallystick.cli.failures import Commands
from tallystick.cli.options import examples
from tallystick.version import __version__

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "tallystick demo                       see it work, on made-up data",
        "tallystick serve                      start the server",
        "tallystick import jobs.ndjson         take in jobs from a file",
        "tallystick usage --account acme       what an account used and what it costs",
        "tallystick token create --scope ingest",
    ),
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tallystick {__version__}")
        raise typer.Exit


@app.callback()
def tallystick(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Exact, explainable usage reports and costs for token-priced APIs.

    Most commands open the database: --database or TALLYSTICK_DATABASE, sqlite:///tallystick.db by default.
    `usage`, `forecast`, `budget`, `import`, `export` and `simulate` ask a server where TALLYSTICK_URL and
    TALLYSTICK_TOKEN name one.
    """


app.command("serve", epilog=serve.EXAMPLES)(serve.serve)
app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("import", epilog=importing.EXAMPLES)(importing.import_files)
app.command("usage", epilog=usage.EXAMPLES)(usage.usage)
app.command("forecast", epilog=forecast.EXAMPLES)(forecast.forecast)
app.command("export", epilog=exporting.EXAMPLES)(exporting.export)
app.command("simulate", epilog=simulate.EXAMPLES)(simulate.simulate)
app.command("bench", epilog=bench.EXAMPLES)(bench.bench)
app.command("close", epilog=close.EXAMPLES)(close.close)
app.command("verify", epilog=verify.EXAMPLES)(verify.verify)
app.command("audit", epilog=audit.EXAMPLES)(audit.audit)
app.add_typer(accounts.app, name="account")
app.add_typer(keys.app, name="key")
app.add_typer(tokens.app, name="token")
app.add_typer(plans.app, name="plan")
app.add_typer(budgets.app, name="budget")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(notices.app, name="notice")
app.add_typer(signing.app, name="signing")
app.add_typer(webhooks.app, name="webhook")
app.add_typer(db.app, name="db")
