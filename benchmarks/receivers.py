"""Receivers of webhooks, a process of its own: ``python -m benchmarks.receivers COUNT``, so many ports of loopback.

A path that begins with ``/hang`` is never answered, any other with 204 at once. Each line of standard input asks for
the figures so far, as a line of JSON: for each path how many requests arrived, how many ids that is, and when the last
new one came (seconds, as `time.monotonic` counts them for every process).
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ID: Final = re.compile(rb"\r\nwebhook-id: *(\S+)", re.IGNORECASE)
_ANSWER: Final = b"HTTP/1.1 204 No Content\r\n\r\n"


class Arrived(msgspec.Struct):
    """What arrived at a path."""

    requests: int = 0
    ids: int = 0
    last: float = 0.0


class _Receivers:
    def __init__(self) -> None:
        self.arrived: dict[str, Arrived] = {}
        self.seen: set[bytes] = set()

    def take(self, head: bytes) -> str:
        path = head.split(b" ", 2)[1].decode()
        found = _ID.search(head)
        place = path.encode() + (found[1] if found else b"")
        arrived = self.arrived.setdefault(path, Arrived())
        arrived.requests += 1
        if place not in self.seen:
            self.seen.add(place)
            arrived.ids += 1
            arrived.last = time.monotonic()
        return path


class _Connection(asyncio.Protocol):
    """A keep-alive connection: reads requests as they come, and answers them or not."""

    def __init__(self, receivers: _Receivers) -> None:
        self._receivers = receivers
        self._received = b""
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._received, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < whole:
                return
            path = self._receivers.take(self._received[: end + 2])
            self._received = self._received[whole:]
            if not path.startswith("/hang"):
                self._transport.write(_ANSWER)


async def _serve(count: int) -> None:
    receivers = _Receivers()
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda: _Connection(receivers), "127.0.0.1", 0, backlog=1024) for _ in range(count)
    ]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    sys.stdout.buffer.write(msgspec.json.encode(ports) + b"\n")
    sys.stdout.buffer.flush()
    while await asyncio.to_thread(sys.stdin.buffer.readline):
        sys.stdout.buffer.write(msgspec.json.encode(receivers.arrived) + b"\n")
        sys.stdout.buffer.flush()


class Receivers:
    """The process, seen from the one that measures."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdout is not None
        ports = msgspec.json.decode(process.stdout.readline(), type=list[int])
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]

    def arrived(self) -> dict[str, Arrived]:
        """What has arrived so far, by path."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=dict[str, Arrived])


@contextmanager
def receiving(count: int) -> Iterator[Receivers]:
    """The process with so many receivers, ended with the block."""
    command = [sys.executable, "-m", "benchmarks.receivers", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Receivers(process)
        finally:
            process.terminate()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(int(sys.argv[1])))
