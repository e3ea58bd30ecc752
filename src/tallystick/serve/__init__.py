"""The server: a ledger, the HTTP edge and uvicorn, wired together."""

from tallystick.serve.server import run, running

__all__ = ["run", "running"]
