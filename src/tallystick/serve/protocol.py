"""HTTP as uvicorn reads it with httptools, with a limit on the head of a request and on the patience with a client.

The parser holds a request line and headers in memory until they are complete, however long they are, and uvicorn
sets no bound with it. Nor does it set one to how long a client may take to send a request or to read an answer, of
which a streamed one holds a snapshot of the database.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from tallystick.api.problems import problem

HEAD_BYTES: Final = 32 * 1024
"""Most bytes of a request's line and headers together."""

SILENCE_SECONDS: Final = 30.0
"""How long a client may keep silent in the middle of a request, or before its first, and read nothing of an answer."""

REQUEST_SECONDS: Final = 300.0
"""How long a whole request may take to arrive."""

LINGER_SECONDS: Final = 1
"""How long a refused client may go on sending before the connection is closed; what it sends is dropped."""


class LimitedProtocol(HttpToolsProtocol):
    """A connection whose requests have heads of bounded size, and whose refusals are problem documents."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # uvicorn's own line for a request holds its query; it must not depend on how the program logs.
        self.access_log = False
        self._head_bytes = 0
        self._unfinished_bytes = 0
        self._in_head = True
        self._ended_here = False
        self._refused = False
        self._began = 0.0
        self._patience: asyncio.TimerHandle | None = None
        self._asks_for_another_protocol = False
        self._read_on_from: int | None = None
        self._is_full = False
        self._unread_bytes = 0
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own type
        """A client has connected and is expected to send a request."""
        super().connection_made(transport)
        self._expect_more(begins=True)
        self._watch_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._expect_nothing()
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes what arrived; ends the connection where a head grows too large."""
        if self._refused:
            return
        if self._patience is not None:
            self._expect_more(begins=False)
        self._ended_here = False
        super().data_received(data)
        if self._read_on_from is not None:
            offset, self._read_on_from = self._read_on_from, None
            self._read_again(data[offset:])
            return
        # What is still being parsed has shown itself in no callback, so all that arrived meanwhile counts; a piece
        # that ends a request does not: most of it is that request's body.
        unfinished = self._in_head and not self._ended_here
        self._unfinished_bytes = self._unfinished_bytes + len(data) if unfinished else 0
        if self._unfinished_bytes > HEAD_BYTES and not self._refused:
            self._refuse(431, "head_too_large", _TOO_LARGE)

    def pause_writing(self) -> None:
        """What the client has not read yet fills the buffer; nothing more is written meanwhile."""
        self._is_full = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has read enough of it."""
        self._is_full = False
        super().resume_writing()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._expect_more(begins=True)
        self._head_bytes = self._unfinished_bytes = 0
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        """A part of the request's address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._in_head = False
        self._asks_for_another_protocol = self.parser.should_upgrade()
        if not self._asks_for_another_protocol:
            super().on_headers_complete()
        elif self.parser.get_method() == b"CONNECT":
            raise ValueError("this is no proxy")

    def on_message_complete(self) -> None:
        """The request is complete; the next head may begin."""
        if self._asks_for_another_protocol:
            return
        self._expect_nothing()
        self._in_head = self._ended_here = True
        super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """A request asks for another protocol, as Java's client does for HTTP/2; the parser has left out its body."""
        error = sys.exception()
        assert error is not None
        self._read_on_from = error.args[0]

    def _read_again(self, rest: bytes) -> None:
        """Reads such a request once more, without what it asks for, and then what follows its head."""
        head = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        head += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join([*head, b"", rest]))

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP request, or one whose head is too large, and hangs up."""
        if self._head_bytes > HEAD_BYTES:
            self._refuse(431, "head_too_large", _TOO_LARGE)
        else:
            self._refuse(400, "invalid_http", "What arrived is not an HTTP request.")

    def _expect_more(self, *, begins: bool) -> None:
        """Waits for the rest of a request: a while for the next piece, and not for ever for all of it."""
        self._expect_nothing()
        now = self.loop.time()
        if begins:
            self._began = now
        left = min(SILENCE_SECONDS, self._began + REQUEST_SECONDS - now)
        self._patience = self.loop.call_later(max(0.0, left), self._cut)

    def _expect_nothing(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _cut(self) -> None:
        self._patience = None
        if not self._refused and not self.transport.is_closing():
            self._refuse(408, "too_slow", "The request did not arrive in time.")

    def _watch_reading(self) -> None:
        """Looks now and then whether the client reads what it is sent, and cuts it where it does not.

        While the buffer is full, and once the connection is closing, nothing is written to it: what is in it can only
        get less.
        """
        waits = self._is_full or self.transport.is_closing()
        unread = self.transport.get_write_buffer_size() if waits else 0
        if unread and unread == self._unread_bytes:
            self.transport.abort()
            return
        self._unread_bytes = unread
        self._watch = self.loop.call_later(SILENCE_SECONDS, self._watch_reading)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES:
            # The parser gives this back as an error of its own, which leads to send_400_response.
            raise ValueError("the head of the request is too large")

    def _refuse(self, status: int, code: str, detail: str) -> None:
        request_id = secrets.token_hex(12)
        body = problem(status, code, detail, request_id=request_id)
        headers: list[tuple[bytes, bytes]] = [
            *self.server_state.default_headers,
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[status] + head + b"\r\n" + body)
        # Closing with data unread resets the connection, and the client would lose the answer.
        self._refused = True
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)


_TOO_LARGE: Final = f"The request's line and headers exceed {HEAD_BYTES} bytes."
