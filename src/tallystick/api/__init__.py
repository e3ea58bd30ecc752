"""The HTTP edge: requests in, ledger calls, answers out. It knows the ledger and nothing below it."""

from tallystick.api.app import create_app
from tallystick.api.problems import STATUSES

__all__ = ["STATUSES", "create_app"]
