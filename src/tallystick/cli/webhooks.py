"""``tallystick webhook``: where notices are sent, and what was sent there.

A new secret is printed alone on standard output, so that a script can read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tallystick.cli.doors import Server, choose, open_client, open_ledger, server_parts
from tallystick.cli.durations import parse_past, parse_seconds, span_until
from tallystick.cli.options import Json, OtherDatabase, TokenFile, Url, examples
from tallystick.cli.output import Column, count, figures, names, note, print_fields, print_json, print_table
from tallystick.model.webhooks import DeliveryState

if TYPE_CHECKING:
    from tallystick.client.resources import Webhooks
    from tallystick.ledger.webhooks import Webhooks as LedgerWebhooks
    from tallystick.model.webhooks import Delivery, DeliveryLog, DeliveryPage, Endpoint, NewEndpoint

app = typer.Typer(help="Send notices to where they are heard.", no_args_is_help=True)

ALL: Final = "all"

Webhook = Annotated[
    str, typer.Argument(metavar="ID", help="The endpoint's id, from `tallystick webhook list`.", show_default=False)
]
Account = Annotated[
    str | None,
    typer.Option("--account", metavar="NAME", help="The account; without it a manage token's own, or the provider."),
]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="EVENT", help=f"What it hears of, once for each; {ALL} for everything."),
]
Description = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="A word to know it by.")]


@contextmanager
def _opened(
    url: str | None, token_file: str | None, database: str | None, *, make: bool = False
) -> Iterator[Webhooks | LedgerWebhooks]:
    """The webhooks of the server that is named, or of the database. Both take and give the same."""
    source = choose(url, token_file, database)
    if isinstance(source, Server):
        with open_client(source) as client:
            yield client.webhooks
    else:
        with open_ledger(source.database, make=make) as ledger:
            yield ledger.webhooks


@app.command(
    epilog=examples(
        "tallystick webhook create https://hooks.example/usage",
        "SECRET=$(tallystick webhook create https://acme.example/h --account acme)",
        "tallystick webhook create https://acme.example/h --event tier.reached",
    )
)
def create(
    target: Annotated[str, typer.Argument(metavar="URL", help="Where notices are sent.", show_default=False)],
    events: Events = None,
    description: Description = None,
    account: Account = None,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Make an endpoint, and print its secret this once.

    Standard output holds the secret alone, with which the receiver checks what arrives. An endpoint of the provider
    hears of every account.
    """
    with _opened(url, token_file, database, make=True) as webhooks:
        made = webhooks.create(target, events=_events(events), description=description, account=account)
    _print_secret(made, as_json)


