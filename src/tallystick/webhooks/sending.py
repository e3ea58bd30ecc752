"""One attempt to deliver: the request, signed, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
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
"""How many connections to a place are kept, and for how long, for the next delivery there."""

MOST_PLACES: Final = 64
"""Places to which connections are kept."""

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


class Sender:
    """Sends deliveries over connections that it keeps. Redirects are answers like others, and never followed."""

    def __init__(self, tls: ssl.SSLContext, backend: CheckedBackend) -> None:
        self._tls = tls
        self._backend = backend
        # The connections that nobody uses, by place; what was used last stands last. httpcore's pool would do, but
        # looks at all of its connections for every request, which costs more than the request.
        self._idle: dict[str, list[httpcore.AsyncHTTPConnection]] = {}

    async def send(self, task: Task, at: int, timeout_seconds: float) -> Answer:
        """Makes an attempt that is timed `at` and gives up after so many seconds."""
        headers = {**headers_of(task.delivery.notice_id), **signed(task, at)}
        status: int | None = None
        try:
            async with asyncio.timeout(timeout_seconds):
                url = httpx.URL(task.url)
                target = _target(url)
                async with self._connection(target.origin) as connection:
                    request = connection.stream(
                        "POST", target, headers=[*_host(url), *headers.items()], content=task.body.encode()
                    )
                    async with request as response:
                        status = response.status
                        await _read(response)
        except TimeoutError:
            return Answer(None, f"no answer within {timeout_seconds:g} seconds") if status is None else _judged(status)
        except Refused as error:
            return Answer(None, str(error))
        except _FAILURES as error:
            return Answer(None, _reason(error)) if status is None else _judged(status)
        return _judged(status)

    @asynccontextmanager
    async def _connection(self, origin: httpcore.Origin) -> AsyncIterator[httpcore.AsyncHTTPConnection]:
        """A connection to a place, for one attempt. Afterwards it is kept for the next one, if it can be."""
        place = str(origin)
        connection = await self._kept(place) or httpcore.AsyncHTTPConnection(
            origin, ssl_context=self._tls, keepalive_expiry=KEPT_SECONDS, network_backend=self._backend
        )
        try:
            yield connection
        finally:
            if connection.is_available() and len(self._idle.get(place, ())) < KEPT_OPEN:
                self._idle[place] = [*self._idle.pop(place, ()), connection]
            else:
                await connection.aclose()
            while len(self._idle) > MOST_PLACES:
                await self._close(next(iter(self._idle)))

    async def _kept(self, place: str) -> httpcore.AsyncHTTPConnection | None:
        """The connection to a place that was used last, without those that are too old or that were hung up."""
        while idle := self._idle.get(place):
            if idle[0].has_expired():
                await idle.pop(0).aclose()
            elif len(idle) == 1 or not idle[-1].has_expired():
                return idle.pop()
            else:
                await idle.pop().aclose()
        return None

    async def _close(self, place: str) -> None:
        for connection in self._idle.pop(place):
            await connection.aclose()

    async def aclose(self) -> None:
        """Closes every connection."""
        while self._idle:
            await self._close(next(iter(self._idle)))


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


def _target(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _host(url: httpx.URL) -> Sequence[tuple[str, str]]:
    return [("host", url.netloc.decode("ascii"))]


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
