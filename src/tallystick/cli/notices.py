"""``tallystick notice``: what accounts and the provider should hear of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from tallystick.cli.doors import Server, choose, open_client, open_ledger
from tallystick.cli.options import Json, OtherDatabase, TokenFile, Url, examples
from tallystick.cli.output import Column, count, names, note, print_json, print_table
from tallystick.model.events import (
    SHAPES,
    AccountCreated,
    BudgetThreshold,
    FreeJobsExhausted,
    FreeJobsLow,
    JobLate,
    MonthClosed,
    QuarantineAdded,
    TierReached,
    WebhookOff,
    WebhookTest,
)
from tallystick.model.money import grouped, plain
from tallystick.model.webhooks import WHY_OFF

if TYPE_CHECKING:
    from tallystick.model.notices import Notice, NoticePage

_MOST_NAMED: Final = 5

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
    """What a notice tells beside its account and event, in a sentence."""
    match msgspec.convert(notice.data, SHAPES[notice.event]):
        case FreeJobsLow() as low:
            return f"{count(low.free_jobs_left)} of {count(low.free_jobs)} free jobs are left"
        case FreeJobsExhausted() as used:
            return f"the {count(used.free_jobs)} free jobs are used up"
        case TierReached() as tier:
            return f"tier{tier.tier} after {count(tier.after_jobs)} jobs: {plain(tier.discount)} % discount"
        case BudgetThreshold() as budget:
            whose = f" of {budget.api_key}" if budget.api_key else ""
            spent = f"{grouped(budget.cost)} of {grouped(budget.amount)} {budget.currency}"
            return f"{budget.threshold} % of the budget{whose} for {budget.month} reached: {spent}"
        case MonthClosed() as closed:
            cost = f"{grouped(closed.final_cost)} {closed.currency}"
            return f"{closed.month} is closed: {_jobs(closed.jobs)}, {cost}"
        case JobLate() as late:
            return f"{_jobs(late.jobs)} of {late.month} came late, booked in {late.booked_in}"
        case AccountCreated() as new:
            named = ", ".join(new.accounts[:_MOST_NAMED]) + (", …" if new.count > _MOST_NAMED else "")
            return f"{count(new.count)} new: {named}"
        case QuarantineAdded() as added:
            return f"{_jobs(added.count)} rejected: " + ", ".join(
                f"{count(n)} {code}" for code, n in added.codes.items()
            )
        case WebhookOff() as off:
            return f"{off.url} is switched off: {WHY_OFF[off.reason]}"
        case WebhookTest() as test:
            return f"{test.webhook} was tried"


def _jobs(number: int) -> str:
    return f"{count(number)} job" + ("" if number == 1 else "s")
