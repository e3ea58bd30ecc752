"""``tallystick key``: the API keys of an account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from tallystick.cli.doors import open_ledger
from tallystick.cli.options import DEFAULT_DATABASE, Database, Json, examples
from tallystick.cli.output import Column, day, names, print_json, print_table
from tallystick.model.accounts import ApiKey, KeyKind

app = typer.Typer(help="Create, list and revoke the API keys of an account.", no_args_is_help=True)

Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name.", show_default=False)]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The key's name.", show_default=False)]


@app.command(
    epilog=examples("tallystick key create acme 'production key'", "tallystick key create acme trial --kind sandbox")
)
def create(
    account: Account,
    key: Key,
    kind: Annotated[
        KeyKind, typer.Option("--kind", help="Jobs of a sandbox key are kept and never rated.")
    ] = KeyKind.LIVE,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Create an API key. Its name and kind never change."""
    with open_ledger(database) as ledger:
        created = ledger.accounts.create_key(account, key, kind=kind.value)
    _print([created], created if as_json else None)


@app.command("list", epilog=examples("tallystick key list acme", "tallystick key list acme --json"))
def list_keys(account: Account, database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """List an account's API keys."""
    with open_ledger(database) as ledger:
        keys = ledger.accounts.keys(account)
    _print(keys, {"keys": keys} if as_json else None)


@app.command(epilog=examples("tallystick key revoke acme 'production key'"))
def revoke(account: Account, key: Key, database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """Revoke an API key.

    Its jobs stay, and jobs that it still reports are accepted: they happened.
    """
    with open_ledger(database) as ledger:
        revoked = ledger.accounts.revoke_key(account, key)
    _print([revoked], revoked if as_json else None)


def _print(keys: Sequence[ApiKey], json: object) -> None:
    if json is not None:
        print_json(json)
        return
    print_table(
        [names("API key"), Column("kind"), Column("created"), Column("revoked")],
        [[key.name, key.kind, day(key.created_at), day(key.revoked_at)] for key in keys],
        nothing="no API keys yet; the first job of one makes it, or: tallystick key create ACCOUNT KEY",
    )
