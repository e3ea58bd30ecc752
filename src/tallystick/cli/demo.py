"""``tallystick demo``: everything at once, over made-up data that is gone afterwards."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final

import typer

from tallystick.cli.doors import server_parts
from tallystick.cli.options import Json, Port, examples
from tallystick.cli.output import Column, console, count, figures, names, note, print_rows
from tallystick.cli.serve import print_urls
from tallystick.cli.usage import print_report
from tallystick.model.money import grouped

if TYPE_CHECKING:
    from tallystick.demo.scenario import Demo
    from tallystick.model.report import AccountsReport

EXAMPLES: Final = examples("tallystick demo", "tallystick demo --json | jq .totals")

_STOPPED_BY: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_SECONDS: Final = 0.1


def demo(
    port: Port = 0,
    as_json: Json = False,
) -> None:
    """See it work, over made-up data.

    Starts a server over a temporary database, reports jobs to it over HTTP, asks it for the usage of the account
    acme in January 2025, and prints that as JSON and as a table. On a terminal it then serves until Ctrl-C, for you
    to try; otherwise it ends. Nothing is left behind.
    """
    with server_parts():
        from tallystick.demo.scenario import running_demo
    say: Callable[[str], None] = note if as_json else typer.echo
    with _Signals() as signals, running_demo(datetime.now(UTC), signals.checked_by(say), port=port) as running:
        signals.check()
        print_report(running.report, as_json=True)
        if as_json:
            return
        _show(running)
        if sys.stdout.isatty():
            _invite(running)
            signals.wait()


class _Signals:
    """The signals that end a demo, heard where nothing is half done, so that its temporary database goes with it.

    One that raised wherever the program is could leave a lock taken for ever, and the end would wait for it. A second
    one does that all the same.
    """

    def __init__(self) -> None:
        self._came: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in _STOPPED_BY}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, _: FrameType | None) -> None:
        self._came = number
        signal.signal(number, self._before[number])

    def check(self) -> None:
        """Ends the program where a signal came."""
        if self._came is not None:
            raise SystemExit(128 + self._came)

    def checked_by(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """`say`, which also ends the program where a signal came."""

        def tell(text: str) -> None:
            say(text)
            self.check()

        return tell

    def wait(self) -> None:
        """Waits for a signal. Ctrl-C is what is asked for here, and ends it well."""
        while self._came is None:
            time.sleep(_POLL_SECONDS)
        if self._came != signal.SIGINT:
            self.check()
        typer.echo("\nstopped; the temporary database is removed")


def _show(running: Demo) -> None:
    screen = console()
    screen.print()
    print_report(running.report, as_json=False)
    screen.print()
    _print_accounts(running.accounts)
    screen.print()
    typer.echo("Served here:")
    print_urls(running.url)


def _print_accounts(report: AccountsReport) -> None:
    screen = console()
    screen.print(f"All accounts, {report.period.start_month} to {report.period.end_month}", style="bold")
    screen.print()
    rows = [
        [a.account, count(a.jobs), grouped(a.base_cost), grouped(a.savings), grouped(a.final_cost), a.currency]
        for a in report.accounts
    ]
    columns = [names("account"), figures("jobs"), figures("base"), figures("savings"), figures("final"), Column("")]
    print_rows(screen, columns, rows)


def _invite(running: Demo) -> None:
    tokens = running.tokens
    typer.echo(
        f"""
Look at it in a browser: {running.url}/dashboard
The token to sign in with decides what is there to see.

  a customer  {tokens.customer}
  a provider  {tokens.admin}

Try it from another terminal:

export TALLYSTICK_URL={running.url}
export TALLYSTICK_TOKEN={tokens.acme}
tallystick usage --start 2025-01 --end 2025-01
curl -H "Authorization: Bearer $TALLYSTICK_TOKEN" \\
     "$TALLYSTICK_URL/usage?start_month=2025-01&end_month=2025-01"

A worker's token, which may report jobs and read nothing:

  {tokens.ingest}

Ctrl-C stops the server and removes its database."""
    )
