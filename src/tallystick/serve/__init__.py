"""The server: a ledger, the HTTP edge and uvicorn, wired together."""

from tallystick.serve.server import run, running
from tallystick.serve.workers import check_workers, run_workers

__all__ = ["check_workers", "run", "run_workers", "running"]
