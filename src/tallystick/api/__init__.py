"""The HTTP edge: requests in, ledger calls, answers out. It knows the ledger and nothing below it."""

from tallystick.api.app import create_app

__all__ = ["create_app"]
