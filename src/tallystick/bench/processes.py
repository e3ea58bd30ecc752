"""The processes beside this one: the server that is measured, and the load generator."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from tallystick.bench.orders import Order, Sent
from tallystick.bench.routes import DATABASE
from tallystick.errors import TallystickError

_STOP_SECONDS: Final = 60
_KIBIBYTES: Final = 2**10
_LAST_LINES: Final = 5


class Server(NamedTuple):
    """A server that runs; `folder` is for files that last as long as it does."""

    host: str
    port: int
    pid: int
    folder: Path
    load: subprocess.Popen[bytes]

    @property
    def resident_mebibytes(self) -> float | None:
        """The memory that the largest process of the server has in use; nothing where the system is not Linux."""
        try:
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii").split()
            return max(map(_resident_mebibytes, [self.pid, *map(int, children)]))
        except OSError:
            return None

    def send(self, requests: Sequence[bytes], *, connections: int, times: int = 1, warm_up: int = 0) -> Sent:
        """Sends requests from the process of the load. Raises `TallystickError` for any answer other than 200."""
        file = self.folder / "requests"
        file.write_bytes(msgspec.msgpack.encode(requests))
        order = Order(self.host, self.port, min(connections, len(requests) * times), str(file), times, warm_up)
        assert self.load.stdin is not None
        assert self.load.stdout is not None
        self.load.stdin.write(msgspec.json.encode(order) + b"\n")
        self.load.stdin.flush()
        answer = self.load.stdout.readline()
        file.unlink()
        if not answer:
            raise TallystickError("the load generator broke off")
        sent = msgspec.json.decode(answer, type=Sent)
        if sent.unexpected:
            raise TallystickError(f"the server answered {sent.unexpected}")
        return sent


def _resident_mebibytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(kibibytes) / _KIBIBYTES


@contextmanager
def serving(database: str, workers: int, folder: Path, **settings: str) -> Iterator[Server]:
    """A server of so many processes over a database, and a load generator; all of them are ended with the block.

    `settings` are the server's, named as their variables end.
    """
    environment = {DATABASE: database, **{f"TALLYSTICK_{name.upper()}": value for name, value in settings.items()}}
    log = folder / "server.log"
    with (
        log.open("wb") as lines,
        _process("tallystick.bench.load") as load,
        _process("tallystick.bench.server", str(workers), log=lines, **environment) as process,
    ):
        assert process.stdout is not None
        url = urlsplit(process.stdout.readline().decode().strip())
        if url.hostname is None or url.port is None:
            last = log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
            raise TallystickError("\n".join(["the server did not start:", *last]))
        yield Server(url.hostname, url.port, process.pid, folder, load)


@contextmanager
def _process(
    module: str, *arguments: str, log: IO[bytes] | None = None, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    # No setting of this machine's, so that what is measured is what a first start gives.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TALLYSTICK_")}
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, env={**environment, **variables}) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
