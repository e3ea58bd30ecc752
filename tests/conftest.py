"""What every test shares: the seed of the run, printed so that any run can be repeated."""

from __future__ import annotations

import random
import secrets

import pytest
from hypothesis import HealthCheck, settings

SEED_OPTION = "hypothesis_seed"

# Time limits per example would fail on a busy machine, not on wrong code; the whole run has its own limit.
settings.register_profile(
    "tallystick",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tallystick")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed once, before hypothesis reads it; the workers of a parallel run are given the same."""
    if config.getoption(SEED_OPTION, None) is None:
        setattr(config.option, SEED_OPTION, str(secrets.randbelow(2**32)))


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: {config.getoption(SEED_OPTION)} (repeat with --hypothesis-seed={config.getoption(SEED_OPTION)})"


@pytest.fixture
def randomness(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that follow from the run's seed and the test's name."""
    return random.Random(f"{request.config.getoption(SEED_OPTION)} {request.node.nodeid}")
