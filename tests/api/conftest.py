"""Servers for the tests of the HTTP edge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from tests.api.service import JANUARY_JOBS, LINES, Records, Service, recording, service
from tests.databases import Databases


@pytest.fixture(scope="module")
def engine() -> Databases | None:
    """Where databases come from; by default they are files of SQLite in the servers' own folders."""
    return None


def new_database(engine: Databases | None) -> AbstractContextManager[str | None]:
    if engine is None:
        return nullcontext()
    database: AbstractContextManager[str] = engine.fresh()
    return database


@pytest.fixture(scope="module")
def shared(engine: Databases | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server for the whole module, with the contract's January in it; tests make accounts of their own."""
    folder = tmp_path_factory.mktemp("shared")
    with new_database(engine) as database, service(folder, database=database) as serving:
        assert serving.post_jobs(JANUARY_JOBS, kind=LINES).json()["accepted"] == 108
        yield serving


@pytest.fixture
def fresh(engine: Databases | None, tmp_path: Path) -> Iterator[Service]:
    """A server for this test alone, over an empty ledger."""
    with new_database(engine) as database, service(tmp_path, database=database) as serving:
        yield serving


@pytest.fixture
def log() -> Iterator[Records]:
    """What is logged during the test."""
    with recording() as records:
        yield records
