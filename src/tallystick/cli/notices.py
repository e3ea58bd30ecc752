"""``tallystick notice``: what accounts and the provider should hear of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tallystick.cli.doors import Server, choose, open_client, open_ledger
from tallystick.cli.options import Json, OtherDatabase, TokenFile, Url, examples
from tallystick.cli.output import Column, names, note, print_json, print_table
from tallystick.model.wire import encode

if TYPE_CHECKING:
    from tallystick.model.notices import Notice, NoticePage

app = typer.Typer(help="What accounts and the provider should hear of.", no_args_is_help=True)


@app.command("list", epilog=examples("tallystick notice list", "tallystick notice list --account acme --json"))
def list_notices(
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="NAME", help="The account. Default: the token's own, or all of them."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1000, help="How many to show, the newest first.")
    ] = 100,
    cursor: Annotated[
        str | None, typer.Option("--cursor", metavar="TEXT", help="Go on where another list said that there is more.")
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """List what there was to hear of, the newest first."""
    source = choose(url, token_file, database)
    if isinstance(source, Server):
        with open_client(source) as client:
            page = client.notices.list(account=account, cursor=cursor, limit=limit)
    else:
        with open_ledger(source.database) as ledger:
            page = ledger.notices.list(account, cursor=cursor, limit=limit)
    if as_json:
        print_json(page.to_dict())
    else:
        _print(page)


def _print(page: NoticePage) -> None:
    print_table(
        [Column("said at"), names("account"), Column("event"), Column("what", "wrap")],
        [[n.said_at[:19].replace("T", " "), n.account or "—", n.event, told(n)] for n in page.notices],
        nothing="no notices yet",
    )
    if page.next_cursor:
        note(f"more with --cursor {page.next_cursor}")


def told(notice: Notice) -> str:
    """What a notice tells beside its account, in a line."""
    return ", ".join(f"{name} {_text(value)}" for name, value in notice.data.items() if name != "account")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()
