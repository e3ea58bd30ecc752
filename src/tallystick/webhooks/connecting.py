"""Connections that go only where webhooks may: a name is looked up once, and what was looked up is connected to.

So a name that leads elsewhere at the next look-up gains nothing. TLS goes on to verify the name, not the address.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import anyio
import httpcore

from tallystick.ledger.targets import Address, Targets

LookUp = Callable[[str, int], Sequence[Any]]
"""Gives what `socket.getaddrinfo` does for a name and a port, and raises what it does."""

LOOK_UPS_AT_ONCE: Final = 32
_MOST_TRIED: Final = 4


class Refused(Exception):
    """A name that leads where webhooks may not go. The text tells nothing of the address."""


def look_up(host: str, port: int) -> Sequence[Any]:
    """The addresses of a name, from the system's resolver. Raises `OSError`."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for httpcore's pool, each to an address that was judged."""

    def __init__(self, targets: Targets, look_up: LookUp = look_up) -> None:
        self._targets = targets
        self._look_up = look_up
        self._inner = httpcore.AnyIOBackend()
        # Threads of its own: names whose servers hang must not hold up those who wait for the database.
        self._threads = ThreadPoolExecutor(LOOK_UPS_AT_ONCE, thread_name_prefix="tallystick-names")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 the name is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to one of the host's addresses. Raises `Refused` where one of them is not allowed."""
        *others, last = (await self._addresses(host, port))[:_MOST_TRIED]
        connect = partial(
            self._inner.connect_tcp,
            port=port,
            timeout=timeout,
            local_address=local_address,
            socket_options=socket_options,
        )
        for address in others:
            with contextlib.suppress(httpcore.ConnectError):
                return await connect(str(address))
        return await connect(str(last))

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name cannot be resolved: {error}") from None
        addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
        # Also where another would do: whoever mixes them may be trying.
        if not addresses or not all(map(self._targets.allows, addresses)):
            raise Refused(
                "the name leads to an address that is not public, nor allowed by the setting webhook_networks"
            )
        return list(dict.fromkeys(addresses))

    async def sleep(self, seconds: float) -> None:
        """Waits, as the pool asks for between its own tries."""
        await anyio.sleep(seconds)

    def close(self) -> None:
        """Lets go of the threads; a look-up that hangs ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
