"""Answers that are sent while they are made, so that any length of them fits into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import anyio
import anyio.to_thread
from litestar.response import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Send


class Chunks(Protocol):
    """Bytes in chunks, made on demand; closed when no more are wanted."""

    def __iter__(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...


class Streamed(Response[bytes]):
    """200 with chunks that are made one after the other, each on a thread, as fast as the client takes them.

    An error on the way ends the connection, so that the client does not take what came for the whole.
    """

    def __init__(self, chunks: Chunks, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(b"", status_code=200, media_type=media_type, headers=headers)
        self._body = _Body(chunks, media_type, headers)

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        return self._body


class _Body(ASGIResponse):
    _should_set_content_length = False

    def __init__(self, chunks: Chunks, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(status_code=200, media_type=media_type, headers=headers)
        self._chunks = chunks

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Sends the chunks until the last, or until nobody is there to take them."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
                await self._send_chunks(send)
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._chunks.close)

    async def _send_chunks(self, send: Send) -> None:
        chunks = iter(self._chunks)
        while (chunk := await anyio.to_thread.run_sync(next, chunks, None)) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
