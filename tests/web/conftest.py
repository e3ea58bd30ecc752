"""Servers, visitors and browsers for the tests of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.api.service import JANUARY_JOBS, LINES, Service, service
from tests.browser import browsing
from tests.web.site import Visitor


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server for the whole module, with the contract's January in it; tests make accounts of their own."""
    with service(tmp_path_factory.mktemp("shared")) as serving:
        assert serving.post_jobs(JANUARY_JOBS, kind=LINES).json()["accepted"] == 108
        yield serving


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Service]:
    """A server for this test alone, over an empty ledger."""
    with service(tmp_path) as serving:
        yield serving


@pytest.fixture(autouse=True)
def visitors_leave() -> Iterator[None]:
    """Closes every visitor's connections."""
    yield
    while Visitor.opened:
        Visitor.opened.pop().client.close()


@pytest.fixture
def visitor(shared: Service) -> Visitor:
    """Somebody who is not signed in."""
    return Visitor(shared)


@pytest.fixture
def customer(shared: Service, visitor: Visitor) -> Visitor:
    """The customer acme, signed in."""
    assert visitor.sign_in(shared.token("usage", "acme")).status_code == 303
    return visitor


@pytest.fixture
def provider(shared: Service, visitor: Visitor) -> Visitor:
    """The provider, signed in."""
    assert visitor.sign_in(shared.token("admin")).status_code == 303
    return visitor


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    with browsing() as started:
        yield started
