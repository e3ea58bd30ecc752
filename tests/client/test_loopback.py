"""Both twins over real sockets, where no stand-in hides what the network does."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import operator
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tallystick import AsyncClient, Client
from tallystick.errors import ConnectionFailed, RequestTimeout, ResponseError
from tests.client.scripted import TOKEN


class Server(ThreadingHTTPServer):
    """Answers with plans; behaves as the first segment of the path says."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.paths: list[str] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left early is what some of the tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        behaviour = self.path.split("/")[1]
        if behaviour == "hangs":
            self.server.released.wait(30)
        elif behaviour == "hangs-up":
            self.close_connection = True
        elif behaviour == "redirects":
            self.reply(307, b"", Location=f"{self.server.url}/plans")
        elif behaviour == "zipped":
            self.reply(200, gzip.compress(b'{"plans": []}'), Content_Encoding="gzip")
        elif behaviour == "zipped-badly":
            self.reply(200, b'{"plans": []}', Content_Encoding="gzip")
        else:
            self.reply(200, json.dumps({"plans": [], "keys": [], "path": self.path}).encode())

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content_Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
        """Nothing: the test's output is not the place."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["Client", "AsyncClient"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(kind: str, base_url: str, method: str = "plans.list", *arguments: Any, **options: Any) -> Any:
    options = {"max_retries": 0, "timeout_seconds": 10, **options, "base_url": base_url, "token": TOKEN}
    if kind == "Client":
        with Client(**options) as client:
            return operator.attrgetter(method)(client)(*arguments)

    async def ask_async() -> Any:
        async with AsyncClient(**options) as client:
            return await operator.attrgetter(method)(client)(*arguments)

    return asyncio.run(ask_async())


def test_a_call_is_answered(kind: str, server: Server) -> None:
    assert ask(kind, server.url) == ()
    assert ask(kind, f"{server.url}/zipped") == ()


def test_a_name_stays_one_segment_on_the_wire(kind: str, server: Server) -> None:
    for name in ("a/b", "..", ".", "%2F", "é ?#"):
        ask(kind, server.url, "accounts.keys", name)
    assert server.paths == [
        "/accounts/a%2Fb/keys",
        "/accounts/%2E%2E/keys",
        "/accounts/%2E/keys",
        "/accounts/%252F/keys",
        "/accounts/%C3%A9%20%3F%23/keys",
    ]


def test_a_closed_port_is_a_failed_connection(kind: str) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        with pytest.raises(ConnectionFailed) as caught:
            ask(kind, f"http://127.0.0.1:{held.getsockname()[1]}")
    assert not isinstance(caught.value, RequestTimeout)


def test_a_server_that_hangs_is_a_timeout(kind: str, server: Server) -> None:
    with pytest.raises(RequestTimeout, match=r"within 0\.2 seconds"):
        ask(kind, f"{server.url}/hangs", timeout_seconds=0.2)


def test_a_server_that_hangs_up_is_a_failed_connection_and_asked_again(kind: str, server: Server) -> None:
    async def asleep(seconds: float) -> None:
        pass

    def sleep(seconds: float) -> None:
        pass

    with pytest.raises(ConnectionFailed, match="tried 3 times"):
        ask(kind, f"{server.url}/hangs-up", max_retries=2, sleep=sleep if kind == "Client" else asleep)
    assert len(server.paths) == 3


def test_a_redirect_is_not_followed(kind: str, server: Server) -> None:
    with pytest.raises(ResponseError, match="redirects to") as caught:
        ask(kind, f"{server.url}/redirects")
    assert caught.value.code == "redirect"
    assert server.paths == ["/redirects/plans"]


def test_a_body_that_cannot_be_decompressed_is_a_bad_response(kind: str, server: Server) -> None:
    with pytest.raises(ResponseError) as caught:
        ask(kind, f"{server.url}/zipped-badly")
    assert caught.value.code == "bad_response"


def test_no_log_of_any_library_holds_the_token(kind: str, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ask(kind, server.url)
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    assert TOKEN not in caplog.text
    assert TOKEN not in repr([vars(record) for record in caplog.records])
