"""Several server processes on one socket, and the parent that keeps them.

The operating system hands each connection to one of them. They share nothing but the database, which is why it has
to be PostgreSQL: SQLite has one writer, and processes that took turns at it would be slower than one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

import msgspec
from prometheus_client.multiprocess import mark_process_dead

from tallystick.api.metrics import SHARED_FOLDER
from tallystick.errors import InvalidInput, StoreError
from tallystick.ledger import Ledger
from tallystick.serve.logs import log_to_standard_error
from tallystick.serve.server import OnReady, base_url, listening
from tallystick.settings import Settings

READY_SECONDS: Final = 60
"""How long a worker may take until it answers."""

WORKER: Final = "tallystick.serve.worker"

_RESTART_SECONDS: Final = 1.0
_TICK_SECONDS: Final = 0.1

_log = logging.getLogger(__name__)


def run_workers(
    database: str,
    settings: Settings,
    host: str,
    port: int,
    workers: int,
    on_ready: OnReady | None = None,
    *,
    module: str = WORKER,
) -> None:
    """Serves with several processes until SIGTERM or SIGINT; then each finishes the requests that it has accepted.

    A second signal ends them at once. A worker that dies is replaced. To be called on the main thread. Raises
    `InvalidInput` (code ``one_writer``) for SQLite, and what `tallystick.serve.run` raises. `module` is what each
    worker runs: that of `WORKER` or one that takes the same arguments.
    """
    check_workers(database, workers)
    log_to_standard_error(settings.log_format)
    # Opened once before there are several: brings the schema up to date, and says what is wrong in one voice.
    Ledger(database, settings=settings).close()
    with listening(host, port) as listener, tempfile.TemporaryDirectory(prefix="tallystick-metrics-") as folder:
        listener.listen()
        _Parent(listener, _environment(database, settings, folder), workers, module).run(on_ready)


def check_workers(database: str, workers: int) -> None:
    """Raises `InvalidInput` (code ``one_writer``) where the database cannot serve so many processes."""
    if workers > 1 and database.partition(":")[0] == "sqlite":
        raise InvalidInput.parameter(
            "workers",
            "SQLite has one writer, so several processes would only wait for each other; use one worker, or PostgreSQL",
            code="one_writer",
        )


def _environment(database: str, settings: Settings, metrics_folder: str) -> dict[str, str]:
    given = {
        f"TALLYSTICK_{name.upper()}": str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in msgspec.structs.asdict(settings).items()
    }
    return {**os.environ, **given, "TALLYSTICK_DATABASE": database, SHARED_FOLDER: metrics_folder}


class _Parent:
    """Starts the workers, replaces those that die, and hands signals on."""

    def __init__(self, listener: socket.socket, environment: dict[str, str], workers: int, module: str) -> None:
        self._listener = listener
        self._environment = environment
        self._wanted = workers
        self._module = module
        self._workers: list[subprocess.Popen[bytes]] = []
        self._signals = 0

    def run(self, on_ready: OnReady | None) -> None:
        lifeline, held = os.pipe()
        try:
            with self._own_signals():
                self._start_all(lifeline)
                if not self._signals and on_ready is not None:
                    on_ready(base_url(self._listener))
                self._keep(lifeline)
        finally:
            # Whoever still runs sees the other end close and stops.
            os.close(held)
            os.close(lifeline)
            for worker in self._workers:
                worker.wait()

    def _start_all(self, lifeline: int) -> None:
        started = [self._start(lifeline) for _ in range(self._wanted)]
        for worker, ready in started:
            self._take_up(worker)
            with os.fdopen(ready, "rb") as pipe:
                # Nothing but the end of the pipe comes from a worker that could not start.
                if not pipe.read(1) and not self._signals:
                    self._pass_on(signal.SIGTERM)
                    raise StoreError("a worker could not start; its own words stand above", code="worker_failed")

    def _start(self, lifeline: int) -> tuple[subprocess.Popen[bytes], int]:
        ready, told = os.pipe()
        descriptors = (self._listener.fileno(), told, lifeline)
        try:
            worker = subprocess.Popen(
                [sys.executable, "-m", self._module, *map(str, descriptors)],
                env=self._environment,
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                # A Ctrl-C reaches the parent, which hands it on; otherwise each worker would hear it twice.
                start_new_session=True,
            )
        finally:
            os.close(told)
        return worker, ready

    def _keep(self, lifeline: int) -> None:
        while self._workers:
            time.sleep(_TICK_SECONDS)
            for worker in [worker for worker in self._workers if worker.poll() is not None]:
                self._workers.remove(worker)
                # What waited in its queue waits no more, and must not be told of in its name.
                mark_process_dead(worker.pid, self._environment[SHARED_FOLDER])  # type: ignore[no-untyped-call]
                if not self._signals:
                    _log.error("worker %d ended with code %s and is replaced", worker.pid, worker.returncode)
                    time.sleep(_RESTART_SECONDS)
                    replacement, ready = self._start(lifeline)
                    os.close(ready)
                    self._take_up(replacement)

    def _take_up(self, worker: subprocess.Popen[bytes]) -> None:
        """Counts a worker among ours; it is told of a signal that came while it was being started."""
        self._workers.append(worker)
        if self._signals:
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(signal.SIGTERM)

    @contextlib.contextmanager
    def _own_signals(self) -> Iterator[None]:
        numbers = (signal.SIGTERM, signal.SIGINT)
        before: dict[int, Callable[..., object] | int | None] = {
            number: signal.signal(number, self._take) for number in numbers
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        # The server takes the second one as an order to end now, and so does it here.
        self._pass_on(signal.SIGTERM)

    def _pass_on(self, number: int) -> None:
        for worker in self._workers:
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(number)
