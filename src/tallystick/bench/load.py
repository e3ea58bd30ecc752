"""The load generator, a process of its own: ``python -m tallystick.bench.load``, an `Order` on each line of its input.

Requests come complete, head and body, so that nothing but sending them and reading the answers takes time here.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from tallystick.bench.orders import Order, Sent

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS: Final = slice(9, 12)
_MOST_SHOWN: Final = 500


class _Accepted(msgspec.Struct):
    accepted: int = 0


class _Answer(NamedTuple):
    status: bytes
    body: bytes


class _Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._waiting: asyncio.Future[_Answer] | None = None
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def close(self) -> None:
        self._transport.close()

    def ask(self, request: bytes) -> asyncio.Future[_Answer]:
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = _LENGTH.search(self._received, 0, head_end)
        end = head_end + 4 + (int(length[1]) if length else 0)
        if len(self._received) >= end and self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.set_result(_Answer(self._received[_STATUS], self._received[head_end + 4 : end]))
            self._received = self._received[end:]

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting is not None:
            self._waiting.set_exception(error or ConnectionError("the server hung up"))


class _Run:
    """The requests that are left, and what came of those before."""

    def __init__(self) -> None:
        self.accepted = 0
        self.seconds: list[float] = []
        self.unexpected = ""

    async def send(self, connection: _Connection, requests: deque[bytes]) -> None:
        """Sends requests, one after the answer to the other, until none are left."""
        decoder = msgspec.json.Decoder(_Accepted)
        while requests:
            request = requests.popleft()
            began = time.perf_counter()
            answer = await connection.ask(request)
            self.seconds.append(time.perf_counter() - began)
            if answer.status != b"200":
                self.unexpected = self.unexpected or f"{answer.status.decode()} {answer.body[:_MOST_SHOWN].decode()}"
            elif answer.body.startswith(b'{"accepted"'):
                self.accepted += decoder.decode(answer.body).accepted


async def _carry_out(order: Order, requests: list[bytes]) -> Sent:
    loop = asyncio.get_running_loop()
    opened = [(await loop.create_connection(_Connection, order.host, order.port))[1] for _ in range(order.connections)]
    waiting = deque(requests * order.times)
    first = deque(waiting.popleft() for _ in range(order.warm_up))
    warm_up, run = _Run(), _Run()
    await asyncio.gather(*(warm_up.send(connection, first) for connection in opened))
    began = time.perf_counter()
    await asyncio.gather(*(run.send(connection, waiting) for connection in opened))
    seconds = time.perf_counter() - began
    for connection in opened:
        connection.close()
    return Sent(
        seconds=seconds,
        accepted=run.accepted,
        p50=_milliseconds(run.seconds, 50),
        p99=_milliseconds(run.seconds, 99),
        unexpected=warm_up.unexpected or run.unexpected,
    )


def _milliseconds(seconds: list[float], percentile: int) -> float:
    """A percentile of some times, by the nearest rank."""
    return sorted(seconds)[-(-len(seconds) * percentile // 100) - 1] * 1000


def main() -> None:
    """Carries out each order and writes a line with what came of it."""
    import uvloop

    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=Order)
        requests = msgspec.msgpack.decode(Path(order.requests).read_bytes(), type=list[bytes])
        sent = uvloop.run(_carry_out(order, requests))
        sys.stdout.buffer.write(msgspec.json.encode(sent) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
