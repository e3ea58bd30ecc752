"""What the tests of the command line share: databases, and a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tallystick import serve
from tallystick.demo.scenario import january_jobs
from tallystick.ledger import Ledger
from tallystick.settings import Settings


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The URL of a database that does not exist yet."""
    return f"sqlite:///{tmp_path}/tally.db"


@pytest.fixture
def acme(database: str) -> str:
    """The URL of a database that holds the jobs of the contract."""
    with Ledger(database) as ledger:
        ledger.record(january_jobs())
    return database


@dataclass(frozen=True)
class Service:
    """A server that holds the contract's jobs, and tokens for it."""

    url: str
    ledger: Ledger
    admin: str
    ingest: str
    usage: str


@pytest.fixture
def service(acme: str) -> Iterator[Service]:
    """A server over the jobs of the contract. It takes small bodies, so that imports must split their batches."""
    settings = Settings(max_body_bytes=16 * 1024)
    with Ledger(acme, settings=settings) as ledger, serve.running(ledger, settings) as url:
        yield Service(
            url,
            ledger,
            ledger.tokens.create("admin").token,
            ledger.tokens.create("ingest").token,
            ledger.tokens.create("usage", account="acme").token,
        )
