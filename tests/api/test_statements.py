"""Statements over HTTP: the signed bytes as they are, as a page to print, and the keys for everybody."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tallystick import Client
from tallystick.errors import ResourceNotFound
from tallystick.model.signatures import decode_bytes, holds
from tests.api.service import Service, job, problem

EVIL = "<script>alert(1)</script>&\"'"


@pytest.fixture
def account(shared: Service) -> str:
    """A new account with two jobs of December, which is closed."""
    name = shared.account()
    shared.post_jobs(
        [
            job(name, completed_at="2024-12-05T12:00:00Z", api_key=EVIL),
            job(name, completed_at="2024-12-06T12:00:00Z"),
        ]
    )
    shared.ledger.statements.close("2024-12", name)
    return name


def get(service: Service, account: str, path: str, **given: Any) -> Any:
    return service.call("GET", path, token=service.token("usage", account), **given)


def test_the_body_is_the_signed_bytes_and_the_signature_is_beside_them(shared: Service, account: str) -> None:
    response = get(shared, account, "/statements/2024-12")
    stored = shared.ledger.statements.get(account, "2024-12")
    assert response.content == stored.document
    assert response.headers["content-type"] == "application/json"
    assert response.headers["tallystick-currency"] == "USD"
    assert response.headers["tallystick-signed-by"] == stored.signed_by
    keys = {key["id"]: key for key in shared.call("GET", "/.well-known/tallystick.json").json()["signing_keys"]}
    public_key = decode_bytes(keys[response.headers["tallystick-signed-by"]]["public_key"])
    assert holds(public_key, response.content, decode_bytes(response.headers["tallystick-signature"]))


def test_a_statement_that_the_client_has_is_not_sent_again(shared: Service, account: str) -> None:
    tag = get(shared, account, "/statements/2024-12").headers["etag"]
    again = get(shared, account, "/statements/2024-12", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_the_list_has_what_each_came_to(shared: Service, account: str) -> None:
    (info,) = get(shared, account, "/statements").json()["statements"]
    document = get(shared, account, "/statements/2024-12").content
    assert (info["month"], info["jobs"], info["sha256"]) == ("2024-12", 2, hashlib.sha256(document).hexdigest())
    assert info["previous_sha256"] is None


def test_without_statements_the_list_is_empty_and_a_month_is_not_found(shared: Service) -> None:
    name = shared.account()
    assert get(shared, name, "/statements").json() == {"statements": []}
    problem(get(shared, name, "/statements/2024-12"), 404, "no_statement")
    problem(get(shared, name, "/statements/2024-13"), 400, "invalid_month")


def test_another_account_reads_nothing_of_it(shared: Service, account: str) -> None:
    stranger = shared.account()
    for path in ("/statements", "/statements/2024-12"):
        problem(get(shared, stranger, path, params={"account": account}), 403, "forbidden")
        assert shared.admin("GET", path, params={"account": account}).status_code == 200
    problem(get(shared, stranger, "/statements/2024-12"), 404, "no_statement")


def test_the_sdk_gives_the_bytes_and_what_they_say(shared: Service, account: str) -> None:
    with Client(base_url=shared.url, token=shared.token("usage", account)) as client:
        (info,) = client.statements.list()
        signed = client.statements.get("2024-12")
        keys = client.statements.signing_keys()
        with pytest.raises(ResourceNotFound) as caught:
            client.statements.get("2024-11")
    assert caught.value.code == "no_statement"
    assert signed == shared.ledger.statements.get(account, "2024-12")
    assert (info,) == shared.ledger.statements.list(account)
    assert keys == shared.ledger.signing.list()
    assert signed.statement.jobs.live == 2


class Page(HTMLParser):
    """The tags of a page, the addresses that it would load, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "action", "data")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(("headers", "query"), [({"Accept": "text/html,*/*;q=0.8"}, {}), ({}, {"format": "html"})])
def test_a_browser_gets_a_page_that_loads_nothing(
    shared: Service, account: str, headers: dict[str, str], query: dict[str, str]
) -> None:
    response = get(shared, account, "/statements/2024-12", headers=headers, params=query)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(response.text)
    assert page.loads == []
    assert "script" not in page.tags
    assert EVIL in page.text
    for shown in ("December 2024", account, "USD 0.00", "standard", "tallystick verify --month 2024-12"):
        assert shown in page.text, shown


def test_the_pages_policy_allows_its_own_style_and_nothing_else(shared: Service, account: str) -> None:
    response = get(shared, account, "/statements/2024-12", params={"format": "html"})
    (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = response.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_page_of_a_month_without_jobs_says_so(shared: Service, account: str) -> None:
    name = shared.account()
    shared.post_jobs([job(name, completed_at="2024-11-05T12:00:00Z")])
    shared.ledger.statements.close("2024-12", name)
    page = Page(get(shared, name, "/statements/2024-12", params={"format": "html"}).text)
    assert "No jobs in this month." in page.text