@app.command("list", epilog=examples("tallystick webhook list", "tallystick webhook list --account acme --json"))
def list_endpoints(
    account: Account = None,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """List the endpoints, without their secrets."""
    with _opened(url, token_file, database) as webhooks:
        found = webhooks.list(account=account)
    if as_json:
        print_json({"webhooks": [endpoint.to_dict() for endpoint in found]})
        return
    print_table(
        # URLs may begin alike and end alike, so that none is cropped.
        [Column("id"), names("account"), Column("state"), Column("hears of", "wrap"), Column("url", "wrap")],
        [[e.id, e.account or "—", _state(e), _heard(e).replace(", ", "\n"), e.url] for e in found],
        nothing="no endpoints yet; make one: tallystick webhook create URL",
    )


@app.command(epilog=examples("tallystick webhook show ID"))
def show(
    webhook: Webhook,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Show an endpoint: whether it is on, and since when it fails."""
    with _opened(url, token_file, database) as webhooks:
        _print_endpoint(webhooks.get(webhook), as_json)


@app.command(
    epilog=examples(
        "tallystick webhook change ID --off",
        "tallystick webhook change ID --on --target https://hooks.example/new",
        "tallystick webhook change ID --event tier.reached --event free_jobs.low",
    )
)
def change(
    webhook: Webhook,
    target: Annotated[str | None, typer.Option("--target", metavar="URL", help="Where notices are sent.")] = None,
    events: Events = None,
    description: Description = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Switch it on or off.", show_default=False)] = None,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Change an endpoint, or switch it on or off.

    What waits for an endpoint that is switched off is dropped; `tallystick webhook replay --since` sends it later.
    """
    with _opened(url, token_file, database) as webhooks:
        changed = webhooks.change(webhook, url=target, events=_events(events), description=description, on=on)
        _print_endpoint(changed, as_json)


@app.command(epilog=examples("tallystick webhook remove ID"))
def remove(
    webhook: Webhook,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Remove an endpoint, with the log of what was sent there."""
    with _opened(url, token_file, database) as webhooks:
        webhooks.remove(webhook)
    if as_json:
        print_json({"removed": webhook})
    else:
        note(f"endpoint {webhook} is removed")


@app.command(
    epilog=examples(
        "tallystick webhook rotate ID                  both secrets sign for a day",
        "tallystick webhook rotate ID --overlap 0s     the old one ends at once",
    )
)
def rotate(
    webhook: Webhook,
    overlap: Annotated[
        str, typer.Option("--overlap", metavar="SPAN", help="For how long the old secret signs too: 30m, 24h, 7d.")
    ] = "24h",
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Give an endpoint a new secret, and print it this once.

    Until the overlap is over everything is signed with both, so that the receiver may change when it likes.
    """
    seconds = parse_seconds(overlap, "--overlap")
    with _opened(url, token_file, database) as webhooks:
        _print_secret(webhooks.rotate(webhook, overlap_seconds=seconds), as_json)


@app.command("test", epilog=examples("tallystick webhook test ID"))
def send_test(
    webhook: Webhook,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Send an endpoint a test event.

    The server sends it; `tallystick webhook deliveries` tells what came of it.
    """
    with _opened(url, token_file, database) as webhooks:
        _print_sent(webhooks.test(webhook), webhook, as_json)


@app.command(
    epilog=examples(
        "tallystick webhook deliveries ID",
        "tallystick webhook deliveries ID --state failed",
        "tallystick webhook deliveries ID --notice NOTICE",
    )
)
def deliveries(
    webhook: Webhook,
    state: Annotated[DeliveryState | None, typer.Option("--state", help="What has become of them.")] = None,
    notice: Annotated[
        str | None, typer.Option("--notice", metavar="NOTICE", help="One of them, with every attempt.")
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
    """List what was sent to an endpoint, and what came of it.

    Next is in how long what waits is tried again; --notice and --json tell the time.
    """
    with _opened(url, token_file, database) as webhooks:
        if notice is not None:
            _print_log(webhooks.delivery(webhook, notice), as_json)
            return
        page = webhooks.deliveries(webhook, state=state, cursor=cursor, limit=limit)
    _print_deliveries(page, as_json)


@app.command(
    epilog=examples(
        "tallystick webhook replay ID NOTICE       one notice, whatever became of it",
        "tallystick webhook replay ID --since 2d   what it missed",
    )
)
def replay(
    webhook: Webhook,
    notice: Annotated[
        str | None, typer.Argument(metavar="[NOTICE]", help="The notice to be sent again.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="All it missed since: a span (2d) or a time with an offset."),
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Send a notice again, or all that an endpoint missed."""
    if (notice is None) == (since is None):
        raise typer.BadParameter("name a NOTICE, or say --since when")
    with _opened(url, token_file, database) as webhooks:
        if notice is not None:
            _print_sent(webhooks.replay(webhook, notice), webhook, as_json)
            return
        replayed = webhooks.replay_missed(webhook, since=parse_past(since or "", "--since"))
    if as_json:
        print_json(replayed.to_dict())
    else:
        typer.echo(f"{count(replayed.replayed)} on their way")


@app.command(
    epilog=examples("tallystick webhook key > webhook.key", "TALLYSTICK_WEBHOOK_KEY_FILE=webhook.key tallystick serve")
)
def key(as_json: Json = False) -> None:
    """Print a new key for the file that seals secrets.

    The first line of the file seals the secrets that the database holds, every line opens them. To change the key put
    a new line before the old one.
    """
    with server_parts():
        from tallystick.ledger.sealing import new_key
    made = new_key()
    if as_json:
        print_json({"key": made})
    else:
        typer.echo(made)


def _events(given: list[str] | None) -> list[str] | None:
    return [] if given and ALL in given else given or None


def _state(endpoint: Endpoint) -> str:
    if endpoint.off_reason is not None:
        return f"off ({endpoint.off_reason.replace('_', ' ')})"
    return "failing" if endpoint.failing_since else "on"


def _heard(endpoint: Endpoint) -> str:
    return ALL if endpoint.events is None else ", ".join(endpoint.events)


def _print_secret(made: NewEndpoint, as_json: bool) -> None:
    if as_json:
        print_json(made.to_dict())
        return
    whose = f"of account {made.endpoint.account}" if made.endpoint.account else "of the provider"
    note(f"endpoint {made.endpoint.id} {whose} hears of {_heard(made.endpoint)}; its secret is shown this once:")
    typer.echo(made.secret)


def _print_endpoint(endpoint: Endpoint, as_json: bool) -> None:
    if as_json:
        print_json(endpoint.to_dict())
        return
    print_fields(
        [
            ("id", endpoint.id),
            ("account", endpoint.account or "the provider"),
            ("url", endpoint.url),
            ("hears of", _heard(endpoint)),
            ("description", endpoint.description or "—"),
            ("state", _state(endpoint)),
            ("failing since", endpoint.failing_since or "—"),
            ("off since", endpoint.off_since or "—"),
            ("old secret until", endpoint.old_secret_until or "—"),
            ("created", endpoint.created_at),
        ]
    )


def _print_sent(delivery: Delivery, webhook: str, as_json: bool) -> None:
    if as_json:
        print_json(delivery.to_dict())
    else:
        note(f"{delivery.notice} is on its way; see: tallystick webhook deliveries {webhook}")


def _print_deliveries(page: DeliveryPage, as_json: bool) -> None:
    if as_json:
        print_json(page.to_dict())
        return
    print_table(
        [Column("notice"), Column("event"), Column("state"), figures("try"), figures("next")],
        # In how long and not when: so the line fits 80 columns.
        [[d.notice, d.event, d.state, count(d.attempts), _wait(d.next_attempt_at)] for d in page.deliveries],
        nothing="nothing was sent",
    )
    if page.next_cursor:
        note(f"more with --cursor {page.next_cursor}")


def _print_log(log: DeliveryLog, as_json: bool) -> None:
    if as_json:
        print_json(log.to_dict())
        return
    delivery = log.delivery
    print_fields(
        [
            ("notice", delivery.notice),
            ("event", delivery.event),
            ("account", delivery.account or "the provider"),
            ("state", delivery.state),
            ("next try", delivery.next_attempt_at or "—"),
            ("body", log.body),
        ]
    )
    print_table(
        [figures("try"), Column("at"), figures("status"), figures("ms"), Column("what was wrong", "wrap")],
        [
            [str(a.number), _time(a.at), str(a.status or "—"), count(a.milliseconds), a.error or "—"]
            for a in log.attempts
        ],
        nothing="not tried yet",
    )


def _wait(instant: str | None) -> str:
    return "—" if instant is None else span_until(instant)


def _time(instant: str | None) -> str:
    return instant[:19].replace("T", " ") if instant else "—"
