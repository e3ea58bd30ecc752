"""The thread in which the notifier runs while a block does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tallystick.ledger import Ledger
from tallystick.webhooks.notifier import Notifier


@contextmanager
def telling(ledger: Ledger) -> Iterator[None]:
    """A block during which what happens in a ledger is said; at its end what was begun is finished."""
    loop = asyncio.new_event_loop()
    notifier = Notifier(ledger, loop)
    thread = threading.Thread(target=_run, args=(loop, notifier), name="tallystick-telling")
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(notifier.stop)
        thread.join()


def _run(loop: asyncio.AbstractEventLoop, notifier: Notifier) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(notifier.run())
