"""``tallystick audit``: every administrative act, the newest first."""

from __future__ import annotations

from typing import Annotated

import typer

from tallystick.cli.doors import open_ledger
from tallystick.cli.options import DEFAULT_DATABASE, Database, Json, examples
from tallystick.cli.output import Column, console, note, print_json, print_rows

EXAMPLES = examples("tallystick audit", "tallystick audit --limit 1000 --json")


def audit(
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1000, help="How many to show, the newest first.")
    ] = 100,
    cursor: Annotated[
        str | None, typer.Option("--cursor", metavar="TEXT", help="Go on where another list said that there is more.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Show who changed what, when and from where.

    Every act on accounts, keys, tokens, plans, budgets, webhooks, single jobs, months, signing keys and the quarantine
    is kept, every sign-in to the pages, and every repair of the database.
    """
    with open_ledger(database) as ledger:
        page = ledger.audit.list(cursor=cursor, limit=limit)
    if as_json:
        print_json(page)
        return
    if not page.events:
        note("nothing has been done yet")
        return
    rows = [
        [
            event.at[:16].replace("T", " "),
            f"{event.actor} from {event.origin}",
            event.action,
            event.subject,
            ", ".join(f"{name} {value}" for name, value in event.detail.items() if not isinstance(value, dict)),
        ]
        for event in page.events
    ]
    columns = [Column("when (UTC)"), Column("who", "wrap"), Column("what"), Column("on", "wrap")]
    print_rows(console(), [*columns, Column("detail", "wrap")], rows)
    if page.next_cursor:
        note(f"more with --cursor {page.next_cursor}")
