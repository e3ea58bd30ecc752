"""A server that answers from a script, and both twins before it, driven alike."""

from __future__ import annotations

import asyncio
import json
import operator
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tallystick import AsyncClient, Client
from tallystick.model.tokens import make_token

TOKEN: Final = make_token(bytes(range(32)))
BASE_URL: Final = "http://server.test:8000"
NOW: Final = 1_736_640_000.0
"""2025-01-12T00:00:00Z."""

Step = httpx.Response | Exception


def answer(status: int = 200, body: Any = None, **headers: str) -> httpx.Response:
    """A JSON answer; underscores of header names stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(status, content=content, headers={"content-type": "application/json", **named})


def problem(status: int, code: str, detail: str = "it is wrong", **members: Any) -> httpx.Response:
    """A problem document as the server writes it."""
    document = {"type": "about:blank", "title": "Wrong", "status": status, "code": code, "detail": detail, **members}
    return httpx.Response(
        status,
        content=json.dumps(document).encode(),
        headers={"content-type": "application/problem+json", "x-request-id": "req-header"},
    )


INGESTED: Final = {"accepted": 1, "duplicates": 0, "rejected": []}


@dataclass
class Script:
    """The answers to give, one per request, the last one for all that follow; and what was asked and slept."""

    steps: list[Step]
    requests: list[httpx.Request] = field(default_factory=list)
    slept_seconds: list[float] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps[min(len(self.requests), len(self.steps)) - 1]
        if isinstance(step, Exception):
            raise step
        return httpx.Response(step.status_code, headers=step.headers, content=step.content)

    def sleep(self, seconds: float) -> None:
        self.slept_seconds.append(seconds)

    @property
    def request(self) -> httpx.Request:
        """The one request that was made."""
        (only,) = self.requests
        return only

    @property
    def body(self) -> Any:
        """The JSON of the one request."""
        return json.loads(self.request.content)


class Twin:
    """One of the clients before a script. `call("usage.get", ...)` gives the result, whichever it is."""

    def __init__(self, kind: str, *steps: Step, random: float = 1.0, **arguments: Any) -> None:
        self.kind = kind
        self.script = Script(list(steps) or [answer(body=INGESTED)])
        self.arguments = {
            "base_url": BASE_URL,
            "token": TOKEN,
            "random": lambda: random,
            "clock": lambda: NOW,
            **arguments,
        }

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        transport = httpx.MockTransport(self.script)
        if self.kind == "Client":
            with Client(transport=transport, sleep=self.script.sleep, **self.arguments) as client:
                return operator.attrgetter(method)(client)(*args, **kwargs)
        return asyncio.run(self._await(transport, method, args, kwargs))

    async def _await(self, transport: httpx.MockTransport, method: str, args: Iterable[Any], kwargs: Any) -> Any:
        async def sleep(seconds: float) -> None:
            self.script.sleep(seconds)

        async with AsyncClient(transport=transport, sleep=sleep, **self.arguments) as client:
            return await operator.attrgetter(method)(client)(*args, **kwargs)
