"""A receiver of webhooks that misbehaves, a process of its own: ``python -m tests.faults.moody PORT SEED FOLDER``.

FOLDER holds ``secrets.json``, the secret of each path, and gets ``journal.ndjson``: a line for each request, written
before its answer, so that what a killed receiver has seen is known. A message is refused, answered late or not at all
a few times at most, and taken then.
"""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from standardwebhooks import WebhookVerificationError

from tests.webhooks.receiver import Handler, Received, Receiver, ReceiverServer

MOODS: Final = ("ok", "slow", "500", "503", "429", "404", "hang", "hang-up", "redirect", "see-other", "nonsense")
LATE: Final = frozenset({"slow", "hang"})
TAKEN: Final = frozenset({"ok", "slow"})
MOST_REFUSALS: Final = 3
"""So often one message is not taken, at most; anew by each receiver."""

_JOURNAL: Final = "journal.ndjson"
_SECRETS: Final = "secrets.json"


class Entry(NamedTuple):
    """A request that arrived. `payload` is what the official verifier gave, nothing where it refused."""

    path: str
    id: str
    mood: str
    body: str
    payload: Any

    @property
    def is_taken(self) -> bool:
        return self.payload is not None and self.mood in TAKEN


class _MoodyServer(ReceiverServer):
    """Chooses how each request is answered, and keeps the journal."""

    def __init__(self, port: int, seed: int, folder: Path) -> None:
        super().__init__(("127.0.0.1", port), _MoodyHandler)
        self.receiver = Receiver(f"http://127.0.0.1:{self.server_port}")
        self._secrets: dict[str, str] = json.loads((folder / _SECRETS).read_text())
        self._journal = (folder / _JOURNAL).open("a", encoding="utf-8")
        self._numbers = random.Random(f"{seed} moods {self._journal.tell()}")
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def note(self, received: Received) -> str:
        """Writes a request down; gives how it is answered."""
        place = received.path, received.id
        with self._lock:
            mood = "ok" if self._refusals[place] >= MOST_REFUSALS else self._numbers.choice(MOODS)
            self._refusals[place] += mood not in TAKEN
            try:
                payload = received.verified(self._secrets[received.path])
            except WebhookVerificationError:
                payload = None
            entry = Entry(*place, mood, received.body.decode(), payload)
            self._journal.write(f"{json.dumps(entry)}\n")
            self._journal.flush()
        return mood


class _MoodyHandler(Handler):
    server: _MoodyServer

    def behaviour(self, received: Received) -> str:
        return self.server.note(received)


class Moody:
    """The process, seen from the test; it can be killed and started again at the same place."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._seed = seed
        self._folder = folder
        self._port = _free_port()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def expect(self, secrets: dict[str, str]) -> None:
        """Lets the next start know the secret of each path."""
        (self._folder / _SECRETS).write_text(json.dumps(secrets))

    def start(self) -> None:
        """Starts it and waits until it listens."""
        command = [sys.executable, "-m", "tests.faults.moody", str(self._port), str(self._seed), str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == f"{self._port}\n", "the receiver did not start"

    def kill(self) -> None:
        """Ends it as a crash does; connections to it are refused from here on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def journal(self) -> list[Entry]:
        """What has arrived so far, over all its lives."""
        file = self._folder / _JOURNAL
        # A line that a kill has cut in two was never answered.
        lines = file.read_text(encoding="utf-8").split("\n")[:-1] if file.exists() else []
        return [Entry(*json.loads(line)) for line in lines if line.startswith("[") and line.endswith("]")]


def _free_port() -> int:
    """A port below those that systems give to connections: one could take it while the receiver is down."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as place:
            try:
                place.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def main(port: int, seed: int, folder: str) -> None:
    """Receives until it is killed."""
    with _MoodyServer(port, seed, Path(folder)) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
