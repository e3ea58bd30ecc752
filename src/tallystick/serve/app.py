"""The whole application: the API, and beside it the web pages."""

from __future__ import annotations

from tallystick import api, web
from tallystick.api.edge import Edge
from tallystick.ledger import Ledger
from tallystick.settings import Settings


def create_app(ledger: Ledger, settings: Settings | None = None) -> Edge:
    """The ASGI application over a ledger: the API and the pages, to be served or mounted inside another application.

    `settings` are the ledger's own unless others are given. The ledger stays the caller's to close. Mounted somewhere
    (``app.mount("/billing", create_app(ledger))``), its addresses follow what the ASGI scope says in ``root_path``.
    """
    settings = settings or ledger.settings
    return api.create_app(ledger, settings, beside={web.PREFIX: web.create_pages(ledger, settings, api.STATUSES)})
