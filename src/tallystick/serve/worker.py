"""One of several server processes on one socket: ``python -m tallystick.serve.worker SOCKET READY LIFELINE``.

Started by `tallystick.serve.workers`. The numbers are those of inherited file descriptors: the listening socket, a
pipe that is told when this process answers, and a pipe whose other end closes when the parent is gone. The database
and the settings come in the environment, where no list of processes shows them.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable

from tallystick.errors import TallystickError
from tallystick.serve.app import create_app
from tallystick.serve.server import MakeApp, run_on
from tallystick.settings import settings_from


def main(listener_fd: int, ready_fd: int, lifeline_fd: int, *, make_app: MakeApp = create_app) -> int:
    """Serves until told to stop; gives the exit code."""

    def tell_parent(_: str) -> None:
        # Where this one takes the place of a worker that died, nobody listens any more.
        with contextlib.suppress(BrokenPipeError):
            os.write(ready_fd, b"1")

    def watch_parent(stop: Callable[[], None]) -> None:
        def wait() -> None:
            os.read(lifeline_fd, 1)
            stop()

        threading.Thread(target=wait, name="tallystick-lifeline", daemon=True).start()

    try:
        with socket.socket(fileno=listener_fd) as listener:
            settings = settings_from(os.environ)
            database = os.environ["TALLYSTICK_DATABASE"]
            run_on(listener, database, settings, tell_parent, make_app=make_app, stop=watch_parent)
    except TallystickError as error:
        sys.stderr.write(f"error: {error.detail}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
