"""Servers for the tests of the HTTP edge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.service import JANUARY_JOBS, LINES, Records, Service, recording, service


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server for the whole module, with the contract's January in it; tests make accounts of their own."""
    with service(tmp_path_factory.mktemp("shared")) as serving:
        assert serving.post_jobs(JANUARY_JOBS, kind=LINES).json()["accepted"] == 108
        yield serving


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Service]:
    """A server for this test alone, over an empty ledger."""
    with service(tmp_path) as serving:
        yield serving


@pytest.fixture
def log() -> Iterator[Records]:
    """What is logged during the test."""
    with recording() as records:
        yield records
