"""ETags: what names a state, and who is spared its body."""

from __future__ import annotations

import pytest

from tallystick.api.app import ROUTES
from tallystick.api.calls import OPTION, Call
from tallystick.api.conditional import Content, entity_tag
from tests.api.service import JANUARY, Service, job
from tests.api.test_routes import CASES

READS = [
    name
    for route in ROUTES
    for call in [route.opt[OPTION]]
    if isinstance(call, Call) and call.is_read
    for name in call.paths.values()
]


def test_every_read_of_data_carries_an_etag() -> None:
    gets = {name for route in ROUTES if route.opt[OPTION].method == "GET" for name in route.opt[OPTION].paths.values()}
    assert gets - set(READS) == {"getHealth", "getReadiness", "getMetrics"}


@pytest.mark.parametrize("operation", READS)
def test_an_unchanged_read_is_304_without_a_body(shared: Service, operation: str) -> None:
    first = CASES[operation][1](shared)
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    assert first.headers["vary"] == "Authorization, X-Api-Key, Accept, Accept-Encoding"
    request = first.request
    again = shared.client.request("GET", request.url, headers={**request.headers, "If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "vary", "tallystick-currency"):
        assert again.headers.get(name) == first.headers.get(name)
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert "content-type" not in again.headers


@pytest.mark.parametrize("operation", sorted(set(READS) - {"getOpenApi", "getDocs", "getDocsAsset", "getSigningKeys"}))
def test_data_is_kept_by_nobody_but_the_client_who_asks_again(shared: Service, operation: str) -> None:
    assert CASES[operation][1](shared).headers["cache-control"] == "private, no-cache"


def read(service: Service, account: str, condition: str | None = None) -> tuple[int, str]:
    headers = {} if condition is None else {"If-None-Match": condition}
    response = service.admin("GET", "/usage", params={**JANUARY, "account": account}, headers=headers)
    return response.status_code, response.headers["etag"]


def test_the_condition_is_a_list_a_star_or_a_strong_form_of_the_tag(shared: Service) -> None:
    account = shared.account()
    status, tag = read(shared, account)
    assert status == 200
    for holds in (tag, "*", tag.removeprefix("W/"), f'"other", {tag}', f'W/"a, b",{tag}', f"{tag}, *"):
        assert read(shared, account, holds) == (304, tag), holds
    for fails in ('"other"', 'W/""', "", "nonsense", tag.strip('W/"'), tag.upper()):
        assert read(shared, account, fails) == (200, tag), fails


def test_a_new_job_changes_the_tag_and_a_repeat_does_not(shared: Service) -> None:
    account = shared.account()
    first = job(account)
    shared.post_jobs(first)
    _, tag = read(shared, account)
    shared.post_jobs(first)
    assert read(shared, account, tag)[0] == 304
    shared.post_jobs(job(account))
    assert read(shared, account, tag)[0] == 200


def test_a_304_is_only_for_who_may_read(shared: Service) -> None:
    _, tag = read(shared, "acme")
    for condition in (tag, "*"):
        refused = shared.call("GET", "/usage", headers={"If-None-Match": condition})
        assert refused.status_code == 401
        assert "etag" not in refused.headers


def test_equal_figures_in_another_currency_have_another_tag() -> None:
    assert entity_tag(Content(b"{}", "USD")) != entity_tag(Content(b"{}", "EUR"))
    assert entity_tag(Content(b"{}", "USD")) == entity_tag(Content(b"{}", "USD"))


def test_a_problem_has_no_etag_and_is_not_stored(shared: Service) -> None:
    response = shared.admin("GET", "/usage", params={"account": "nobody"})
    assert "etag" not in response.headers
    assert response.headers["cache-control"] == "no-store"
