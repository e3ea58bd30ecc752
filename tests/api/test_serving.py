"""The server process: where it listens, what it refuses, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from tallystick.errors import InvalidInput, StoreError
from tallystick.ledger import Ledger
from tallystick.model.tokens import make_token
from tallystick.serve import run, running
from tallystick.serve.protocol import HEAD_BYTES
from tallystick.serve.server import base_url
from tallystick.settings import Settings
from tests.api.service import Records, Service, job

PROGRAM = """
import sys
from tallystick.serve import run
from tallystick.settings import Settings
run(sys.argv[1], Settings(), "127.0.0.1", 0, on_ready=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


@contextmanager
def process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server as a process of its own, and its URL."""
    command = [sys.executable, "-c", PROGRAM, f"sqlite:///{folder}/tallystick.db"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        try:
            assert server.stdout
            yield server, server.stdout.readline().strip()
        finally:
            server.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    with process(tmp_path) as (server, url):
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
        server.send_signal(number)
        out, log = server.communicate(timeout=30)
        assert (server.returncode, out) == (0, "ended\n"), log
    assert "tallystick.access: GET /healthz 200" in log
    # The last connection that closes takes the write-ahead log with it.
    assert [path.name for path in tmp_path.iterdir()] == ["tallystick.db"]


def test_a_request_that_was_accepted_is_finished_before_the_end(tmp_path: Path) -> None:
    with Ledger(f"sqlite:///{tmp_path}/tallystick.db") as ledger:
        token = ledger.tokens.create("ingest").token
    body = json.dumps(job()).encode()
    with process(tmp_path) as (server, url):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            head = f"POST /jobs HTTP/1.1\r\nHost: x\r\nX-Api-Key: {token}\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body[:20])
            while not connection_is_served(url):
                threading.Event().wait(0.01)
            server.send_signal(signal.SIGTERM)
            threading.Event().wait(0.5)
            connection.sendall(body[20:])
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        _, log = server.communicate(timeout=30)
    assert answer.startswith(b"HTTP/1.1 200 "), log
    assert b'"accepted":1' in answer
    with Ledger(f"sqlite:///{tmp_path}/tallystick.db") as ledger:
        assert ledger.usage("acme", "2025-01", "2025-01").totals.jobs == 1
    assert token.removeprefix("tally_") not in log


def connection_is_served(url: str) -> bool:
    return httpx.get(f"{url}/healthz").status_code == 200


def test_a_second_signal_does_not_wait_for_a_request(tmp_path: Path) -> None:
    with Ledger(f"sqlite:///{tmp_path}/tallystick.db") as ledger:
        token = ledger.tokens.create("ingest").token
    with process(tmp_path) as (server, url):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            head = f"POST /jobs HTTP/1.1\r\nHost: x\r\nX-Api-Key: {token}\r\nContent-Length: 1000\r\n\r\n"
            connection.sendall(head.encode())
            assert connection_is_served(url)
            server.send_signal(signal.SIGTERM)
            threading.Event().wait(0.5)
            assert server.poll() is None
            server.send_signal(signal.SIGTERM)
            out, log = server.communicate(timeout=15)
        assert (server.returncode, out) == (0, "ended\n"), log


def test_an_address_that_is_taken_is_refused_before_anything_is_opened(shared: Service, tmp_path: Path) -> None:
    port = int(shared.url.rpartition(":")[2])
    with pytest.raises(InvalidInput, match=str(port)) as error:
        run(f"sqlite:///{tmp_path}/t.db", Settings(), "127.0.0.1", port)
    assert error.value.code == "cannot_listen"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 70_000), ("127.0.0.1", -1), ("no-such-host.invalid", 0), ("203.0.113.1", 0)]
)
def test_an_address_that_is_not_of_this_machine_is_refused(tmp_path: Path, host: str, port: int) -> None:
    with pytest.raises(InvalidInput) as error:
        run(f"sqlite:///{tmp_path}/t.db", Settings(), host, port)
    assert error.value.code == "cannot_listen"


def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        run(f"sqlite:///{tmp_path}/no/such/folder/t.db", Settings(), "127.0.0.1", 0)


def test_a_running_server_is_gone_after_its_block(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with Ledger(f"sqlite:///{tmp_path}/t.db") as ledger:
        with running(ledger, ledger.settings) as url, running(ledger, ledger.settings) as other:
            assert url != other
            assert connection_is_served(url)
            assert connection_is_served(other)
        with pytest.raises(httpx.ConnectError):
            connection_is_served(url)
    left = set(threading.enumerate()) - before
    assert not [thread.name for thread in left if not thread.daemon]


def test_a_server_that_does_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def startup(*_: object, **__: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(uvicorn.Server, "startup", startup)
    with (
        Ledger(f"sqlite:///{tmp_path}/t.db") as ledger,
        pytest.raises(RuntimeError, match="did not start"),
        running(ledger, ledger.settings),
    ):
        raise AssertionError("there is no server to use")


@pytest.mark.parametrize(
    ("address", "url"), [(("127.0.0.1", 8000), "http://127.0.0.1:8000"), (("::1", 80, 0, 0), "http://[::1]:80")]
)
def test_an_address_is_told_as_a_url(address: tuple[Any, ...], url: str) -> None:
    class Listener(socket.socket):
        def getsockname(self) -> tuple[Any, ...]:
            return address

    with Listener() as listener:
        assert base_url(listener) == url


# Heads of requests.


def ask(service: Service, data: bytes) -> bytes:
    """Everything that the server sends until it hangs up."""
    host, _, port = service.url.removeprefix("http://").partition(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        while piece := connection.recv(65536):
            received += piece
    return received


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * HEAD_BYTES + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)) + b"\r\n",
        b"GET /healthz?" + b"x" * HEAD_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Endless: " + b"x" * 4 * HEAD_BYTES,
        b"GET /" + b"x" * 4 * HEAD_BYTES,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"x" * 4 * HEAD_BYTES,
    ],
    ids=["one header", "many headers", "the address", "an endless header", "an endless address", "an endless name"],
)
def test_a_head_that_is_too_large_is_431_and_ends_the_connection(shared: Service, head: bytes) -> None:
    received = ask(shared, head)
    assert received.startswith(b"HTTP/1.1 431 ")
    fields, _, body = received.partition(b"\r\n\r\n")
    document = json.loads(body)
    assert (document["status"], document["code"]) == (431, "head_too_large")
    assert f"x-request-id: {document['request_id']}".encode() in fields
    assert b"connection: close" in fields


def test_a_head_just_below_the_limit_is_taken_every_time(shared: Service) -> None:
    for _ in range(3):
        headers = {"X-Long": "x" * (HEAD_BYTES - 500)}
        assert shared.client.get("/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "data", [b"hello\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_no_http_is_400_with_an_id(shared: Service, data: bytes) -> None:
    received = ask(shared, data)
    assert received.startswith(b"HTTP/1.1 400 ")
    document = json.loads(received.partition(b"\r\n\r\n")[2])
    assert document["code"] == "invalid_http"
    assert b"x-request-id: " + document["request_id"].encode() in received


def test_a_broken_request_leaves_no_token_in_the_log(shared: Service, log: Records) -> None:
    token = make_token(bytes(32))
    ask(shared, f"GET /{token} HTTP/1.1\r\nX-Api-Key: {token}\r\nbroken header {token}\r\n\r\n".encode())
    assert token.removeprefix("tally_") not in log.text


def test_a_large_body_is_not_mistaken_for_a_head(shared: Service) -> None:
    account = shared.account()
    jobs = [job(account) for _ in range(2000)]
    for _ in range(2):
        result = shared.post_jobs(jobs).json()
        assert result["accepted"] + result["duplicates"] == 2000
