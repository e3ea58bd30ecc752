"""``tallystick verify``: the customer's check of a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from tallystick.cli.doors import Server, Store, choose, open_client
from tallystick.cli.failures import FAILED, UNVERIFIED, tell_error
from tallystick.cli.options import Json, TokenFile, Url, examples
from tallystick.cli.output import note, print_json, visible
from tallystick.cli.progress import counting
from tallystick.errors import TallystickError

if TYPE_CHECKING:
    from tallystick.verify import Verification

EXAMPLES: Final = examples(
    "tallystick verify --month 2025-01 --url https://usage.example",
    "tallystick verify --month 2025-01 --json",
)


def verify(
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="The month.", show_default=False)],
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="NAME", help="The account. A usage token knows its own."),
    ] = None,
    trusted: Annotated[
        str | None,
        typer.Option(
            "--trusted",
            metavar="FILE",
            help="What held before is remembered here. By default tallystick/trusted.json in the user's state folder.",
        ),
    ] = None,
    trust_key: Annotated[
        str | None,
        typer.Option(
            "--trust-key",
            metavar="ID",
            help="Believe this signing key, which the remembered one has not signed. Ask the provider first.",
        ),
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Compute a statement again from the ledger, and compare.

    Downloads the month's jobs from the server; checks their order, ranks, digest and counters; rates and rounds the
    month again as a whole, and compares every number of the statement, not the costs that the ledger shows with single
    jobs. Checks the signature, the chain of statements, and that plan versions stay the same. Begins behind the last
    statement that held before, or with the account's first month. Exits with 0 only where everything holds; with 1
    where it does not, and says what differs first, and by how much; with 3 where it could not be checked, since the
    server was not reached, say, or the month is not closed. A usage token is enough.
    """
    try:
        found = _checked(choose(url, token_file, None), month, account, trusted, trust_key)
    except (TallystickError, OSError) as error:
        tell_error(error)
        raise typer.Exit(UNVERIFIED) from None
    _print(found, as_json=as_json)
    if not found.holds:
        raise typer.Exit(FAILED)


def _checked(
    source: Server | Store, month: str, account: str | None, trusted: str | None, trust_key: str | None
) -> Verification:
    if not isinstance(source, Server):
        raise typer.BadParameter("a statement is checked against a server: give --url or set TALLYSTICK_URL")
    from tallystick.verify import statement

    with open_client(source) as client, counting() as hear:
        return statement(
            client,
            month,
            account=account,
            trusted=trusted,
            trust_key=trust_key,
            progress=lambda each, jobs, of: hear(f"jobs of {each}", jobs, of),
        )


def _print(found: Verification, *, as_json: bool) -> None:
    if as_json:
        print_json(found.to_dict())
        return
    typer.echo(visible(str(found)))
    if found.key_is_new and found.holds:
        note("\nThis signing key was believed as it came. Compare it with what the provider\nsays elsewhere.")
