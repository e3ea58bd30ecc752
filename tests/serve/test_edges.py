"""What surrounds the application: clients that keep silent, proxies that are or are not believed, the log's lines."""

from __future__ import annotations

import io
import json
import logging
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tallystick.ledger import Ledger
from tallystick.model.tokens import make_token
from tallystick.serve import protocol, running
from tallystick.serve.logs import JsonLines
from tallystick.settings import Settings

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


def test_a_json_line_holds_the_request_and_no_token() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
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
