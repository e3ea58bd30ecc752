"""One of several processes of the server that is measured: `tallystick.serve.worker` with two more calls."""

from __future__ import annotations

import sys

from tallystick.bench.routes import make_app
from tallystick.serve import worker

if __name__ == "__main__":
    sys.exit(worker.main(*map(int, sys.argv[1:]), make_app=make_app))
