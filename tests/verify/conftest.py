"""One server for all forgeries; each customer has a file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import SqliteDatabases
from tests.embedded import Deployment
from tests.verify.forging import Between, Customer, new_deployment, serving


@pytest.fixture(scope="module")
def served(sqlite: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, Customer]]:
    folder = tmp_path_factory.mktemp("verify")
    with sqlite.fresh() as database:
        deployment = new_deployment(database, folder)
        with serving(deployment, folder) as customer:
            yield deployment, customer
        deployment.ledger.close()


@pytest.fixture
def customer(served: tuple[Deployment, Customer], tmp_path: Path) -> Customer:
    """A customer who has checked nothing yet."""
    known = served[1]
    return Customer(known.url, known.token, known.ledger, tmp_path / "trusted.json", Between())
