"""The server that is measured, a process of its own: ``python -m tallystick.bench.server DATABASE``.

It is that of ``tallystick serve`` with two more calls, and tells its base URL on standard output.
"""

from __future__ import annotations

import sys
from typing import Any

from tallystick import serve
from tallystick.api import create_app
from tallystick.bench.routes import bench_routes
from tallystick.ledger import Ledger
from tallystick.settings import Settings
from tallystick.store.database import Store


def main(database: str) -> None:
    """Serves a database until SIGTERM."""
    store = Store(database)

    def make_app(ledger: Ledger, settings: Settings) -> Any:
        return create_app(ledger, settings, routes=bench_routes(store))

    serve.run(database, Settings(), "127.0.0.1", 0, on_ready=_tell, make_app=make_app)


def _tell(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
