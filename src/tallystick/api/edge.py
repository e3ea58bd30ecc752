"""What every request and answer goes through, whichever route answers it, the router's own errors included.

A request gets its id and a canonical path, and HEAD becomes the GET whose body is dropped; the answer gets that id,
the security headers and gzip where the client takes it; the log gets one line without query, token or name.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote, unquote_to_bytes

from litestar import Litestar

from tallystick.api.calls import PROBLEM_JSON
from tallystick.api.compression import (
    THREAD_BYTES,
    Compressor,
    accepts_gzip,
    compress,
    is_compressible,
    is_worth_it,
)
from tallystick.api.metrics import Metrics
from tallystick.api.problems import unexpected
from tallystick.api.request import in_thread
from tallystick.model.tokens import holds_token
from tallystick.striking import guard_logger, strike_path

REQUEST_ID: Final = "X-Request-Id"
_REQUEST_ID_FORM: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

_API_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'"
_DEFAULT_HEADERS: Final = {
    b"cache-control": b"no-store",
    b"content-security-policy": _API_POLICY,
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}

_logger = guard_logger("tallystick.access")


def new_request_id() -> str:
    """An id that no other request has."""
    return secrets.token_hex(12)


class Edge:
    """The ASGI application: `app`, with the edge around it.

    `beside` maps the first segment of a path (``/dashboard``) to the ASGI application that answers there instead,
    behind the same edge.
    """

    def __init__(
        self,
        app: Litestar,
        metrics: Metrics,
        make_request_id: Callable[[], str] = new_request_id,
        beside: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.app = app
        self._beside = beside
        self._metrics = metrics
        self._make_request_id = make_request_id

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = self._request_id(header_of(scope, b"x-request-id"))
        inner = _inner_scope(scope, request_id)
        answer = _Answer(send, inner["state"], scope["method"], header_of(scope, b"accept-encoding"))
        started = time.perf_counter()
        try:
            await self._app_at(inner)(inner, receive, answer.send)
        except Exception as error:  # noqa: BLE001 - the last one who can answer with a problem document
            # The router answers for what its routes raise; this is for what went wrong around them.
            await answer.fail(error)
        finally:
            seconds = time.perf_counter() - started
            milliseconds = seconds * 1000
            template = inner.get("path_template")
            self._metrics.answered(scope["method"], template, answer.status, seconds)
            route = template or strike_path(inner["path"])
            told = {
                "method": scope["method"],
                "route": route,
                "status": answer.status,
                "milliseconds": round(milliseconds, 1),
                "request_id": request_id,
            }
            _logger.info("%s %s %d %.1f ms %s", *told.values(), extra={"request": told})

    def _app_at(self, scope: Any) -> Any:
        first = scope["path"].removeprefix(scope["root_path"]).split("/")[1:2]
        return self._beside.get(f"/{first[0]}", self.app) if first else self.app

    def _request_id(self, given: str) -> str:
        return given if _REQUEST_ID_FORM.fullmatch(given) and not holds_token(given) else self._make_request_id()


def header_of(scope: Any, wanted: bytes) -> str:
    """The value of a header, several of its name put together as one list; empty where there is none."""
    return b", ".join([value for name, value in scope["headers"] if name == wanted]).decode("latin-1")


def _inner_scope(scope: Any, request_id: str) -> Any:
    state = {**scope.get("state", {}), "request_id": request_id, "values": {}}
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    mount = mount_of(scope)
    # The router takes the mount off again, and whoever makes links finds it.
    return {**scope, "method": method, "root_path": mount, "path": mount + canonical_path(scope), "state": state}


def mount_of(scope: Any) -> str:
    """Where another application has mounted this one, percent-encoded like a path; empty where none has."""
    return _encoded(scope.get("root_path", "").rstrip("/").encode())


def canonical_path(scope: Any) -> str:
    """The path below the mount, with every segment percent-encoded in the one canonical way.

    Servers hand over a decoded path, in which the slash of a name cannot be told from one between segments; what was
    sent tells it. Who mounts an application may leave its own part in either of the two, or take it off.
    """
    root, path = scope.get("root_path", "").rstrip("/"), scope["path"]
    if root and (path == root or path.startswith(f"{root}/")):
        path = path.removeprefix(root)
    sent: bytes = scope.get("raw_path") or b""
    segments = sent.split(b"/")
    for place in range(1, len(segments)):
        below = b"/".join(segments[place:])
        if f"/{unquote(below.decode('latin-1'))}" == path:
            return _encoded(b"/" + below)
    return quote(path)


def _encoded(path: bytes) -> str:
    return "/".join(quote(unquote_to_bytes(segment), safe="") for segment in path.split(b"/"))


class _Answer:
    """Completes the headers of an answer and compresses its body, which comes whole, in one message, or in parts."""

    def __init__(self, send: Any, state: Any, method: str, accept_encoding: str) -> None:
        self.status = 0
        self._sent = False
        self._send = send
        self._state = state
        self._request_id: str = state["request_id"]
        self._drops_body = method == "HEAD"
        self._takes_gzip = accepts_gzip(accept_encoding)
        self._start: Any = None
        self._compressor: Compressor | None = None

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            # Held back until the body is known, which decides about its length and encoding.
            self._start = message
            self.status = message["status"]
        elif self._sent or message.get("more_body", False):
            await self._send_part(message)
        else:
            await self._send_whole(message)

    async def fail(self, error: Exception) -> None:
        """Answers an error that nobody else did; where an answer is on its way already, the server ends it."""
        if self._sent:
            raise error
        response = unexpected(self._request_id, error)
        headers = [(b"content-type", PROBLEM_JSON.encode()), (b"content-length", str(len(response)).encode())]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": response, "more_body": False})

    async def _send_whole(self, message: Any) -> None:
        headers = self._given_headers()
        body = await self._encoded(headers, message.get("body", b""))
        await self._send_head(headers)
        await self._send({**message, "body": b"" if self._drops_body else body})

    async def _send_part(self, message: Any) -> None:
        """One part of a body that is made while it is sent; its length is not known, and it may be any."""
        if not self._sent:
            headers = self._given_headers()
            if self._takes_gzip and is_compressible(headers.get(b"content-type", b"").decode("latin-1")):
                self._compressor = Compressor()
                headers[b"content-encoding"] = b"gzip"
            await self._send_head(headers)
            if self._drops_body:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._drops_body:
            return
        if self._compressor is not None:
            compressor = self._compressor
            body = await in_thread(compressor.compress, body) if body else body
            if not more:
                body += compressor.finish()
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def _given_headers(self) -> dict[bytes, bytes]:
        return {name.lower(): value for name, value in self._start["headers"]}

    async def _send_head(self, headers: dict[bytes, bytes]) -> None:
        headers[b"x-request-id"] = self._request_id.encode()
        self._sent = True
        if allowance := self._state.get("allowance"):
            headers.update(allowance.headers())
        for name, value in _DEFAULT_HEADERS.items():
            headers.setdefault(name, value)
        await self._send({**self._start, "headers": list(headers.items())})

    async def _encoded(self, headers: dict[bytes, bytes], body: bytes) -> bytes:
        if b"content-encoding" in headers or not is_worth_it(
            headers.get(b"content-type", b"").decode("latin-1"), len(body)
        ):
            return body
        headers.setdefault(b"vary", b"Accept-Encoding")
        if not self._takes_gzip:
            return body
        body = await in_thread(compress, body) if len(body) >= THREAD_BYTES else compress(body)
        headers[b"content-encoding"] = b"gzip"
        headers[b"content-length"] = str(len(body)).encode()
        return body
