"""What must work after ``pip install tallystick[server]``. Run by scripts/check_package.py."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any


def main() -> None:
    """Raise `AssertionError` for the first thing that does not hold."""
    from tallystick import Ledger
    from tallystick.model.wire import decode

    data = files("tallystick.demo") / "data"
    jobs = [decode(line) for line in (data / "january-2025.jobs.ndjson").read_bytes().splitlines()]
    with Ledger(f"sqlite:///{Path.cwd() / 'tallystick.db'}") as ledger:
        result = ledger.record(jobs)
        assert (result.accepted, result.rejected) == (len(jobs), ()), result
        report = ledger.usage("acme", "2025-01", "2025-01").to_json()
    expected = (data / "january-2025.report.json").read_text()
    assert digits(report) == digits(expected), f"the report differs from the packaged one:\n{report}"
    check_demo()


def digits(body: str) -> Any:
    """The JSON as pairs in order with numbers as decimals, so that key order and every digit count."""
    return json.loads(body, parse_float=Decimal, object_pairs_hook=list)


def check_demo() -> None:
    """The installed demo starts its server, prints the report and ends by itself without a terminal."""
    tally = str(Path(sys.executable).parent / "tallystick")
    done = subprocess.run(
        [tally, "demo"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"base_cost": 0.07592' in done.stdout, done.stdout


if __name__ == "__main__":
    main()
