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


class Origin(NamedTuple):
    """A place that is connected to."""

    scheme: str
    host: str
    port: int | None


class Answer(NamedTuple):
    """What came of an attempt: the status of the answer, or why there was none."""

    status: int | None
    error: str | None


class _Place:
    """The connections to a place, and how many attempts use them at the moment."""

    def __init__(self, pool: httpcore.AsyncConnectionPool) -> None:
        self.pool = pool
        self.under_way = 0


class Sender:
    """Sends deliveries over connections that it keeps. Redirects are answers like others, and never followed."""

    def __init__(self, tls: ssl.SSLContext, backend: CheckedBackend) -> None:
        self._tls = tls
        self._backend = backend
        # A pool for each place, since a pool looks at all of its connections for every request. The one used last
        # stands last.
        self._places: dict[Origin, _Place] = {}

    async def send(self, task: Task, at: int, timeout_seconds: float) -> Answer:
        """Makes an attempt that is timed `at` and gives up after so many seconds."""
        headers = {**headers_of(task.delivery.notice_id), **signed(task, at)}
        status: int | None = None
        try:
            async with asyncio.timeout(timeout_seconds):
                url = httpx.URL(task.url)
                async with self._pool(Origin(url.scheme, url.host, url.port)) as pool:
                    request = pool.stream(
                        "POST", _target(url), headers=[*_host(url), *headers.items()], content=task.body.encode()
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
    async def _pool(self, origin: Origin) -> AsyncIterator[httpcore.AsyncConnectionPool]:
        """The connections to a place, for an attempt; those to places that nobody has used for long are closed."""
        place = self._places.pop(origin, None) or _Place(self._new_pool())
        self._places[origin] = place
        place.under_way += 1
        try:
            for pool in self._left_over():
                await pool.aclose()
            yield place.pool
        finally:
            place.under_way -= 1

    def _new_pool(self) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(
            ssl_context=self._tls,
            max_connections=AT_ONCE,
            max_keepalive_connections=KEPT_OPEN,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=self._backend,
        )

    def _left_over(self) -> list[httpcore.AsyncConnectionPool]:
        """Takes out the places that are too many and that nobody uses, the one used longest ago first."""
        unused = [origin for origin, place in self._places.items() if not place.under_way]
        return [self._places.pop(origin).pool for origin in unused[: max(0, len(self._places) - MOST_PLACES)]]

    async def aclose(self) -> None:
        """Closes every connection."""
        for place in self._places.values():
            await place.pool.aclose()
        self._places.clear()


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
