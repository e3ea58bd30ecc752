"""A server of its own process over a database, as a benchmark needs it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(file: Path) -> Iterator[str]:
    """Serves a SQLite database; gives the URL."""
    command = [sys.executable, "-m", "tallystick.cli", "serve", "--port", "0", "--database", f"sqlite:///{file}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield next(found[0] for line in server.stdout if (found := re.search(r"http://[\d.:]+", line)))
        finally:
            server.terminate()
