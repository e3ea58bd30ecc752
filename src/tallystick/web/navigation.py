"""The entries of the pages' navigation. A new page is its routes, its template and an entry here."""

from __future__ import annotations

from typing import Final, NamedTuple

from tallystick.web.request import PageRequest


class Entry(NamedTuple):
    """A page in the navigation: its name there, and its path below where its pages begin."""

    label: str
    path: str


ACCOUNT: Final = (
    Entry("Usage", ""),
    Entry("Ledger", "/jobs"),
    Entry("Statements", "/statements"),
    Entry("Alerts", "/alerts"),
)
"""Pages about one account, for the customer and for the provider who looks at it."""

ADMINISTRATION: Final = (Entry("Access", "/access"),)
"""Pages about one account for the provider alone."""

PROVIDER: Final = (
    Entry("Accounts", "/accounts"),
    Entry("Plans", "/plans"),
    Entry("Access", "/access"),
    Entry("Webhooks", "/webhooks"),
    Entry("Quarantine", "/quarantine"),
    Entry("Health", "/health"),
)
"""Pages of the provider alone."""


class Link(NamedTuple):
    """A link of the navigation, `current` where it leads to the page itself."""

    label: str
    href: str
    current: bool
    number: int = 0


def account_links(request: PageRequest) -> list[Link]:
    """The ways to the pages of the account that the page is about."""
    entries = (*ACCOUNT, *ADMINISTRATION) if request.is_provider else ACCOUNT
    return _links(request, entries, request.account_base)


def provider_links(request: PageRequest, *, quarantined: int) -> list[Link]:
    """The ways to the provider's pages; how many items are in quarantine stands beside it."""
    marked = {"/quarantine": quarantined}
    return [
        link._replace(number=marked.get(entry.path, 0))
        for entry, link in zip(PROVIDER, _links(request, PROVIDER, ""), strict=True)
    ]


def _links(request: PageRequest, entries: tuple[Entry, ...], base: str) -> list[Link]:
    here = request.path_below.rstrip("/")
    return [Link(entry.label, request.link(base + entry.path), here == base + entry.path) for entry in entries]
