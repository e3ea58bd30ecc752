"""Something that goes on on a thread while a test looks at something else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 60


class Steps:
    """How often the step has been done."""

    def __init__(self) -> None:
        self.done = 0
        self.stopping = threading.Event()
        self.failure: BaseException | None = None

    def repeat(self, step: Callable[[], None]) -> None:
        try:
            while not self.stopping.is_set():
                step()
                self.done += 1
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test that waits for it raises it
            self.failure = error

    def wait_for(self, more: int) -> None:
        """Waits until the step has been done so many times more."""
        enough = self.done + more
        wait_until(lambda: self.done >= enough or self.failure is not None)


@contextmanager
def going_on(step: Callable[[], None]) -> Iterator[Steps]:
    """Repeats a step on a thread until the block ends. What it raises, the block raises."""
    steps = Steps()
    thread = threading.Thread(target=steps.repeat, args=[step])
    thread.start()
    try:
        yield steps
    finally:
        steps.stopping.set()
        thread.join()
    if steps.failure is not None:
        raise steps.failure


def wait_until(is_so: Callable[[], object]) -> None:
    """Waits until something is so, and fails where it never is."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.005)
