"""The web pages: of a customer over its own account, of the provider over all. They read through the ledger alone."""

from tallystick.web.app import create_pages
from tallystick.web.request import PREFIX

__all__ = ["PREFIX", "create_pages"]
