"""The entries of the pages' navigation. A new page is its routes, its template and an entry here."""

from __future__ import annotations

from typing import Final, NamedTuple

from tallystick.web.request import PageRequest


class Entry(NamedTuple):
    """A page in the navigation: its name there, and its path below where its pages begin."""

    label: str
    path: str


ACCOUNT: Final = (Entry("Usage", ""), Entry("Ledger", "/jobs"), Entry("Alerts", "/alerts"))
"""Pages about one account, for the customer and for the provider who looks at it."""

PROVIDER: Final = (Entry("Accounts", "/accounts"),)
"""Pages of the provider alone."""


class Link(NamedTuple):
    """A link of the navigation, `current` where it leads to the page itself."""

    label: str
    href: str
    current: bool


def links(request: PageRequest, entries: tuple[Entry, ...], base: str = "") -> list[Link]:
    """The entries as links, the one of the page itself marked."""
    here = request.path_below.rstrip("/")
    return [Link(entry.label, request.link(base + entry.path), here == base + entry.path) for entry in entries]
