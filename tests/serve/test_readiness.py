"""Whether the server says that it is ready only while it can store jobs."""

from __future__ import annotations

import time

import httpx

from tallystick.ledger import Ledger
from tests.databases import SqliteDatabases
from tests.embedded import job
from tests.faults.processes import Served


def test_a_server_whose_disk_is_full_is_not_ready_until_there_is_room(sqlite: SqliteDatabases) -> None:
    with sqlite.fresh() as database:
        with Ledger(database) as ledger:
            token = ledger.tokens.create("ingest").token
        with Served(database) as server:
            server.limit_files(0)
            for _ in range(2):
                assert httpx.get(f"{server.url}/readyz").status_code == 503
            assert httpx.post(f"{server.url}/jobs", headers={"X-Api-Key": token}, json=job()).status_code == 503
            assert httpx.get(f"{server.url}/healthz").status_code == 200
            server.lift_limit()
            assert httpx.get(f"{server.url}/readyz").status_code == 200
            assert httpx.post(f"{server.url}/jobs", headers={"X-Api-Key": token}, json=job()).status_code == 200
            server.limit_files(0)
            time.sleep(1)  # for so long what held is taken to hold
            assert httpx.get(f"{server.url}/readyz").status_code == 503
