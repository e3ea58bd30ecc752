"""``tallystick token``: who may do what.

A new token is printed alone on standard output, so that a script can read it; what a person should know stands on
standard error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tallystick.cli.doors import open_ledger
from tallystick.cli.durations import parse_expiry, parse_seconds
from tallystick.cli.options import DEFAULT_DATABASE, Database, Json, examples
from tallystick.cli.output import Column, day, names, note, print_json, print_table
from tallystick.model.tokens import Scope

if TYPE_CHECKING:
    from tallystick.model.accounts import NewToken, TokenInfo

app = typer.Typer(help="Create, list, revoke and rotate access tokens.", no_args_is_help=True)

TokenId = Annotated[
    str, typer.Argument(metavar="ID", help="The token's id, from `tallystick token list`.", show_default=False)
]
Expires = Annotated[
    str | None,
    typer.Option(
        "--expires", metavar="WHEN", help="A span from now (90d, 12h) or a time (2030-01-31T00:00:00Z). Default: never."
    ),
]


@app.command(
    epilog=examples(
        "tallystick token create --scope ingest",
        "TOKEN=$(tallystick token create --scope usage --account acme --expires 90d)",
    )
)
def create(
    scope: Annotated[
        Scope,
        typer.Option(
            "--scope",
            help="admin: everything; ingest: may report jobs; usage: reads one account; "
            "manage: as usage, and its webhooks and budgets.",
            show_default=False,
        ),
    ],
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="NAME", help="The account of a usage or manage token."),
    ] = None,
    label: Annotated[
        str, typer.Option("--label", metavar="TEXT", help="A word to know it by.", show_default=False)
    ] = "",
    expires: Expires = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Create an access token, and print it this once.

    Standard output holds the token alone. Only its hash is stored: a token that is lost cannot be shown again.
    """
    expires_at = parse_expiry(expires)
    with open_ledger(database, make=True) as ledger:
        _print(ledger.tokens.create(scope.value, account=account, label=label, expires_at=expires_at), as_json)


@app.command("list", epilog=examples("tallystick token list"))
def list_tokens(database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """List the tokens, without their secrets."""
    with open_ledger(database) as ledger:
        tokens = ledger.tokens.list()
    if as_json:
        print_json({"tokens": tokens})
        return
    print_table(
        [
            Column("id"),
            Column("scope"),
            names("account"),
            names("label"),
            Column("created"),
            Column("ends"),
        ],
        [[t.id, t.scope, t.account or "—", t.label or "—", day(t.created_at), _end(t)] for t in tokens],
        nothing="no tokens yet; make one: tallystick token create --scope admin",
    )


@app.command(epilog=examples("tallystick token revoke ID"))
def revoke(token_id: TokenId, database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """Revoke a token. From now on it opens nothing."""
    with open_ledger(database) as ledger:
        info = ledger.tokens.revoke(token_id)
    if as_json:
        print_json(info)
    else:
        note(f"token {info.id} ({info.scope}) is revoked")


@app.command(
    epilog=examples(
        "tallystick token rotate ID                  the old one ends at once",
        "tallystick token rotate ID --overlap 24h    both hold for a day",
    )
)
def rotate(
    token_id: TokenId,
    overlap: Annotated[
        str, typer.Option("--overlap", metavar="SPAN", help="For how long the old token holds on: 30m, 24h, 7d.")
    ] = "0s",
    expires: Expires = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Replace a token by a new one.

    The new one has the same scope and account, and is printed this once, alone on standard output.
    """
    overlap_seconds = parse_seconds(overlap, "--overlap")
    expires_at = parse_expiry(expires)
    with open_ledger(database) as ledger:
        created = ledger.tokens.rotate(token_id, overlap_seconds=overlap_seconds, expires_at=expires_at)
        _print(created, as_json)


def _end(token: TokenInfo) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return day(token.expires_at) if token.expires_at else "never"


def _print(created: NewToken, as_json: bool) -> None:
    if as_json:
        print_json(created.to_dict())
        return
    info = created.info
    whose = f" of account {info.account}" if info.account else ""
    until = f"until {info.expires_at}" if info.expires_at else "and does not expire"
    note(f"token {info.id}{whose}, scope {info.scope}, holds {until}; it is shown this once:")
    typer.echo(created.token)
