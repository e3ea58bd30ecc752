"""Connections that are kept: nothing that a receiver leaves in one becomes the answer to another delivery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest

from tallystick.ledger.clock import now_in_microseconds
from tallystick.ledger.deliveries import Task
from tallystick.ledger.targets import Targets, networks_from
from tallystick.store.webhooks import DeliveryRow
from tallystick.webhooks.sending import Answer, Sender, sender

LOOPBACK = Targets(networks_from("127.0.0.0/8", "THE_SETTING"))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
FAILS = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
FAILED = Answer(500, "not a status of success")


class Scripted:
    """A receiver that answers a path with bytes as they stand, or hangs up where there are none."""

    def __init__(self, script: dict[str, bytes]) -> None:
        self.script = script
        self.url = ""
        self.asked: list[tuple[int, str]] = []
        """The number of the connection, from 1, and the path of each request."""
        self.connections = 0
        self.open = 0
        self.late: bytes = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        number = self.connections
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length"))
                await reader.readexactly(length)
                path = head.decode().split()[1]
                self.asked.append((number, path))
                if not await self.answer(writer, path, again=len([1 for each, _ in self.asked if each == number]) > 1):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def answer(self, writer: asyncio.StreamWriter, path: str, *, again: bool) -> bool:
        if path == "/once" and again:
            return False
        writer.write(self.script[path])
        await writer.drain()
        if self.late:
            await asyncio.sleep(0.02)
            writer.write(self.late)
        return True


@asynccontextmanager
async def scripted(script: dict[str, bytes]) -> AsyncIterator[Scripted]:
    receiver = Scripted(script)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.close()


def run(script: dict[str, bytes], told: Callable[[Scripted, Sender], Coroutine[None, None, None]]) -> None:
    async def all_of_it() -> None:
        async with scripted(script) as receiver, sender(LOOPBACK) as sends:
            await told(receiver, sends)

    asyncio.run(all_of_it())


async def send(sends: Sender, receiver: Scripted, path: str, endpoint: str = "whe_1") -> Answer:
    row = DeliveryRow(1, endpoint, "ntc_1", 1, "webhook.test", 0, 0, 0, 0, 0)
    task = Task(row, receiver.url + path, ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",), "{}")
    return await sends.send(task, now_in_microseconds(), 5.0)


@pytest.mark.parametrize("clean", [OK, CHUNKED, EMPTY])
def test_an_answer_with_nothing_behind_it_leaves_the_connection_to_the_next_delivery(clean: bytes) -> None:
    async def told(receiver: Scripted, sends: Sender) -> None:
        for _ in range(3):
            assert (await send(sends, receiver, "/clean")).error is None
        assert receiver.connections == 1

    run({"/clean": clean}, told)


@pytest.mark.parametrize("endpoint", ["whe_1", "whe_2"])
@pytest.mark.parametrize(
    "more", [OK + OK, OK + GONE, CHUNKED + OK, EMPTY + b'{"ok":true}', OK + b"\r\n", OK + b"HTTP/1.1 2"]
)
def test_what_comes_behind_an_answer_is_nobodys_answer(more: bytes, endpoint: str) -> None:
    async def told(receiver: Scripted, sends: Sender) -> None:
        assert (await send(sends, receiver, "/more")).error is None
        assert await send(sends, receiver, "/fails", endpoint) == FAILED
        assert receiver.connections == 2

    run({"/more": more, "/fails": FAILS}, told)


def test_an_answer_that_comes_late_is_nobodys_answer() -> None:
    async def told(receiver: Scripted, sends: Sender) -> None:
        receiver.late = OK
        assert await send(sends, receiver, "/ok") == Answer(200, None)
        await asyncio.sleep(0.2)
        assert await send(sends, receiver, "/fails") == FAILED

    run({"/ok": OK, "/fails": FAILS}, told)


def test_endpoints_at_the_same_host_share_no_connection() -> None:
    async def told(receiver: Scripted, sends: Sender) -> None:
        for endpoint in ("whe_1", "whe_2", "whe_1", "whe_2"):
            assert await send(sends, receiver, "/ok", endpoint) == Answer(200, None)
        assert [number for number, _ in receiver.asked] == [1, 2, 1, 2]

    run({"/ok": OK}, told)


def test_a_kept_connection_that_is_hung_up_on_the_request_is_no_failure() -> None:
    async def told(receiver: Scripted, sends: Sender) -> None:
        assert await send(sends, receiver, "/once") == Answer(200, None)
        assert await send(sends, receiver, "/once") == Answer(200, None)
        assert receiver.asked == [(1, "/once"), (1, "/once"), (2, "/once")]

    run({"/once": OK}, told)


def test_connections_that_nobody_uses_are_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.webhooks.sending.KEPT_SECONDS", 0.2)

    async def told(receiver: Scripted, sends: Sender) -> None:
        await send(sends, receiver, "/ok", "whe_1")
        await send(sends, receiver, "/ok", "whe_2")
        await sends.close_expired()
        await asyncio.sleep(0.05)
        assert receiver.open == 2
        await asyncio.sleep(0.4)
        await sends.close_expired()
        await asyncio.sleep(0.05)
        assert receiver.open == 0
        assert await send(sends, receiver, "/ok", "whe_1") == Answer(200, None)

    run({"/ok": OK}, told)
