"""Runs a page of the documentation from top to bottom, as a reader would who types what it says.

What each block is, its language and title tell:

==============================  ===================================================================================
block                           what happens
==============================  ===================================================================================
any, titled with a file's name  the file is written
``sh``, titled ``Terminal …``   it is started and goes on running; the ports that it listens on are waited for
``sh``                          it is run; variables and the folder last to the end of the page
``python``                      it is run as a program
``sql``                         PostgreSQL executes it, with another name for what it creates
``nginx``                       a proxy does what it says; ``https://usage.example`` leads to it from then on
``http``                        nothing: ``tests/docs/test_webhooks.py`` looks at it
``text``, ``json``, ``csv``     what the block before must have printed; ``…`` stands for anything, alone for any lines
the same, titled ``Such as``    the same, but for figures and dates
==============================  ===================================================================================

Every other block fails. ``curl`` and ``pip`` are stand-ins: no test reaches beyond this machine. Ports from 8000 to
8009 are replaced by free ones, and PostgreSQL at ``db.example`` by the tests' own.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.docs.nginx import proxying

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS: Final = 120
POSTGRESQL: Final = "postgresql://tallystick:secret@db.example/tallystick"

_BLOCK: Final = re.compile(
    r'^```(?P<language>[a-z]*)(?: title="(?P<title>[^"]*)")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL
)
_PORT: Final = re.compile(r"\b800\d\b")
_FIGURES: Final = re.compile(r"(?:\b\d[\d.,:-]*|—|\bnot foreseen\b)(?:,? (?:\d[\d.,:-]*|—))*")
_SERVE: Final = re.compile(r"\btallystick serve\b(?!.*--port)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and the line on which it begins."""

    language: str
    title: str
    text: str
    line: int

    @property
    def is_file(self) -> bool:
        return re.fullmatch(r"[\w.-]+\.[a-z]+", self.title) is not None

    @property
    def is_terminal(self) -> bool:
        return self.language == "sh" and self.title.startswith("Terminal")


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(found["language"], found["title"] or "", found["text"], text.count("\n", 0, found.start()) + 1)
        for found in _BLOCK.finditer(text)
    ]


@dataclass
class Reader:
    """Somebody who does what a page says, in a folder, with the commands of a fresh installation on the path."""

    folder: Path
    postgresql: str = ""
    ports: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    printed: str = ""
    execute: Callable[[str], None] | None = None
    proxy: str = ""
    _open: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        commands = self.folder / ".bin"
        commands.mkdir()
        _write_command(commands / "tallystick", "-m tallystick.cli")
        _write_command(commands / "uvicorn", "-m uvicorn")
        _write_command(commands / "python", "")
        for name in ("curl", "pip"):
            _write_command(commands / name, f"'{Path(__file__).with_name(f'{name}.py')}'")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TALLYSTICK_")}
        self._environment = {**kept, "COLUMNS": "80", "PATH": os.pathsep.join([str(commands), os.environ["PATH"]])}
        (self.folder / ".state").write_text("")

    def follow(self, block: Block) -> None:
        """Does what one block says. Raises `AssertionError` where it does not work, or prints something else."""
        text = self._here(block.text)
        if block.is_file:
            (self.folder / block.title).write_text(text, encoding="utf-8")
        elif block.is_terminal:
            self._start(text)
        elif block.language == "sh":
            self.printed = self._run(text)
        elif block.language == "python":
            (self.folder / ".program.py").write_text(text, encoding="utf-8")
            self.printed = self._run("python .program.py")
        elif block.language == "sql":
            self._execute(text)
        elif block.language == "nginx":
            self.proxy = self._open.enter_context(proxying(text))
        elif block.language == "http":
            return
        elif block.language in {"text", "json", "csv"}:
            same = alike if block.title == "Such as" else matches
            assert same(text, self.printed), f"the page shows\n{text}\nand this was printed\n{self.printed}"
        else:
            raise AssertionError(f"nobody knows how to run a block of {block.language or 'no language'}")

    def _here(self, text: str) -> str:
        """A block as it is typed on this machine."""
        text = _SERVE.sub("tallystick serve --port 8000", text)
        text = _PORT.sub(lambda port: self.ports.setdefault(port[0], str(_free_port())), text)
        text = text.replace("https://usage.example", self.proxy) if self.proxy else text
        return text.replace(POSTGRESQL, self.postgresql) if self.postgresql else text

    def _execute(self, script: str) -> None:
        assert self.execute is not None, "this page needs no PostgreSQL"
        name = f"tallystick_docs_{os.getpid()}"
        for statement in re.sub(r"\btallystick\b", name, script).split(";"):
            if statement.strip():
                self.execute(statement)
                _, kind, *_ = statement.split()
                self._open.callback(self.execute, f"DROP {kind} {name}")

    def _run(self, script: str) -> str:
        state = self.folder / ".state"
        around = f"set -eu\n. '{state}'\nset -a\n{script}\nset +a\n{{ export -p; echo \"cd '$PWD'\"; }} > '{state}'\n"
        done = subprocess.run(
            ["bash", "-c", around],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, f"failed:\n{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _start(self, script: str) -> None:
        state = self.folder / ".state"
        with (self.folder / ".log").open("ab") as log:
            self.running.append(
                subprocess.Popen(
                    ["bash", "-c", f"set -eu\n. '{state}'\n{script}"],
                    cwd=self.folder,
                    env=self._environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        used = [port for port in self.ports.values() if port in script]
        assert used, f"a terminal that listens on no port: {script}"
        for port in used:
            self._wait_for(int(port))

    def _wait_for(self, port: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and self.running[-1].poll() is None:
            with socket.socket() as client:
                client.settimeout(1)
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(f"nothing listens on {port}:\n{(self.folder / '.log').read_text()}")

    def leave(self) -> None:
        """Ends what still runs, and takes away what was made elsewhere."""
        self._open.close()
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.running:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def matches(shown: str, printed: str) -> bool:
    """Whether what a page shows is what was printed, spaces at the ends of lines aside."""
    pattern = "".join(_pattern(line.rstrip()) for line in shown.splitlines())
    return re.fullmatch(pattern, "".join(f"{line.rstrip()}\n" for line in printed.splitlines())) is not None


def alike(shown: str, printed: str) -> bool:
    """Whether two texts differ in nothing but figures, dates, what stands in their place, and the width of columns."""
    return _without_figures(shown) == _without_figures(printed)


def _without_figures(text: str) -> list[str]:
    lines = (_FIGURES.sub("0", line) for line in text.splitlines())
    return [re.sub(r"([ ─])\1+", r"\1", line).rstrip() for line in lines]


def _pattern(line: str) -> str:
    if line == "…":
        return r"(?:.*\n)*"
    return ".*".join(map(re.escape, line.split("…"))) + r"\n"


def _write_command(path: Path, arguments: str) -> None:
    path.write_text(f"#!/bin/sh\nexec '{sys.executable}' {arguments} \"$@\"\n")
    path.chmod(0o755)


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


def pages() -> Iterator[Path]:
    """Every page that is written by hand."""
    yield from sorted((ROOT / "docs").rglob("*.md"))
