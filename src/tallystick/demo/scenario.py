"""The demo's course: a server of its own, jobs over HTTP, and the report of January 2025."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Final

from tallystick import serve
from tallystick.client import Client
from tallystick.demo.history import CUSTOMERS, Wire, year_of_jobs
from tallystick.ledger import Ledger
from tallystick.model.jobs import IngestResult
from tallystick.model.report import AccountsReport, UsageReport
from tallystick.model.tokens import Scope
from tallystick.settings import Settings

ACCOUNT: Final = "acme"
MONTH: Final = "2025-01"

Tell = Callable[[str], None]
"""Hears, in a sentence, what was done."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One token of each use, as a provider would hand them out."""

    admin: str
    ingest: str
    acme: str
    customer: str


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs: where, who may enter, and what it shows."""

    url: str
    tokens: Tokens
    report: UsageReport
    accounts: AccountsReport


def january_jobs() -> list[Wire]:
    """The packaged jobs of the account acme, which yield the report of `january_report`."""
    text = files(__package__).joinpath("data/january-2025.jobs.ndjson").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def january_report() -> str:
    """The report that the packaged jobs yield, as JSON."""
    return files(__package__).joinpath("data/january-2025.report.json").read_text(encoding="utf-8")


@contextmanager
def running_demo(now: datetime, tell: Tell, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[Demo]:
    """A server over a temporary database, filled over HTTP. At the end both are gone.

    A port of 0 takes a free one. Raises `OSError` for a port that is taken.
    """
    settings = Settings()
    with (
        tempfile.TemporaryDirectory(prefix="tallystick-demo-") as folder,
        Ledger(f"sqlite:///{folder}/demo.db", settings=settings) as ledger,
        serve.running(ledger, settings, host=host, port=port) as url,
    ):
        tell(f"serving at {url} over a temporary SQLite database")
        # The first token cannot come over HTTP, which asks for one. Everything after it does.
        admin = ledger.tokens.create(Scope.ADMIN, label="demo")
        with Client(base_url=url, token=admin.token) as client:
            tokens = _set_up(client, admin.token)
        _ingest(url, tokens.ingest, now, tell)
        with Client(base_url=url, token=tokens.acme) as client:
            report = client.usage.get(start_month=MONTH, end_month=MONTH)
        with Client(base_url=url, token=tokens.admin) as client:
            accounts = client.usage.accounts(end_month=f"{now:%Y-%m}")
        yield Demo(url, tokens, report, accounts)


def _set_up(client: Client, admin: str) -> Tokens:
    for customer in CUSTOMERS:
        client.accounts.create(customer.name, time_zone=customer.time_zone)
    client.accounts.create(ACCOUNT)
    return Tokens(
        admin=admin,
        ingest=client.tokens.create(Scope.INGEST, label="demo").token,
        acme=client.tokens.create(Scope.USAGE, account=ACCOUNT, label="demo").token,
        customer=client.tokens.create(Scope.USAGE, account=CUSTOMERS[0].name, label="demo").token,
    )


def _ingest(url: str, token: str, now: datetime, tell: Tell) -> None:
    with Client(base_url=url, token=token) as client:
        result = client.jobs.record_many(january_jobs())
        tell(f"{ACCOUNT}: {_told(result)}")
        began = time.monotonic()
        jobs = year_of_jobs(now)
        result = client.jobs.record_many(jobs)
        seconds = time.monotonic() - began
        tell(f"{len(CUSTOMERS)} other accounts, a year: {_told(result)} in {seconds:.1f} s")


def _told(result: IngestResult) -> str:
    return f"{result.accepted:,} jobs, {result.duplicates:,} reported twice, {len(result.rejected):,} rejected"
