"""The fault tests in their long form, with new seeds until the time is over: ``python -m tests.faults.soak``.

Each scenario's seed is printed before it runs. The first failure ends the run with the command that repeats it; what
is not the seed's doing, as the moment at which a process ends, may take several runs to come about again.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
import traceback
from collections.abc import Sequence

from tests.databases import PostgresqlDatabases, SqliteDatabases
from tests.faults.scenarios import SCENARIOS, Ground
from tests.faults.workload import LONG, SHORT


def command(scenario: str, seed: int, *, short: bool) -> str:
    """What runs one scenario with one seed again."""
    form = " --short" if short else ""
    return f"python -m tests.faults.soak{form} --seed {seed} --rounds 1 --scenario {scenario}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until the time is over or something fails; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description="Long fault tests.")
    parser.add_argument("--seconds", type=float, default=600, help="no round begins later than that (600)")
    parser.add_argument("--rounds", type=int, default=sys.maxsize, help="nor more rounds than so many")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="of the first round; then the next")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only this one; may be repeated")
    parser.add_argument("--short", action="store_true", help="as small as in make test")
    given = parser.parse_args(arguments)
    end = time.monotonic() + given.seconds
    ground = Ground(SqliteDatabases(), PostgresqlDatabases())
    try:
        for seed in range(given.seed, given.seed + given.rounds):
            for name in given.scenario or SCENARIOS:
                if time.monotonic() >= end:
                    return 0
                if not _passes(name, seed, ground, short=given.short):
                    return 1
    finally:
        ground.postgresql.close()
        ground.sqlite.close()
    return 0


def _passes(name: str, seed: int, ground: Ground, *, short: bool) -> bool:
    _say(f"{name} with seed {seed} ... ")
    started = time.monotonic()
    try:
        SCENARIOS[name](seed, SHORT if short else LONG, ground)
    except Exception:  # noqa: BLE001 - whatever it is, the seed has to be told
        _say(f"failed\n{traceback.format_exc()}\nRepeat it with: {command(name, seed, short=short)}\n")
        return False
    _say(f"good after {time.monotonic() - started:.1f} s\n")
    return True


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
