"""``tallystick quarantine``: the jobs that were rejected, kept with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tallystick.cli.doors import open_ledger
from tallystick.cli.options import DEFAULT_DATABASE, Database, Json, examples
from tallystick.cli.output import Column, console, count, day, figures, note, print_json, print_rows

if TYPE_CHECKING:
    from tallystick.model.accounts import QuarantinePage

app = typer.Typer(help="List rejected jobs, and replay them once the cause is gone.", no_args_is_help=True)


@app.command("list", epilog=examples("tallystick quarantine list", "tallystick quarantine list --limit 1000 --json"))
def list_items(
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1000, help="How many to show, the oldest first.")
    ] = 100,
    cursor: Annotated[
        str | None, typer.Option("--cursor", metavar="TEXT", help="Go on where another list said that there is more.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """List the rejected jobs, with the reason and what was sent."""
    with open_ledger(database) as ledger:
        page = ledger.quarantine.list(cursor=cursor, limit=limit)
    if as_json:
        print_json(page)
    else:
        _print(page)


@app.command(
    epilog=examples(
        "tallystick quarantine replay          every item",
        "tallystick quarantine replay 17 18    two of them",
    )
)
def replay(
    ids: Annotated[list[int] | None, typer.Argument(metavar="ID", help="The items' ids; all if none is given.")] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Report rejected jobs again, as they were sent.

    Worth doing once the cause is gone: an account was registered, a meter was added to a plan. What is rejected
    again stays in quarantine.
    """
    with open_ledger(database) as ledger:
        result = ledger.quarantine.replay(ids or None)
    if as_json:
        print_json(result)
    else:
        typer.echo(f"{count(result.replayed)} stored, {count(result.remaining)} rejected again")


def _print(page: QuarantinePage) -> None:
    if page.items:
        rows = [
            [str(item.id), item.code, count(item.times), day(item.last_seen_at), item.detail] for item in page.items
        ]
        columns = [figures("id"), Column("code"), figures("times"), Column("last seen"), Column("reason", "wrap")]
        print_rows(console(), columns, rows)
    else:
        note("nothing is in quarantine")
    if page.next_cursor:
        note(f"{count(len(page.items))} of {count(page.total)}; more with --cursor {page.next_cursor}")
    if page.dropped:
        note(f"{count(page.dropped)} older items were dropped: the quarantine is bounded by size and age")
