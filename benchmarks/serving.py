"""A server of its own process over a database with accounts of chosen sizes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.histories import add_account
from tallystick.errors import NotFound
from tallystick.ledger import Ledger


class Served(NamedTuple):
    """Where a server answers, and the number of its process."""

    url: str
    pid: int


def prepared(file: Path, sizes: dict[str, int]) -> dict[str, str]:
    """A database with an account of each size; gives each one's token."""
    with Ledger(f"sqlite:///{file}") as ledger:
        for name, jobs in sizes.items():
            try:
                ledger.accounts.get(name)
            except NotFound:
                print(f"making {jobs:,} jobs", file=sys.stderr)
                add_account(ledger, name, jobs)
        return {name: ledger.tokens.create("usage", account=name).token for name in sizes}


@contextmanager
def serving(file: Path) -> Iterator[Served]:
    """A server over a database, until the block ends."""
    command = [sys.executable, "-m", "tallystick.cli", "serve", "--port", "0", "--database", f"sqlite:///{file}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            url = next(found[0] for line in server.stdout if (found := re.search(r"http://[\d.:]+", line)))
            yield Served(url, server.pid)
        finally:
            server.terminate()
