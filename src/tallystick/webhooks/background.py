"""The thread in which the notifier and the dispatcher run while a block does."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tallystick.ledger import Ledger
from tallystick.model.webhooks import STANDARD, Policy
from tallystick.webhooks.connecting import LookUp, look_up
from tallystick.webhooks.dispatcher import Dispatcher
from tallystick.webhooks.notifier import Notifier
from tallystick.webhooks.sending import sender


@contextmanager
def telling(
    ledger: Ledger, policy: Policy = STANDARD, *, tls: ssl.SSLContext | None = None, look_up: LookUp = look_up
) -> Iterator[None]:
    """A block during which what happens in a ledger is said and delivered; at its end what was begun is finished.

    `policy` says when deliveries are tried again, `tls` whom to trust, `look_up` stands for the system's resolver.
    """
    background = _Background(ledger, policy, tls, look_up)
    thread = threading.Thread(target=background.run, name="tallystick-telling")
    thread.start()
    try:
        yield
    finally:
        background.stop()
        thread.join()


class _Background:
    """What runs in the thread."""

    def __init__(self, ledger: Ledger, policy: Policy, tls: ssl.SSLContext | None, look_up: LookUp) -> None:
        self._ledger = ledger
        self._policy = policy
        self._tls = tls
        self._look_up = look_up
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()

    def run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run())

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)

    async def _run(self) -> None:
        async with sender(self._ledger.targets, tls=self._tls, look_up=self._look_up) as sends:
            dispatcher = Dispatcher(self._ledger, sends, self._policy)
            notifier = Notifier(self._ledger, self._loop, dispatcher.wake)
            async with asyncio.TaskGroup() as group:
                group.create_task(dispatcher.run())
                group.create_task(notifier.run())
                await self._stopping.wait()
                notifier.stop()
                dispatcher.stop()
