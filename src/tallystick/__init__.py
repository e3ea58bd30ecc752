"""Tallystick: exact, explainable usage reports and costs for token-priced APIs.

The SDK, for customers and workers::

    from tallystick import Client

    with Client(base_url="http://127.0.0.1:8000", token="...") as client:
        print(client.usage.get(start_month="2025-01", end_month="2025-03"))

The ledger in one's own process (``pip install 'tallystick[server]'``)::

    from tallystick import Ledger

    with Ledger("sqlite:///tallystick.db") as ledger:
        print(ledger.usage("acme", "2025-01", "2025-03"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tallystick.errors import (
    AuthenticationFailed,
    BadRequest,
    Conflict,
    ConnectionFailed,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestError,
    RequestTimeout,
    ResourceConflict,
    ResourceNotFound,
    ResponseError,
    ServerFailed,
    StoreError,
    TallystickError,
    WebhookRejected,
)
from tallystick.model.jobs import IngestResult, Job
from tallystick.model.report import UsageReport
from tallystick.version import __version__

if TYPE_CHECKING:
    from tallystick.client import AsyncClient as AsyncClient
    from tallystick.client import Client as Client
    from tallystick.client import unwrap_webhook as unwrap_webhook
    from tallystick.ledger import Ledger as Ledger
    from tallystick.serve.app import create_app as create_app

# Ledger and create_app are public too, but a star import must not load the server's parts, nor fail without them.
__all__ = [
    "AsyncClient",
    "AuthenticationFailed",
    "BadRequest",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "IngestResult",
    "InvalidInput",
    "Job",
    "NotFound",
    "PermissionDenied",
    "RateLimited",
    "RequestError",
    "RequestTimeout",
    "ResourceConflict",
    "ResourceNotFound",
    "ResponseError",
    "ServerFailed",
    "StoreError",
    "TallystickError",
    "UsageReport",
    "WebhookRejected",
    "__version__",
    "unwrap_webhook",
]

_OF_THE_SERVER = {"Ledger", "create_app"}


def __getattr__(name: str) -> object:
    if name in {"AsyncClient", "Client", "unwrap_webhook"}:
        # Loaded when they are asked for: the HTTP library takes longer to load than a command's help to be shown.
        from tallystick import client

        return getattr(client, name)
    if name not in _OF_THE_SERVER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        if name == "create_app":
            from tallystick.serve.app import create_app

            return create_app
        from tallystick.ledger import Ledger
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == __name__:
            raise
        raise ImportError(
            f"{name} needs {missing}, which is not installed; it comes with: pip install 'tallystick[server]'",
            name=error.name,
        ) from None
    return Ledger


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_OF_THE_SERVER})
