"""The page that shows the API needs no other host."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.api.service import Service, problem

ELSEWHERE = re.compile(rb"(?:https?:)?//[a-z0-9.-]+", re.IGNORECASE)


class Loaded(HTMLParser):
    """What a page loads, and whether it holds a script of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get("src") or given.get("href")
        if address:
            self.addresses.append(address)
        self.inline |= (
            (tag in {"script", "style"} and not address) or "style" in given or any(n[:2] == "on" for n in given)
        )


def loaded(service: Service) -> Loaded:
    response = service.call("GET", "/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    parser = Loaded()
    parser.feed(response.text)
    return parser


def test_the_page_names_no_other_host(shared: Service) -> None:
    for path in ("/docs", "/docs/start.js"):
        assert ELSEWHERE.search(shared.call("GET", path).content) is None


def test_everything_that_the_page_loads_is_served_here(shared: Service) -> None:
    page = loaded(shared)
    assert len(page.addresses) == 4
    assert not page.inline
    for address in page.addresses:
        assert address.startswith("/docs/")
        assert shared.call("GET", address).status_code == 200


def test_the_styles_load_nothing_from_elsewhere(shared: Service) -> None:
    styles = shared.call("GET", "/docs/swagger-ui.css").text
    assert not re.search(r"@import|url\((?!\s*['\"]?data:)", styles)


def test_the_browser_is_told_to_load_nothing_from_elsewhere(shared: Service) -> None:
    for path in ("/docs", "/docs/", "/docs/start.js"):
        policy: dict[str, Any] = {}
        for entry in shared.call("GET", path).headers["content-security-policy"].split(";"):
            name, *sources = entry.split()
            policy[name] = sources
        assert policy["default-src"] == ["'none'"]
        assert policy["connect-src"] == policy["script-src"] == ["'self'"]
        assert all(
            source in {"'none'", "'self'", "'unsafe-inline'", "data:"} for each in policy.values() for source in each
        )


def test_the_page_starts_with_the_document_of_this_server(shared: Service) -> None:
    start = shared.call("GET", "/docs/start.js")
    assert start.headers["content-type"] == "text/javascript; charset=utf-8"
    assert 'url: "/openapi.json"' in start.text
    assert "validatorUrl: null" in start.text


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("swagger-ui.css", "text/css; charset=utf-8"),
        ("favicon-32x32.png", "image/png"),
    ],
)
def test_the_parts_of_the_page_have_their_types(shared: Service, name: str, kind: str) -> None:
    response = shared.call("GET", f"/docs/{name}")
    assert response.headers["content-type"] == kind
    assert response.headers["cache-control"] == "no-cache"
    assert len(response.content) > 500


@pytest.mark.parametrize("name", ["index.html", "..", "..%2F__init__.py", "%2Fetc%2Fpasswd", "SWAGGER-UI.CSS", "x"])
def test_nothing_else_is_served(shared: Service, name: str) -> None:
    request = shared.client.build_request("GET", f"{shared.url}/docs/{name}")
    problem(shared.client.send(request), 404, "not_found")
