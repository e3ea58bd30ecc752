"""What is acknowledged stays, once and whole, whatever breaks: the short form of ``make soak``."""

from __future__ import annotations

import random
import sys

import pytest

from tests.databases import PostgresqlDatabases, SqliteDatabases
from tests.faults.scenarios import SCENARIOS, Ground
from tests.faults.soak import command
from tests.faults.workload import SHORT


@pytest.fixture(scope="session")
def ground(sqlite: SqliteDatabases, postgresql: PostgresqlDatabases) -> Ground:
    return Ground(sqlite, postgresql)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_acknowledged_is_lost_doubled_or_half_done(
    scenario: str, ground: Ground, randomness: random.Random
) -> None:
    seed = randomness.getrandbits(32)
    told = f"repeat it with: {command(scenario, seed, short=True)}"
    # Shown by pytest where the test fails, and where it is ended for hanging.
    sys.stdout.write(f"{told}\n")
    try:
        SCENARIOS[scenario](seed, SHORT, ground)
    except BaseException as error:
        error.add_note(told)
        raise
