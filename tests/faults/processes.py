"""Server processes that are meant to be ended, each by its own number and none but ours."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import Final, Self

END_SECONDS: Final = 60


class Served:
    """A ``tallystick serve`` process over a database, which can be ended and started again."""

    def __init__(self, database: str, workers: int = 1, *, module: str | None = None, **settings: str) -> None:
        """`module` is run instead of the command line; `settings` are named as their variables end."""
        self.url = "http://127.0.0.1:9"  # nobody answers there
        serve = ["tallystick.cli", "serve", "--port", "0", "--workers", str(workers)]
        self._command = [sys.executable, "-m", *(serve if module is None else [module])]
        named = {f"TALLYSTICK_{name.upper()}": value for name, value in settings.items()}
        self._environment = {**os.environ, "TALLYSTICK_DATABASE": database, **named}
        self._process: subprocess.Popen[str] | None = None
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - closed at exit

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._process is not None:
            self.kill()
        if error is not None:
            error.add_note(f"The server's log ends with:\n{self.log()[-3000:]}")
        self._log.close()

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the server does not run"
        return self._process

    def start(self) -> None:
        """Starts the server and waits until it answers, at an address of its own."""
        assert self._process is None
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"(http://\S+)/usage", line):
                self.url = found[1]
                return
        raise AssertionError(f"the server did not start:\n{self.log()}")

    def kill(self) -> None:
        """Ends it as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ends it as an administrator does; gives the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process = self.process
        process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Waits until it has ended; gives the exit code."""
        code = self.process.wait(END_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._process = None
        return code

    def limit_files(self, size_bytes: int) -> None:
        """Lets no file of the server grow past a size, which fails its writes as a full disk does."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))

    def lift_limit(self) -> None:
        """Takes that limit away."""
        self.limit_files(resource.RLIM_INFINITY)

    def log(self) -> str:
        """What the server has said."""
        self._log.seek(0)
        return self._log.read()
