"""How much memory a server takes to send an account's jobs: 10,000 of them, and 1,000,000.

Run from the root of the repository, on Linux: ``python -m benchmarks.export_memory``. For each format a fresh server
sends the small account once, unmeasured, so that what is made once is made; then its peak is reset before each export.
Beside it stands the floor: reading the same rows from SQLite and writing them as lines.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.histories import PERIOD
from benchmarks.serving import Served, prepared, serving
from tallystick.client import Client

FORMATS: Final = ("csv", "ndjson", "parquet")
_PEAK: Final = "VmHWM:"
_NOW: Final = "VmRSS:"
_RESET_PEAK: Final = "5"
MB: Final = 1 << 20


class Sent(NamedTuple):
    """One export: seconds, bytes, and by how many bytes the server's memory rose above what it was before."""

    seconds: float
    size_bytes: int
    rise_bytes: int


def memory_bytes(pid: int, which: str) -> int:
    """The resident memory of a process, or the most that it was."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (found,) = [line.split() for line in lines if line.startswith(which)]
    return int(found[1]) * 1024


def export(served: Served, token: str, form: str) -> Sent:
    """Downloads one account and throws it away."""
    Path(f"/proc/{served.pid}/clear_refs").write_text(_RESET_PEAK)
    before = memory_bytes(served.pid, _NOW)
    begun = time.perf_counter()
    with Client(base_url=served.url, token=token, timeout_seconds=300) as client:
        size_bytes = sum(map(len, client.jobs.download(*PERIOD, form=form)))
    seconds = time.perf_counter() - begun
    return Sent(seconds, size_bytes, memory_bytes(served.pid, _PEAK) - before)


def floor_seconds(file: Path, jobs: int) -> float:
    """Seconds that it takes to read an account's rows in order and to write each as a line."""
    order = "SELECT * FROM job WHERE account_id = ? AND state = 0 ORDER BY booked_at, id"
    with sqlite3.connect(file) as database, tempfile.TemporaryFile("w") as lines:
        account = database.execute("SELECT id FROM account WHERE name = ?", (f"jobs {jobs}",)).fetchone()
        begun = time.perf_counter()
        lines.writelines(f"{','.join(map(str, row))}\n" for row in database.execute(order, account))
        return time.perf_counter() - begun


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--database", type=Path, help="made where it is not there, and kept")
    arguments = parser.parse_args()
    sizes = {f"jobs {number}": number for number in (arguments.small, arguments.large)}
    with tempfile.TemporaryDirectory(prefix="tallystick-") as folder:
        file = arguments.database or Path(folder) / "exports.db"
        tokens = prepared(file, sizes)
        print(f"{'format':<8}{'jobs':>12}{'seconds':>10}{'jobs/s':>10}{'MB sent':>10}{'memory rose by MB':>20}")
        for form in FORMATS:
            with serving(file) as served:
                export(served, next(iter(tokens.values())), form)
                for name, token in tokens.items():
                    sent = export(served, token, form)
                    print(
                        f"{form:<8}{sizes[name]:>12,}{sent.seconds:>10.2f}{sizes[name] / sent.seconds:>10,.0f}"
                        f"{sent.size_bytes / MB:>10.1f}{sent.rise_bytes / MB:>20.1f}",
                        flush=True,
                    )
        seconds = floor_seconds(file, arguments.large)
        print(f"{'floor':<8}{arguments.large:>12,}{seconds:>10.2f}{arguments.large / seconds:>10,.0f}")


if __name__ == "__main__":
    main()
