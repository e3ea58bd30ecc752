"""``tallystick close``: freezes a month in a signed statement for each account."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tallystick.cli.doors import open_ledger
from tallystick.cli.options import DEFAULT_DATABASE, Database, Json, examples
from tallystick.cli.output import Column, count, names, note, print_json, print_table, tell
from tallystick.cli.progress import counting

if TYPE_CHECKING:
    from tallystick.model.statement import ClosedAccount, CloseResult

_LEFT: Final = ("early", "failed")
"""What leaves something to be done."""

EXAMPLES: Final = examples(
    "tallystick close 2025-01",
    "tallystick close 2025-01 --account acme",
    "TALLYSTICK_GRACE_HOURS=0 tallystick close 2025-01",
)


def close(
    month: Annotated[str, typer.Argument(metavar="YYYY-MM", help="The month to close.", show_default=False)],
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="The account; without it every account.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Close a month: freeze it in a signed statement for each account.

    Earlier months that are still open are closed too. The month must have ended in the account's time zone, and the
    grace period with it. From then on nothing changes in it: jobs that come late are booked in an open month. Jobs may
    come in meanwhile. Safe to repeat and to break off; run it again for what is missing. An account whose statement
    cannot be made holds up no other, and is told at the end. The exit status is 1 then, and where it was too early for
    some account.
    """
    with open_ledger(database) as ledger, counting() as hear:
        done = itertools.count(1)
        result = ledger.statements.close(
            month, account, progress=lambda _, accounts: hear("accounts", next(done), accounts)
        )
    if as_json:
        print_json(result)
    else:
        _print(result)
    if not result.complete:
        raise typer.Exit(1)


def _print(result: CloseResult) -> None:
    shown = [account for account in result.accounts if account.statements or account.outcome in _LEFT]
    columns = [names("account"), Column("statements written"), Column("")]
    rows = [[account.account, _span(account.statements), _told(account)] for account in shown]
    print_table(columns, rows, nothing=f"nothing to do for {result.month}")
    counted: Counter[str] = Counter(account.outcome for account in result.accounts)
    closed = counted["closed"] + counted["already"]
    told = [f"{count(closed)} of {count(len(result.accounts))} accounts are closed through {result.month}"]
    for outcome, words in (("early", "must wait"), ("none", "begin later"), ("failed", "failed")):
        if counted[outcome]:
            told.append(f"{count(counted[outcome])} {words}")
    note("; ".join(told))
    for account in result.accounts:
        if account.error is not None:
            tell(f"error: {account.error.detail}")


def _span(months: tuple[str, ...]) -> str:
    return "—" if not months else months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"


def _told(account: ClosedAccount) -> str:
    return {"early": f"too early: from {account.due_at} on", "failed": "failed"}.get(account.outcome, "")
