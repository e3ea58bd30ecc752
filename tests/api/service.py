"""A real server over a real ledger, and the requests that tests make to it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from tallystick.ledger import Ledger
from tallystick.model.tokens import Scope
from tallystick.serve import running
from tallystick.settings import Settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2025, 2, 1, 12, tzinfo=UTC)
LINES = "application/x-ndjson"

CONTRACT = resources.files("tallystick.demo.data")
JANUARY_JOBS = CONTRACT.joinpath("january-2025.jobs.ndjson").read_bytes()
JANUARY_REPORT = CONTRACT.joinpath("january-2025.report.json").read_text("utf-8")
JANUARY = {"start_month": "2025-01", "end_month": "2025-01"}

_numbers = count(1)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return (self.now - EPOCH) // timedelta(microseconds=1)


class Records(logging.Handler):
    """Everything that is logged meanwhile, formatted as a handler on the root would."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.lines.append(self.format(record))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def errors(self) -> list[str]:
        return [line for record, line in zip(self.records, self.lines, strict=True) if record.levelno >= logging.ERROR]


@contextmanager
def recording() -> Iterator[Records]:
    """Records what this process logs, at every level."""
    records, root = Records(), logging.getLogger()
    level = root.level
    root.addHandler(records)
    root.setLevel(logging.DEBUG)
    # The client's side is not under test, and writes whole URLs.
    clients = [logging.getLogger(name) for name in ("httpx", "httpcore")]
    levels = [client.level for client in clients]
    for client in clients:
        client.setLevel(logging.WARNING)
    try:
        yield records
    finally:
        root.removeHandler(records)
        root.setLevel(level)
        for client, own in zip(clients, levels, strict=True):
            client.setLevel(own)


@dataclass
class Service:
    """A running server with the ledger under it, its clock, and tokens for it."""

    url: str
    ledger: Ledger
    clock: Clock
    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def token(self, scope: str, account: str | None = None) -> str:
        """A token of a scope, for that account where the scope has one; made once."""
        key = f"{scope} {account}"
        if key not in self.tokens:
            self.tokens[key] = self.ledger.tokens.create(scope, account=account).token
        return self.tokens[key]

    def call(self, method: str, path: str, *, token: str | None = None, **given: Any) -> httpx.Response:
        """A request with a token, or with none."""
        headers = dict(given.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.client.request(method, path, headers=headers, **given)

    def admin(self, method: str, path: str, **given: Any) -> httpx.Response:
        """A request of an administrator."""
        return self.call(method, path, token=self.token(Scope.ADMIN), **given)

    def post_jobs(self, content: Any, *, kind: str | None = "application/json", **given: Any) -> httpx.Response:
        """POST /jobs with a raw body, or with anything else as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        headers = {**({"Content-Type": kind} if kind else {}), **given.pop("headers", {})}
        return self.call("POST", "/jobs", token=self.token(Scope.INGEST), content=body, headers=headers, **given)

    def account(self) -> str:
        """A new account that no other test knows."""
        name = f"account {next(_numbers)}"
        self.ledger.accounts.create(name)
        return name

    def jobs_of(self, account: str) -> int:
        """How many jobs an account has in January 2025."""
        return self.ledger.usage(account, "2025-01", "2025-01").totals.jobs


def job(account: str = "acme", /, **changes: Any) -> dict[str, Any]:
    """A good job of January 2025, with a new id."""
    good = {
        "id": f"job_{next(_numbers)}",
        "account": account,
        "api_key": "a key",
        "completed_at": "2025-01-11T20:12:01Z",
        "tokens": {"transcription": 5, "note_generation": 10},
    }
    return {**good, **changes}


def without(entry: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The mapping less some members."""
    return {name: value for name, value in entry.items() if name not in names}


@contextmanager
def service(folder: Path, settings: Settings | None = None, *, database: str | None = None) -> Iterator[Service]:
    """A server over a new database in a folder, or over another that is given."""
    clock = Clock()
    settings = settings or Settings(signing_folder=f"{folder}/keys")
    with (
        Ledger(database or f"sqlite:///{folder}/tallystick.db", settings=settings, clock=clock) as ledger,
        running(ledger, settings) as url,
    ):
        serving = Service(url, ledger, clock, folder)
        try:
            yield serving
        finally:
            serving.client.close()


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer, checked for its shape, status and code."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert set(document) == {"type", "title", "status", "code", "detail", "request_id", "errors"}
    assert (document["status"], document["code"]) == (status, code), document
    assert document["request_id"] == response.headers["x-request-id"]
    assert document["detail"]
    for error in document["errors"]:
        assert len(set(error) & {"parameter", "pointer", "key"}) == 1 or set(error) == {"detail"}, error
    return document


def places(document: Mapping[str, Any]) -> list[str]:
    """Where a problem document says that something is wrong."""
    return [error.get("parameter") or error.get("pointer") or error.get("key", "") for error in document["errors"]]
