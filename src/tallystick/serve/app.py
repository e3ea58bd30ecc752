"""The whole application: the API, and beside it the web pages."""

from __future__ import annotations

from tallystick import api, web
from tallystick.api.edge import Edge
from tallystick.ledger import Ledger
from tallystick.settings import Settings


def create_app(ledger: Ledger, settings: Settings) -> Edge:
    """The ASGI application over a ledger, whose settings are given; the ledger stays the caller's to close."""
    return api.create_app(ledger, settings, beside={web.PREFIX: web.create_pages(ledger, settings, api.STATUSES)})
