"""GET /usage as CSV: chosen by the parameter or by Accept, exact, and named as what it is."""

from __future__ import annotations

import httpx
import pytest

from tallystick import Client
from tallystick.api.examples import USAGE_CSV
from tests.api.service import JANUARY, Service, job, places, problem

CSV = "text/csv; header=present; charset=utf-8"


def get(service: Service, headers: dict[str, str] | None = None, path: str = "/usage", **query: str) -> httpx.Response:
    token = service.token("usage", "acme")
    return service.call("GET", path, token=token, params={**JANUARY, **query}, headers=headers or {})


@pytest.mark.parametrize("path", ["/usage", "/user/usage"])
def test_the_contracts_month_as_csv(shared: Service, path: str) -> None:
    response = get(shared, path=path, format="csv")
    assert response.headers["content-type"] == CSV
    assert response.text == USAGE_CSV
    assert response.headers["tallystick-currency"] == "USD"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", CSV),
        ("text/csv, application/json;q=0.9", CSV),
        ("application/json, text/csv;q=0.9", "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
    ],
)
def test_accept_chooses_and_json_is_the_default(shared: Service, accept: str, kind: str) -> None:
    response = get(shared, {"Accept": accept})
    assert response.headers["content-type"] == kind
    assert "Accept" in response.headers["vary"]


def test_the_two_formats_have_tags_of_their_own(shared: Service) -> None:
    tag = get(shared, format="csv").headers["etag"]
    assert get(shared, {"If-None-Match": tag}, format="csv").status_code == 304
    assert get(shared, {"If-None-Match": tag}).status_code == 200


def test_another_format_is_refused_by_name(shared: Service) -> None:
    assert places(problem(get(shared, format="xlsx"), 400, "invalid_parameter")) == ["format"]


def test_a_key_that_is_named_like_a_formula_is_text(shared: Service) -> None:
    account = shared.account()
    shared.post_jobs(job(account, api_key="=cmd|' /C calc'!A0", completed_at="2025-01-05T00:00:00Z"))
    response = shared.admin("GET", "/usage", params={**JANUARY, "account": account, "format": "csv"})
    (row,) = response.text.splitlines()[1:]
    assert row.startswith("2025-01,'=cmd|' /C calc'!A0,1,")


def test_the_sdk_gives_the_text(shared: Service) -> None:
    with Client(base_url=shared.url, token=shared.token("usage", "acme")) as client:
        assert client.usage.csv("2025-01", "2025-01") == USAGE_CSV
