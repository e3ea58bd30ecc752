"""``tallystick signing``: the keys that sign statements."""

from __future__ import annotations

from typing import Annotated

import typer

from tallystick.cli.doors import open_ledger
from tallystick.cli.options import DEFAULT_DATABASE, Database, Json, examples
from tallystick.cli.output import Column, day, note, print_json, print_table

app = typer.Typer(help="Show and renew the keys that sign statements.", no_args_is_help=True)


@app.command("list", epilog=examples("tallystick signing list"))
def list_keys(database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """List the public keys, the oldest first; the last one signs."""
    with open_ledger(database) as ledger:
        keys = ledger.signing.list()
    if as_json:
        print_json({"signing_keys": keys})
        return
    print_table(
        [Column("key"), Column("made"), Column("signed by")],
        [[key.id, day(key.created_at), key.signed_by or "—"] for key in keys],
        nothing="no signing key yet; closing a month makes one",
    )


@app.command(epilog=examples("tallystick signing rotate", "tallystick signing rotate --lost"))
def rotate(
    lost: Annotated[
        bool,
        typer.Option("--lost", help="The old private key is gone: customers must be told to trust the new one."),
    ] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Make a new key, signed by the old one, that signs from now on.

    The old private key stays in its folder, and is needed no more.
    """
    with open_ledger(database) as ledger:
        key = ledger.signing.rotate(lost=lost)
    if as_json:
        print_json(key)
        return
    typer.echo(key.id)
    if key.signed_by is None:
        note("it is not signed by the key before; customers who check their statements must be told of it")
