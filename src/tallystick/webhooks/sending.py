"""One attempt to deliver: the request, signed, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import httpcore
import httpx
from standardwebhooks import Webhook

from tallystick.ledger.deliveries import Task
from tallystick.ledger.targets import Targets
from tallystick.model.instants import SECOND, to_datetime
from tallystick.model.webhooks import headers_of
from tallystick.webhooks.connecting import CheckedBackend, LookUp, Refused, look_up

AT_ONCE: Final = 256
"""Attempts at the same time, over all endpoints."""

KEPT_OPEN: Final = 8
KEPT_SECONDS: Final = 30.0
"""How many connections to an endpoint are kept, and for how long, for the next delivery there."""

MOST_PLACES: Final = 64
"""Endpoints to which connections are kept."""

MOST_READ_BYTES: Final = 64 * 1024
READ_SECONDS: Final = 1.0
"""What is read of an answer's body, so that the connection can be used again. Nothing of it is looked at or kept."""


_FAILURES: Final = (
    *(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, httpcore.UnsupportedProtocol),
    *(httpx.InvalidURL, OSError, ValueError),
)


class Answer(NamedTuple):
    """What came of an attempt: the status of the answer, or why there was none."""

    status: int | None
    error: str | None


class _Place(NamedTuple):
    """An endpoint, and where it is. Endpoints at the same host share no connection: they may be different people's."""

    endpoint_id: str
    origin: str


class _Exchange:
    """A request, and the status with which it was answered once it was."""

    def __init__(self, task: Task, at: int) -> None:
        url = httpx.URL(task.url)
        self.target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        self.headers = [
            ("host", url.netloc.decode("ascii")),
            *headers_of(task.delivery.notice_id).items(),
            *signed(task, at).items(),
        ]
        self.content = task.body.encode()
        self.place = _Place(task.delivery.endpoint_id, str(self.target.origin))
        self.status: int | None = None


class Sender:
    """Sends deliveries over connections that it keeps. Redirects are answers like others, and never followed."""

    def __init__(self, tls: ssl.SSLContext, backend: CheckedBackend) -> None:
        self._tls = tls
        self._backend = backend
        # The connections that nobody uses, by place; what was used last stands last. httpcore's pool would do, but
        # looks at all of its connections for every request, which costs more than the request.
        self._idle: dict[_Place, list[httpcore.AsyncHTTPConnection]] = {}

    async def send(self, task: Task, at: int, timeout_seconds: float) -> Answer:
        """Makes an attempt that is timed `at` and gives up after so many seconds."""
        exchange: _Exchange | None = None
        reason = None
        try:
            exchange = _Exchange(task, at)
            async with asyncio.timeout(timeout_seconds):
                await self._make(exchange)
        except TimeoutError:
            reason = f"no answer within {timeout_seconds:g} seconds"
        except (Refused, *_FAILURES) as error:
            reason = _reason(error)
        if exchange is None or exchange.status is None:
            return Answer(None, reason)
        return _judged(exchange.status)

    async def _make(self, exchange: _Exchange) -> None:
        """Sends a request over a connection that was kept, if there is one, otherwise over a new one."""
        kept = await self._kept(exchange.place)
        if kept is not None:
            try:
                await self._make_over(kept, exchange)
            except (httpcore.NetworkError, httpcore.RemoteProtocolError):
                # The receiver may have hung up when the request was on its way, which is no failure of this one.
                if exchange.status is not None:
                    raise
            else:
                return
        new = httpcore.AsyncHTTPConnection(
            exchange.target.origin,
            ssl_context=self._tls,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=self._backend,
        )
        await self._make_over(new, exchange)

    async def _make_over(self, connection: httpcore.AsyncHTTPConnection, exchange: _Exchange) -> None:
        """Sends a request over a connection, which is kept afterwards for the next one, if it can be."""
        try:
            request = connection.stream("POST", exchange.target, headers=exchange.headers, content=exchange.content)
            async with request as response:
                exchange.status = response.status
                await _read(response)
        finally:
            place = exchange.place
            if _is_spent(connection) and len(self._idle.get(place, ())) < KEPT_OPEN:
                self._idle[place] = [*self._idle.pop(place, ()), connection]
            else:
                await connection.aclose()
            while len(self._idle) > MOST_PLACES:
                await self._close(next(iter(self._idle)))

    async def _kept(self, place: _Place) -> httpcore.AsyncHTTPConnection | None:
        """The connection to a place that was used last, without those that are too old or that were hung up."""
        while idle := self._idle.get(place):
            connection = idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    async def close_expired(self) -> None:
        """Closes the connections that nobody has used for too long, and those that were hung up."""
        expired = [
            (place, connection) for place, idle in self._idle.items() for connection in idle if connection.has_expired()
        ]
        # All are taken out before the first wait, during which an attempt may take one up.
        for place, connection in expired:
            self._idle[place].remove(connection)
        self._idle = {place: idle for place, idle in self._idle.items() if idle}
        for _, connection in expired:
            await connection.aclose()

    async def _close(self, place: _Place) -> None:
        for connection in self._idle.pop(place):
            await connection.aclose()

    async def aclose(self) -> None:
        """Closes every connection."""
        while self._idle:
            await self._close(next(iter(self._idle)))


def _is_spent(connection: httpcore.AsyncHTTPConnection) -> bool:
    """Whether a connection stands at the end of an answer with nothing behind it, which the next would begin with.

    httpcore does not say what came behind an answer. Its parser does; without that no connection is kept.
    """
    parser = getattr(getattr(connection, "_connection", None), "_h11_state", None)
    return connection.is_available() and parser is not None and parser.trailing_data == (b"", False)


@asynccontextmanager
async def sender(
    targets: Targets, *, tls: ssl.SSLContext | None = None, look_up: LookUp = look_up
) -> AsyncIterator[Sender]:
    """A sender whose connections are closed at the end. `tls` says whom to trust; by default certifi's authorities."""
    backend = CheckedBackend(targets, look_up)
    made = Sender(tls or httpx.create_ssl_context(), backend)
    try:
        yield made
    finally:
        await made.aclose()
        backend.close()


def signed(task: Task, at: int) -> dict[str, str]:
    """The headers that name the time of an attempt and sign it, with every secret that holds."""
    signatures = (Webhook(secret).sign(task.delivery.notice_id, to_datetime(at), task.body) for secret in task.secrets)
    return {"webhook-timestamp": str(at // SECOND), "webhook-signature": " ".join(signatures)}


async def _read(response: httpcore.Response) -> None:
    """Reads an answer to its end, where that is near; otherwise the connection is closed."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READ_SECONDS):
            async for part in response.aiter_stream():
                size += len(part)
                if size > MOST_READ_BYTES:
                    return


def _judged(status: int) -> Answer:
    if 200 <= status < 300:
        return Answer(status, None)
    if 300 <= status < 400:
        return Answer(status, "a redirect, which is not followed")
    return Answer(status, "not a status of success")


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:300]
