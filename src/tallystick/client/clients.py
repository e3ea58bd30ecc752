"""The twins. All that differs between them is here: how a request is sent and how one waits."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Self

import httpx

from tallystick.client import resources
from tallystick.client.answers import begun, broken_off, is_begun, result_of
from tallystick.client.call import Call, Result
from tallystick.client.connection import TIMEOUT_SECONDS, connection_from
from tallystick.client.retries import MAX_RETRIES, Outcome, Retries


class Client:
    """A Tallystick server, over HTTP.

    `base_url` and `token` come from ``TALLYSTICK_URL`` and ``TALLYSTICK_TOKEN`` where they are left out; what is
    missing or malformed raises `InvalidInput`. `timeout_seconds` bounds the wait for a connection and for each
    piece of the answer. A call that meets a lost connection, 408, 429 or 5xx is repeated at most `max_retries`
    times (`tallystick.client.retries` says when); redirects are never followed.

    It may be shared by threads. Close it after use, or use it as a context manager. `transport`, `sleep` (seconds),
    `random` (a number from [0, 1)) and `clock` (seconds since 1970) stand in for the network and time in tests.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        token: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_retries: int = MAX_RETRIES,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connection = connection_from(base_url, token, timeout_seconds, os.environ)
        self._retries = Retries(max_retries, random, clock)
        self._sleep = sleep
        self._http = httpx.Client(headers=self._connection.headers, timeout=timeout_seconds, transport=transport)
        self.usage = resources.Usage(self._send)
        self.budgets = resources.Budgets(self._send)
        self.jobs = resources.Jobs(self._send, self._stream)
        self.statements = resources.Statements(self._send)
        self.accounts = resources.Accounts(self._send)
        self.tokens = resources.Tokens(self._send)
        self.plans = resources.Plans(self._send)
        self.quarantine = resources.Quarantine(self._send)
        self.notices = resources.Notices(self._send)
        self.webhooks = resources.Webhooks(self._send)

    @property
    def base_url(self) -> str:
        """The server's address."""
        return self._connection.base_url

    def _send(self, call: Call[Result]) -> Result:
        attempt = 1
        while True:
            outcome = self._exchange(call)
            delay_seconds = self._retries.delay_seconds(call, outcome, attempt)
            if delay_seconds is None:
                return result_of(call, outcome, self._connection, attempt)
            self._sleep(delay_seconds)
            attempt += 1

    def _exchange(self, call: Call[Result]) -> Outcome:
        url = self._connection.url_of(call)
        try:
            return self._http.request(call.method, url, content=call.body, headers=call.headers)
        except httpx.RequestError as error:
            return error

    def _stream(self, call: Call[None]) -> Iterator[bytes]:
        response = self._open(call)
        try:
            yield from response.iter_bytes()
        except httpx.RequestError as error:
            raise broken_off(error, self._connection) from error
        finally:
            response.close()

    def _open(self, call: Call[None]) -> httpx.Response:
        attempt = 1
        while True:
            outcome = self._begin(call)
            delay_seconds = self._retries.delay_seconds(call, outcome, attempt)
            if delay_seconds is None:
                return begun(call, outcome, self._connection, attempt)
            self._sleep(delay_seconds)
            attempt += 1

    def _begin(self, call: Call[None]) -> Outcome:
        request = self._http.build_request(call.method, self._connection.url_of(call), headers=call.headers)
        try:
            response = self._http.send(request, stream=True)
            if not is_begun(call, response):
                response.read()
        except httpx.RequestError as error:
            return error
        return response

    def close(self) -> None:
        """Give the connections back. The client cannot be used after it."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._connection.base_url!r})"


class AsyncClient:
    """A Tallystick server, over HTTP, for asyncio: the twin of `Client`, whose methods are coroutines here.

    Parameters and rules are those of `Client`; `sleep` gives something to await.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        token: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_retries: int = MAX_RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connection = connection_from(base_url, token, timeout_seconds, os.environ)
        self._retries = Retries(max_retries, random, clock)
        self._sleep = sleep
        self._http = httpx.AsyncClient(headers=self._connection.headers, timeout=timeout_seconds, transport=transport)
        self.usage = resources.AsyncUsage(self._send)
        self.budgets = resources.AsyncBudgets(self._send)
        self.jobs = resources.AsyncJobs(self._send, self._stream)
        self.statements = resources.AsyncStatements(self._send)
        self.accounts = resources.AsyncAccounts(self._send)
        self.tokens = resources.AsyncTokens(self._send)
        self.plans = resources.AsyncPlans(self._send)
        self.quarantine = resources.AsyncQuarantine(self._send)
        self.notices = resources.AsyncNotices(self._send)
        self.webhooks = resources.AsyncWebhooks(self._send)

    @property
    def base_url(self) -> str:
        """The server's address."""
        return self._connection.base_url

    async def _send(self, call: Call[Result]) -> Result:
        attempt = 1
        while True:
            outcome = await self._exchange(call)
            delay_seconds = self._retries.delay_seconds(call, outcome, attempt)
            if delay_seconds is None:
                return result_of(call, outcome, self._connection, attempt)
            await self._sleep(delay_seconds)
            attempt += 1

    async def _exchange(self, call: Call[Result]) -> Outcome:
        url = self._connection.url_of(call)
        try:
            return await self._http.request(call.method, url, content=call.body, headers=call.headers)
        except httpx.RequestError as error:
            return error

    async def _stream(self, call: Call[None]) -> AsyncIterator[bytes]:
        response = await self._open(call)
        try:
            async for chunk in response.aiter_bytes():
                yield chunk
        except httpx.RequestError as error:
            raise broken_off(error, self._connection) from error
        finally:
            await response.aclose()

    async def _open(self, call: Call[None]) -> httpx.Response:
        attempt = 1
        while True:
            outcome = await self._begin(call)
            delay_seconds = self._retries.delay_seconds(call, outcome, attempt)
            if delay_seconds is None:
                return begun(call, outcome, self._connection, attempt)
            await self._sleep(delay_seconds)
            attempt += 1

    async def _begin(self, call: Call[None]) -> Outcome:
        request = self._http.build_request(call.method, self._connection.url_of(call), headers=call.headers)
        try:
            response = await self._http.send(request, stream=True)
            if not is_begun(call, response):
                await response.aread()
        except httpx.RequestError as error:
            return error
        return response

    async def aclose(self) -> None:
        """Give the connections back. The client cannot be used after it."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._connection.base_url!r})"
