"""How many jobs ``tallystick verify`` rates and checks a second on one core, and how much memory it takes.

A real server on the loopback holds three closed months for accounts of several sizes; a customer in another process
downloads and checks them. Checking does one thing after the other in one thread, so what is not spent on getting pages
is spent on rating and checking: reading the lines, order, ranks and bounds, digest, sums, price, rounding, comparing,
signatures, and what is remembered. That is the first figure. Beside it stands its floor, measured on the same pages in
the same run: reading each line's members with msgspec, and nothing else. The download is not in it, for it is the
server's work and the network's: "with download" is what both take together, one after the other. Memory is the most
that the customer's process had resident at any time (VmHWM of Linux).

Run from the root of the repository: ``python -m benchmarks.verify_rate``. The largest size makes a database of about
2 GB in the folder for temporary files, unless ``--sizes`` names smaller ones.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.histories import NOW, PERIOD, add_account
from benchmarks.serving import serving
from tallystick import Client, verify
from tallystick.ledger import Ledger
from tallystick.model.instants import DAY

SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000)
_MIB: Final = 1024


class _Line(msgspec.Struct, gc=False):
    id: str
    api_key: str
    completed_at: datetime
    booked_at: datetime
    tokens: dict[str, int]


class TimedPages:
    """Stands before a client's `jobs.lines` and keeps apart what a page takes to come and what it takes to read."""

    def __init__(self, client: Client) -> None:
        self._lines = client.jobs.lines
        self._decoder = msgspec.json.Decoder(_Line)
        self.getting_seconds = 0.0
        self.floor_seconds = 0.0

    def lines(self, *arguments: Any, **named: Any) -> Any:
        """The next page."""
        start = time.perf_counter()
        page = self._lines(*arguments, **named)
        got = time.perf_counter()
        self._decoder.decode_lines(page.body)
        self.getting_seconds += got - start
        self.floor_seconds += time.perf_counter() - got
        return page


def check(url: str, token: str, trusted: str) -> dict[str, float]:
    """Checks the last month, and so all three, as a customer who has checked nothing yet. Runs in its own process."""
    with Client(base_url=url, token=token) as client:
        pages = TimedPages(client)
        client.jobs.lines = pages.lines  # type: ignore[method-assign]
        start = time.perf_counter()
        found = verify.statement(client, PERIOD[1], trusted=trusted)
        seconds = time.perf_counter() - start
    if not found.holds:
        raise SystemExit(str(found))
    status = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return {
        "jobs": sum(month.live for month in found.months),
        "checking": seconds - pages.getting_seconds - pages.floor_seconds,
        "getting": pages.getting_seconds,
        "floor": pages.floor_seconds,
        "memory": int(status.split()[0]) / _MIB,
    }


def prepared(file: Path, sizes: list[int]) -> dict[int, str]:
    """A database with an account of each size, all of its months closed; gives each one's token."""
    with Ledger(f"sqlite:///{file}", clock=lambda: NOW + 5 * DAY) as ledger:
        tokens = {}
        for size in sizes:
            name = f"account {size}"
            start = time.perf_counter()
            add_account(ledger, name, size)
            made = time.perf_counter()
            ledger.statements.close(PERIOD[1], name)
            closed = time.perf_counter()
            print(f"{size:,} jobs made in {made - start:.1f} s, closed in {closed - made:.1f} s", file=sys.stderr)
            tokens[size] = ledger.tokens.create("usage", account=name).token
    return tokens


def measured(url: str, token: str, folder: Path) -> dict[str, float]:
    """What a customer's process measures, who has checked nothing yet."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        environment = {**os.environ, "TALLYSTICK_TOKEN": token}
        command = [sys.executable, "-m", "benchmarks.verify_rate", "--check", url, "--trusted", f"{own}/trusted.json"]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Builds the accounts in a temporary database and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="jobs of each account")
    parser.add_argument("--check", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--trusted", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.check:
        print(json.dumps(check(arguments.check, os.environ["TALLYSTICK_TOKEN"], arguments.trusted)))
        return
    print(f"{'jobs':>12}{'rated/s':>12}{'read/s':>12}{'ratio':>8}{'with download/s':>18}{'memory, MiB':>14}")
    with tempfile.TemporaryDirectory(prefix="tallystick-") as folder:
        file = Path(folder) / "tallystick.db"
        tokens = prepared(file, arguments.sizes)
        with serving(file) as served:
            for token in tokens.values():
                found = measured(served.url, token, Path(folder))
                jobs, rated, read = (
                    int(found["jobs"]),
                    found["jobs"] / found["checking"],
                    found["jobs"] / found["floor"],
                )
                whole = jobs / (found["checking"] + found["getting"])
                rates = f"{rated:>12,.0f}{read:>12,.0f}{read / rated:>8.2f}{whole:>18,.0f}"
                print(f"{jobs:>12,}{rates}{found['memory']:>14.1f}", flush=True)


if __name__ == "__main__":
    main()
