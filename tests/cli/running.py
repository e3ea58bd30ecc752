"""Runs commands for the tests: in this process, in one of their own, and on a terminal."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from typer.testing import CliRunner, Result

from tallystick.cli.app import app

COMMAND: Final = (sys.executable, "-m", "tallystick.cli")
PATIENCE_SECONDS: Final = 120
_STEERING: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")


def clean_environment(**changes: str) -> dict[str, str]:
    """The environment without anything that would change what the commands do or show, and with `changes`."""
    unwanted = ("TALLYSTICK_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**kept, "PYTHONWARNINGS": "error", **changes}


def invoke(*arguments: str | Path, text: str | bytes | None = None, **environment: str) -> Result:
    """Runs a command in this process; the environment has no setting but those given."""
    unset: dict[str, str | None] = {name: None for name in os.environ if name.startswith("TALLYSTICK_")}
    settings = {**unset, "COLUMNS": "80", **environment}
    return CliRunner().invoke(app, list(map(str, arguments)), input=text, env=settings, prog_name="tallystick")


def run(*arguments: str | Path, text: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a process of its own, its output going to pipes."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=text or "",
        capture_output=True,
        text=True,
        env=clean_environment(**environment),
        timeout=PATIENCE_SECONDS,
    )


class Terminal:
    """A command that runs on a terminal of 80 columns. `shown` is everything that appeared there so far."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self.shown = ""
        self._descriptor = descriptor

    @property
    def plain(self) -> str:
        """What appeared, without colours and cursor movements."""
        return _STEERING.sub("", self.shown).replace("\r\n", "\n")

    def wait_for(self, text: str) -> None:
        """Reads until `text` appears; fails with what appeared instead."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.plain:
            going = time.monotonic() < deadline and self._read()
            assert going, f"no {text!r} in:\n{self.plain}"

    def wait(self) -> int:
        """Reads to the end and gives the exit status."""
        while self._read():
            pass
        return self.process.wait(PATIENCE_SECONDS)

    def _read(self) -> bool:
        if not select.select([self._descriptor], [], [], PATIENCE_SECONDS)[0]:
            return False
        try:
            got = os.read(self._descriptor, 65536)
        except OSError:  # how Linux says that the other end is closed
            return False
        self.shown += got.decode(errors="replace")
        return bool(got)


@contextmanager
def terminal(*arguments: str | Path, **environment: str) -> Iterator[Terminal]:
    """Runs a command on a terminal; at the end it is ended if it still runs."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=clean_environment(TERM="xterm-256color", **environment),
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(ours)


def lines_of(text: str) -> Mapping[str, str]:
    """``name: value`` lines as a mapping."""
    pairs = (line.strip().split(": ", 1) for line in text.splitlines() if ": " in line)
    return {name: value.strip() for name, value in pairs}
