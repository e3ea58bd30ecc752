"""The server that is measured, a process of its own: ``python -m tallystick.bench.server WORKERS``.

It is that of ``tallystick serve`` with two more calls, over the database that TALLYSTICK_DATABASE names, and tells
its base URL on standard output.
"""

from __future__ import annotations

import os
import sys

from tallystick import serve
from tallystick.bench.routes import DATABASE, make_app
from tallystick.settings import settings_from

WORKER = "tallystick.bench.worker"


def main(workers: int) -> None:
    """Serves until SIGTERM."""
    database, settings, host, port = os.environ[DATABASE], settings_from(os.environ), "127.0.0.1", 0
    if workers == 1:
        serve.run(database, settings, host, port, _tell, make_app=make_app)
    else:
        serve.run_workers(database, settings, host, port, workers, _tell, module=WORKER)


def _tell(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
