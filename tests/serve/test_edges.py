"""What surrounds the application: clients that keep silent, proxies that are or are not believed, the log's lines."""

from __future__ import annotations

import io
import json
import logging
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import httpx
import pytest

from tallystick.errors import InvalidInput
from tallystick.ledger import Ledger
from tallystick.model.tokens import make_token
from tallystick.serve import protocol, running
from tallystick.serve.logs import JsonLines
from tallystick.settings import Settings
from tallystick.striking import STRIKE_TOKENS
from tests.embedded import job

HEAD = b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    assert parts.hostname is not None
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def received(client: socket.socket) -> bytes:
    """Everything until the server hangs up."""
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize(
    "sent", [b"", b"GET /healthz HT", HEAD, HEAD + b"\r\n[", HEAD + b"Authorization: Bearer x\r\n\r\n" + b" " * 500]
)
def test_a_client_that_keeps_silent_in_the_middle_of_a_request_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(protocol, "SILENCE_SECONDS", 0.3)
    with Ledger(f"sqlite:///{tmp_path}/a.db") as ledger, running(ledger, ledger.settings) as url:
        with connected(url) as client:
            client.sendall(sent)
            answer = received(client)
        # A request that was refused for another reason meanwhile has its answer already.
        assert b" 408 " in answer or b" 401 " in answer
        assert httpx.get(f"{url}/healthz").status_code == 200


def test_a_client_that_sends_a_little_now_and_then_is_cut_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.5)
    with Ledger(f"sqlite:///{tmp_path}/a.db") as ledger, running(ledger, ledger.settings) as url:
        with connected(url) as client:
            client.settimeout(0.1)
            answer = b""
            for _ in range(100):
                try:
                    client.sendall(b"G" if not answer else b"")
                    answer += client.recv(65536)
                except TimeoutError:
                    continue
                if b" 408 " in answer:
                    break
        assert b" 408 " in answer or b" 400 " in answer


def test_a_kept_connection_may_rest_between_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "SILENCE_SECONDS", 0.2)
    with (
        Ledger(f"sqlite:///{tmp_path}/a.db") as ledger,
        running(ledger, ledger.settings) as url,
        connected(url) as client,
    ):
        for _ in range(2):
            client.settimeout(30)
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in client.recv(65536)
            client.settimeout(0.6)
            with pytest.raises(TimeoutError):
                client.recv(1)


@pytest.mark.parametrize("proxies", ["10.0.0.0/99", "10.0.0.1/8", "a.proxy.example", "127.0.0.1, *"])
def test_a_proxy_that_could_never_be_believed_is_refused_at_the_start(tmp_path: Path, proxies: str) -> None:
    settings = Settings(trusted_proxies=proxies)
    with (
        Ledger(f"sqlite:///{tmp_path}/a.db", settings=settings) as ledger,
        pytest.raises(InvalidInput, match="TALLYSTICK_TRUSTED_PROXIES"),
        running(ledger, settings),
    ):
        pass


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_a_request_that_asks_for_another_protocol_is_answered_in_this_one(tmp_path: Path, piece: int) -> None:
    """Java's client asks for HTTP/2 with its first request, whatever that is."""
    with Ledger(f"sqlite:///{tmp_path}/a.db") as ledger, running(ledger, ledger.settings) as url:
        body = json.dumps(job()).encode()
        asked = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        head = f"Host: x\r\nX-Api-Key: {ledger.tokens.create('ingest').token}\r\n{asked}"
        sent = f"POST /jobs HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        sent += f"GET /healthz HTTP/1.1\r\nHost: x\r\n{asked}Connection: close\r\n\r\n".encode()
        with connected(url) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(0, len(sent), piece):
                client.sendall(sent[start : start + piece])
            answers = received(client)
        assert answers.count(b"HTTP/1.1 200 ") == 2
        assert b'"accepted":1' in answers
        assert answers.endswith(b'{"status":"ok"}')


def is_held(file: Path) -> bool:
    """Whether somebody reads an earlier state of the database: its log cannot be emptied meanwhile."""
    with closing(sqlite3.connect(file, timeout=0)) as connection:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return bool(busy)


def test_a_client_that_does_not_read_its_answer_is_cut_and_the_database_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SILENCE_SECONDS", 1)
    file = tmp_path / "a.db"
    with Ledger(f"sqlite:///{file}") as ledger, running(ledger, ledger.settings) as url, socket.socket() as client:
        ledger.record([job(number) for number in range(30_000)])
        token = ledger.tokens.create("usage", account="acme").token
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect((urlsplit(url).hostname, urlsplit(url).port))
        asked = "/jobs?start_month=2025-06&end_month=2025-06&format=ndjson"
        client.sendall(f"GET {asked} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {token}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        ledger.accounts.create("later")
        assert is_held(file)
        end = time.monotonic() + 30
        while is_held(file):
            assert time.monotonic() < end, "the answer is kept for a client that does not read it"
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("sizes", "cut"), [([9, 7, 5, 3], False), ([9, 7, 7], True), ([0, 0, 0], False), ([9, 0, 9], False)]
)
def test_only_a_client_that_reads_nothing_is_cut(sizes: list[int], cut: bool) -> None:
    transport = mock.Mock()
    transport.is_closing.return_value = False
    watched = mock.Mock(transport=transport, _is_full=True, _unread_bytes=0)
    for size in sizes:
        transport.get_write_buffer_size.return_value = size
        protocol.LimitedProtocol._watch_reading(watched)
    assert transport.abort.called is cut


@pytest.mark.parametrize(
    ("trusted", "origin"), [("", "127.0.0.1"), ("127.0.0.1", "203.0.113.9"), ("10.0.0.0/8", "127.0.0.1")]
)
def test_only_a_proxy_that_the_setting_names_is_believed_about_where_a_request_comes_from(
    tmp_path: Path, trusted: str, origin: str
) -> None:
    settings = Settings(trusted_proxies=trusted)
    with Ledger(f"sqlite:///{tmp_path}/a.db", settings=settings) as ledger:
        headers = {"Authorization": f"Bearer {ledger.tokens.create('admin').token}", "X-Forwarded-For": "203.0.113.9"}
        with running(ledger, settings) as url:
            assert httpx.post(f"{url}/accounts", headers=headers, json={"name": "acme"}).status_code == 201
        assert ledger.audit.list().events[0].origin == origin


@pytest.mark.parametrize("filters", [[], [STRIKE_TOKENS]])
def test_a_json_line_holds_the_request_and_no_token(filters: list[logging.Filter]) -> None:
    """With the filter that the server puts on every handler and without."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    for each in filters:
        handler.addFilter(each)
    logger = logging.getLogger("tests.json_lines")
    logger.propagate = False
    logger.addHandler(handler)
    token = make_token(bytes(32))
    told = {"method": "GET", "route": "/usage", "status": 200, "milliseconds": 1.5, "request_id": "r"}
    logger.warning("about %s", token, extra={"request": told})
    try:
        raise ValueError(token)
    except ValueError:
        logger.exception("failed")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert token not in stream.getvalue()
    assert first.keys() == {"time", "level", "logger", "message", *told}
    assert (first["level"], first["status"], first["request_id"]) == ("warning", 200, "r")
    assert second["trace"].startswith("Traceback")
    logger.removeHandler(handler)
