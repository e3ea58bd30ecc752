"""A receiver of webhooks that behaves as the first segment of the path says, and checks with the official verifier.

Another class of it may choose otherwise how it behaves (`tests/faults/moody.py`).
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Received:
    """A request that arrived: its path, headers (names in lower case) and body."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """The payload, as the official verifier gives it. Raises where the signature is not made with the secret."""
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass
class Receiver:
    """A receiver, what arrived there, and where it is."""

    url: str
    received: list[Received] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def ids(self, path: str = "") -> list[str]:
        return [one.id for one in list(self.received) if one.path.startswith(path)]


class ReceiverServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that gave up is what some of the tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: ReceiverServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True  # the sender was killed while it sent this: no message
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.path, headers, body)
        self.server.receiver.received.append(received)
        behaviour = self.behaviour(received)
        getattr(self, f"be_{behaviour.replace('-', '_')}", self.be_status)(behaviour)

    def do_GET(self) -> None:
        # Whoever follows a redirect comes here.
        self.server.receiver.received.append(Received(f"GET {self.path}", {"webhook-id": "followed"}, b""))
        self.reply(200)

    def behaviour(self, received: Received) -> str:
        return received.path.split("/")[1]

    def be_status(self, behaviour: str) -> None:
        self.reply(int(behaviour) if behaviour.isdigit() else 204)

    def be_hang(self, _: str) -> None:
        self.server.receiver.released.wait(30)
        self.close_connection = True

    def be_hang_up(self, _: str) -> None:
        self.close_connection = True

    def be_goodbye(self, _: str) -> None:
        """Answers, and hangs up without a word of it."""
        self.reply(204)
        self.close_connection = True

    def be_redirect(self, _: str) -> None:
        self.reply(307, location=f"{self.server.receiver.url}/followed")

    def be_see_other(self, _: str) -> None:
        self.reply(303, location=f"{self.server.receiver.url}/followed")

    def be_slow(self, _: str) -> None:
        time.sleep(0.3)
        self.reply(200)

    def be_endless(self, _: str) -> None:
        """Answers 200, and never comes to the end of the body."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
        with suppress(OSError):
            while not self.server.receiver.released.wait(0.01):
                self.wfile.write(b"x" * 10_000)
        self.close_connection = True

    def be_dripping(self, _: str) -> None:
        """Sends its head a byte at a time."""
        with suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nx-drip: " + b"x" * 1000:
                if self.server.receiver.released.wait(0.05):
                    break
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
        self.close_connection = True

    def be_nonsense(self, _: str) -> None:
        self.wfile.write(b"this is not HTTP\r\n\r\n")
        self.close_connection = True

    def be_flood(self, _: str) -> None:
        """Sends a head without end."""
        with suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for number in range(100_000):
                self.wfile.write(b"x-%d: %s\r\n" % (number, b"x" * 1000))
        self.close_connection = True

    def reply(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class calls it so
        """Says nothing."""


@contextmanager
def receiving(*, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Receiver]:
    """A receiver in threads of this process, on a port of its own; with TLS where a context is given."""
    server = ReceiverServer((host, 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "http" if tls is None else "https"
    server.receiver = Receiver(f"{scheme}://{host}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.receiver
    finally:
        server.receiver.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def closed_port() -> Iterator[str]:
    """A URL at which connections are refused."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
