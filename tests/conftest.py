"""What every test shares: databases of both engines, and the seed of the run, so that any run can be repeated."""

from __future__ import annotations

import random
import secrets
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tallystick.settings import Settings
from tests.databases import ENGINES, Databases, PostgresqlDatabases, SqliteDatabases
from tests.embedded import NOW, Deploy, Deployment

SEED_OPTION = "hypothesis_seed"

# Time limits per example would fail on a busy machine, not on wrong code; the whole run has its own limit.
settings.register_profile(
    "tallystick",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# For a night's search: pytest --hypothesis-profile=thorough
settings.register_profile("thorough", settings.get_profile("tallystick"), max_examples=3000)
settings.load_profile("tallystick")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed once, before hypothesis reads it; the workers of a parallel run are given the same.

    A run in the background (`nohup make test &`) ignores Ctrl-C and hang-ups, and so would the programs that it tests.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if config.getoption(SEED_OPTION, None) is None:
        setattr(config.option, SEED_OPTION, str(secrets.randbelow(2**32)))


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: {config.getoption(SEED_OPTION)} (repeat with --hypothesis-seed={config.getoption(SEED_OPTION)})"


@pytest.fixture
def randomness(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that follow from the run's seed and the test's name."""
    return random.Random(f"{request.config.getoption(SEED_OPTION)} {request.node.nodeid}")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlDatabases]:
    """Databases of PostgreSQL. Whoever cannot have them fails; nothing is skipped."""
    databases = PostgresqlDatabases()
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def sqlite() -> Iterator[SqliteDatabases]:
    """Databases of SQLite."""
    databases = SqliteDatabases()
    yield databases
    databases.close()


@pytest.fixture(scope="session", params=ENGINES)
def databases(request: pytest.FixtureRequest) -> Databases:
    """Databases of each engine in turn."""
    given: Databases = request.getfixturevalue(request.param)
    return given


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """The address of a fresh database, of each engine in turn: tables and the standard plan, nothing else."""
    with databases.fresh() as address:
        yield address


@pytest.fixture
def deploy(database: str) -> Iterator[Deploy]:
    """Opens ledgers on the test's database, on each engine in turn; they are closed at the end."""
    opened: list[Deployment] = []

    def open_one(*, now: str = NOW, **settings: Any) -> Deployment:
        opened.append(Deployment(database, Settings(**settings), now))
        return opened[-1]

    yield open_one
    for deployment in opened:
        deployment.ledger.close()


@pytest.fixture
def deployment(deploy: Deploy) -> Deployment:
    """A ledger with the settings of a first start."""
    return deploy()
