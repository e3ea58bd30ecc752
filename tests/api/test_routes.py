"""Every call's good case, over a real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from litestar import HttpMethod

from tallystick.api.app import calls
from tallystick.api.examples import PLAN_DOCUMENT, PLAN_TOML
from tests.api.service import JANUARY, LINES, Service, job
from tests.databases import Databases

HARD_NAME = "Müller & Söhne / Zürich?#%2F+ 100% 日本"

Case = Callable[[Service], httpx.Response]


def voided(service: Service) -> httpx.Response:
    """The answer to the void of a new job, whose id has a slash."""
    account = service.account()
    new = job(account, id=f"{account}/1")
    assert service.post_jobs(new).json()["accepted"] == 1
    path = f"/jobs/{quote(new['id'], safe='')}/void"
    return service.admin("POST", path, params={"account": account}, json={"reason": "reported twice"})


def statements(service: Service, path: str) -> httpx.Response:
    """The answer to a reader of an account whose December is closed."""
    account = "closed"
    service.post_jobs(job(account, id="december", completed_at="2024-12-24T12:00:00Z"))
    service.ledger.statements.close("2024-12", account)
    return service.call("GET", path, token=service.token("usage", account))


CASES: dict[str, tuple[int, Case]] = {
    "getUsage": (200, lambda s: s.call("GET", "/usage", token=s.token("usage", "acme"))),
    "getUserUsage": (200, lambda s: s.call("GET", "/user/usage", token=s.token("manage", "acme"))),
    "explainUsage": (200, lambda s: s.call("GET", "/usage/explain", token=s.token("usage", "acme"), params=JANUARY)),
    "getDailyUsage": (200, lambda s: s.call("GET", "/usage/daily", token=s.token("usage", "acme"))),
    "getUsageOfAccounts": (200, lambda s: s.admin("GET", "/usage/accounts", params=JANUARY)),
    "getForecast": (200, lambda s: s.call("GET", "/usage/forecast", token=s.token("usage", "acme"))),
    "getBudgets": (200, lambda s: s.call("GET", "/usage/budget", token=s.token("usage", "acme"))),
    "setBudget": (200, lambda s: s.admin("PUT", f"/usage/budget?account={s.account()}", json={"amount": "9.50"})),
    "removeBudget": (204, lambda s: s.admin("DELETE", "/usage/budget", params={"account": with_budget(s)})),
    "postJobs": (200, lambda s: s.post_jobs(job(s.account()))),
    "getJobs": (200, lambda s: s.call("GET", "/jobs", token=s.token("usage", "acme"), params=JANUARY)),
    "voidJob": (200, voided),
    "listStatements": (200, lambda s: statements(s, "/statements")),
    "getStatement": (200, lambda s: statements(s, "/statements/2024-12")),
    "getSigningKeys": (200, lambda s: s.call("GET", "/.well-known/tallystick.json")),
    "createAccount": (201, lambda s: s.admin("POST", "/accounts", json={"name": "made by a call"})),
    "listAccounts": (200, lambda s: s.admin("GET", "/accounts")),
    "getAccount": (200, lambda s: s.admin("GET", "/accounts/acme")),
    "changeAccount": (200, lambda s: s.admin("PATCH", f"/accounts/{s.account()}", json={"time_zone": "Asia/Kolkata"})),
    "createKey": (201, lambda s: s.admin("POST", f"/accounts/{s.account()}/keys", json={"name": "k"})),
    "listKeys": (200, lambda s: s.admin("GET", "/accounts/acme/keys")),
    "changeKey": (200, lambda s: s.admin("PATCH", "/accounts/acme/keys/another api key", json={"revoked": True})),
    "createToken": (201, lambda s: s.admin("POST", "/tokens", json={"scope": "ingest"})),
    "listTokens": (200, lambda s: s.admin("GET", "/tokens")),
    "revokeToken": (204, lambda s: s.admin("DELETE", f"/tokens/{token_id(s)}")),
    "rotateToken": (201, lambda s: s.admin("POST", f"/tokens/{token_id(s)}/rotate")),
    "listPlans": (200, lambda s: s.admin("GET", "/plans")),
    "getPlan": (200, lambda s: s.admin("GET", "/plans/standard")),
    "simulatePlan": (200, lambda s: s.admin("POST", "/plans/simulate", json=plan(), params={"account": "acme"})),
    "putPlan": (200, lambda s: s.admin("PUT", "/plans/made by a call", json=plan())),
    "listQuarantine": (200, lambda s: s.admin("GET", "/quarantine")),
    "replayQuarantine": (200, lambda s: s.admin("POST", "/quarantine/replay")),
    "listNotices": (200, lambda s: s.call("GET", "/notices", token=s.token("usage", "acme"))),
    "createWebhook": (201, lambda s: s.call("POST", "/webhooks", token=manager(s), json={"url": HOOK})),
    "listWebhooks": (200, lambda s: s.admin("GET", "/webhooks")),
    "getWebhook": (200, lambda s: s.call("GET", f"/webhooks/{webhook(s)}", token=manager(s))),
    "changeWebhook": (200, lambda s: s.admin("PATCH", f"/webhooks/{webhook(s)}", json={"on": False})),
    "removeWebhook": (204, lambda s: s.admin("DELETE", f"/webhooks/{webhook(s)}")),
    "rotateWebhook": (200, lambda s: s.admin("POST", f"/webhooks/{webhook(s)}/rotate")),
    "testWebhook": (202, lambda s: s.admin("POST", f"/webhooks/{webhook(s)}/test")),
    "listDeliveries": (200, lambda s: s.admin("GET", f"/webhooks/{webhook(s)}/deliveries")),
    "getDelivery": (200, lambda s: s.admin("GET", f"/webhooks/{delivery(s, on=False)}")),
    "replayDelivery": (202, lambda s: s.admin("POST", f"/webhooks/{delivery(s)}/replay")),
    "replayMissed": (
        202,
        lambda s: s.admin("POST", f"/webhooks/{webhook(s)}/replay", json={"since": "2025-01-20T00:00:00Z"}),
    ),
    "getHealth": (200, lambda s: s.call("GET", "/healthz")),
    "getReadiness": (200, lambda s: s.call("GET", "/readyz")),
    "getMetrics": (200, lambda s: s.call("GET", "/metrics")),
    "getOpenApi": (200, lambda s: s.call("GET", "/openapi.json")),
    "getDocs": (200, lambda s: s.call("GET", "/docs")),
    "getDocsAsset": (200, lambda s: s.call("GET", "/docs/swagger-ui.css")),
}


def plan(**changes: Any) -> dict[str, Any]:
    """The example's plan without its name."""
    document = {name: value for name, value in PLAN_DOCUMENT.items() if name != "name"}
    return {**document, **changes}


def with_budget(service: Service) -> str:
    account = service.account()
    service.ledger.budgets.set(account, amount=1)
    return account


HOOK = "https://hooks.example/usage"


def manager(service: Service) -> str:
    return service.token("manage", "acme")


def webhook(service: Service) -> str:
    """An endpoint that nothing is sent to: there are no more than twenty of one account."""
    for endpoint in service.ledger.webhooks.list("acme"):
        service.ledger.webhooks.remove(endpoint.id)
    return service.ledger.webhooks.create(HOOK, account="acme").endpoint.id


def delivery(service: Service, *, on: bool = True) -> str:
    """The path of a delivery, at an endpoint that is switched off then where nothing more shall come of it."""
    endpoint = webhook(service)
    sent = service.ledger.webhooks.test(endpoint)
    service.ledger.webhooks.change(endpoint, on=on)
    return f"{endpoint}/deliveries/{sent.notice}"


def token_id(service: Service, scope: str = "ingest") -> str:
    return service.ledger.tokens.create(scope).info.id


def operations() -> dict[str, str]:
    from tallystick.api.app import ROUTES
    from tallystick.api.calls import OPTION

    return {name: handler.opt[OPTION].method for handler in ROUTES for name in handler.opt[OPTION].paths.values()}


def test_every_call_of_the_api_is_tried_here() -> None:
    assert set(CASES) == set(operations())
    assert calls.__doc__


@pytest.fixture(scope="module")
def engine(databases: Databases) -> Databases:
    """Every call answers alike on each engine."""
    return databases


@pytest.mark.parametrize("operation", CASES)
def test_the_call_answers(shared: Service, operation: str) -> None:
    status, case = CASES[operation]
    response = case(shared)
    assert response.status_code == status, response.text
    assert response.headers["x-request-id"]


STEADY = [name for name, method in operations().items() if method == HttpMethod.GET and name != "getMetrics"]
"""What answers the same twice; the counters count their own being read."""


@pytest.mark.parametrize("operation", STEADY)
def test_head_answers_like_get_without_the_body(shared: Service, operation: str) -> None:
    got = CASES[operation][1](shared).request
    headers = {**got.headers, "Accept-Encoding": "identity"}
    whole = shared.client.request("GET", got.url, headers=headers)
    head = shared.client.request("HEAD", got.url, headers=headers)
    assert head.status_code == whole.status_code == 200
    assert head.content == b""
    changing = {"date", "x-request-id"}
    assert {name: value for name, value in head.headers.items() if name not in changing} == {
        name: value for name, value in whole.headers.items() if name not in changing
    }


# What single calls do beyond answering.


def test_an_account_is_made_read_changed_and_listed(fresh: Service) -> None:
    made = fresh.admin("POST", "/accounts", json={"name": HARD_NAME, "time_zone": "Europe/Zurich"})
    assert made.status_code == 201
    account = made.json()
    assert account == {
        "name": HARD_NAME,
        "time_zone": "Europe/Zurich",
        "plan": "standard",
        "currency": "USD",
        "created_at": "2025-02-01T12:00:00Z",
        "plans": [{"plan": "standard", "plan_from": None}],
    }
    assert fresh.admin("GET", made.headers["location"]).json() == account
    changed = fresh.admin("PATCH", made.headers["location"], json={"time_zone": "America/St_Johns"})
    assert changed.json() == {**account, "time_zone": "America/St_Johns"}
    assert fresh.admin("GET", "/accounts").json() == {"accounts": [changed.json()], "next_cursor": None}


def test_a_name_with_slashes_and_percent_signs_survives_every_path(fresh: Service) -> None:
    segment = quote(HARD_NAME, safe="")
    fresh.admin("POST", "/accounts", json={"name": HARD_NAME})
    key = fresh.admin("POST", f"/accounts/{segment}/keys", json={"name": HARD_NAME, "kind": "sandbox"})
    assert key.json()["account"] == key.json()["name"] == HARD_NAME
    assert key.json()["kind"] == "sandbox"
    revoked = fresh.admin("PATCH", f"/accounts/{segment}/keys/{segment}", json={"revoked": True})
    assert revoked.json() == {**key.json(), "revoked_at": "2025-02-01T12:00:00Z"}
    assert fresh.admin("GET", f"/accounts/{segment}/keys").json() == {"keys": [revoked.json()]}
    assert fresh.admin("PUT", f"/plans/{segment}", json=plan()).json()["name"] == HARD_NAME
    assert fresh.admin("GET", f"/plans/{segment}").json()["name"] == HARD_NAME


def test_accounts_come_a_page_at_a_time(fresh: Service) -> None:
    for name in "cab":
        fresh.admin("POST", "/accounts", json={"name": name})
    names, cursor = [], None
    for _ in range(3):
        params = {"limit": "1", **({"cursor": cursor} if cursor else {})}
        page = fresh.admin("GET", "/accounts", params=params).json()
        names += [account["name"] for account in page["accounts"]]
        cursor = page["next_cursor"]
    assert (names, cursor) == (["a", "b", "c"], None)


def test_an_account_changes_to_another_plan_from_a_month_on(fresh: Service) -> None:
    fresh.admin("POST", "/accounts", json={"name": "acme"})
    fresh.admin("PUT", "/plans/other", json=plan(free_jobs=0))
    later = fresh.admin("PATCH", "/accounts/acme", json={"plan": "other", "plan_from": "2025-03"})
    assert later.json()["plan"] == "standard"
    now = fresh.admin("PATCH", "/accounts/acme", json={"plan": "other"})
    assert now.json()["plan"] == "other"


def test_the_jobs_of_an_account_come_with_rank_tier_and_cost_page_by_page(shared: Service) -> None:
    token = shared.token("usage", "acme")
    pages = [shared.call("GET", "/jobs", token=token, params={**JANUARY, "limit": "50"})]
    while cursor := pages[-1].json()["next_cursor"]:
        params = {**JANUARY, "limit": "50", "cursor": cursor}
        pages.append(shared.call("GET", "/jobs", token=token, params=params))
    assert {page.headers["tallystick-currency"] for page in pages} == {"USD"}
    assert [entry["rank"] for page in pages for entry in page.json()["jobs"]] == list(range(1, 109))
    last = pages[-1].json()["jobs"][-1]
    assert (last["rank"], last["tier"], last["free"]) == (108, 1, False)
    assert '"base_cost":0.00' in pages[-1].text


def test_daily_usage_sums_to_the_month(shared: Service) -> None:
    days = shared.call(
        "GET",
        "/usage/daily",
        token=shared.token("usage", "acme"),
        params={"start": "2025-01-01", "end": "2025-01-31"},
    ).json()
    assert days["period"] == {"start": "2025-01-01", "end": "2025-01-31"}
    assert len(days["days"]) == 31
    assert sum(day["jobs"] for day in days["days"]) == 108


def test_the_report_over_accounts_has_each_account_and_the_totals(fresh: Service) -> None:
    fresh.post_jobs([job("one"), job("one"), job("two")])
    report = fresh.admin("GET", "/usage/accounts", params=JANUARY).json()
    assert {entry["account"]: entry["jobs"] for entry in report["accounts"]} == {"one": 2, "two": 1}
    assert [(total["currency"], total["accounts"], total["jobs"]) for total in report["totals"]] == [("USD", 2, 3)]


def test_a_token_that_was_made_works_until_it_is_revoked(fresh: Service) -> None:
    fresh.admin("POST", "/accounts", json={"name": "acme"})
    made = fresh.admin("POST", "/tokens", json={"scope": "usage", "account": "acme", "label": "theirs"})
    assert made.headers["cache-control"] == "no-store"
    token = made.json().pop("token")
    info = {name: value for name, value in made.json().items() if name != "token"}
    assert info["account"] == "acme"
    assert fresh.call("GET", "/usage", token=token).status_code == 200
    assert info in fresh.admin("GET", "/tokens").json()["tokens"]
    assert fresh.admin("DELETE", f"/tokens/{info['id']}").content == b""
    assert fresh.call("GET", "/usage", token=token).status_code == 401


def test_a_rotated_token_holds_for_the_overlap(fresh: Service) -> None:
    old = fresh.admin("POST", "/tokens", json={"scope": "ingest"}).json()
    new = fresh.admin("POST", f"/tokens/{old['id']}/rotate", json={"overlap_seconds": 60}).json()
    assert new["token"] != old["token"]
    accepted = [fresh.call("POST", "/jobs", token=t, json=job()).status_code for t in (old["token"], new["token"])]
    assert accepted == [200, 200]
    fresh.clock.now = fresh.clock.now.replace(minute=1)
    assert fresh.call("POST", "/jobs", token=old["token"], json=job()).status_code == 401
    assert fresh.call("POST", "/jobs", token=new["token"], json=job()).status_code == 200


def test_a_plan_is_put_as_json_or_toml_and_given_back_whole(fresh: Service) -> None:
    document = plan(name="by json", meters=[{"id": "pages", "price": "0.5"}])
    put = fresh.admin("PUT", "/plans/by json", json=document, params={"effective_from": "2025-03"})
    version = put.json()["versions"][0]
    assert version["effective_from"] == "2025-03"
    assert version["plan"]["meters"] == [{"id": "pages", "report_as": "pages_tokens", "price": "0.5", "per": 1}]
    toml = PLAN_TOML.replace('"standard"', '"by toml"')
    put = fresh.admin("PUT", "/plans/by toml", content=toml, headers={"Content-Type": "application/toml"})
    assert put.json()["versions"][0]["plan"]["free_jobs"] == 100
    assert [each["name"] for each in fresh.admin("GET", "/plans").json()["plans"]] == ["by json", "by toml", "standard"]


def test_a_new_meter_can_be_used_as_soon_as_its_plan_is_put(fresh: Service) -> None:
    new = job(tokens={"pages": 3})
    assert fresh.post_jobs(new).json()["rejected"][0]["code"] == "unknown_meter"
    fresh.admin("PUT", "/plans/pages", json=plan(meters=[{"id": "pages", "price": "0.5"}]))
    assert fresh.post_jobs(new).json()["accepted"] == 1


def test_a_rejected_job_waits_in_quarantine_and_can_be_replayed(fresh: Service) -> None:
    early = job(completed_at="2025-02-01T13:00:00Z")
    assert fresh.post_jobs([early, job()]).json()["rejected"][0]["code"] == "future"
    page = fresh.admin("GET", "/quarantine").json()
    assert (page["total"], page["dropped"], page["next_cursor"]) == (1, 0, None)
    assert page["items"][0]["code"] == "future"
    body = {"ids": [page["items"][0]["id"]]}
    assert fresh.admin("POST", "/quarantine/replay", json=body).json() == {"replayed": 0, "remaining": 1}
    fresh.clock.now = fresh.clock.now.replace(hour=14)
    assert fresh.admin("POST", "/quarantine/replay", json={}).json() == {"replayed": 1, "remaining": 0}
    assert fresh.admin("GET", "/quarantine").json()["total"] == 0


@pytest.mark.parametrize(
    "kind",
    [
        LINES,
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "Application/X-NDJSON; charset=utf-8",
    ],
)
def test_lines_are_taken_under_each_of_their_names(shared: Service, kind: str) -> None:
    account = shared.account()
    body = b"\n".join(str(job(account)).replace("'", '"').encode() for _ in range(3))
    assert shared.post_jobs(body, kind=kind).json()["accepted"] == 3


@pytest.mark.parametrize("kind", [None, "application/json", 'application/json; charset="UTF-8"'])
def test_json_is_taken_also_where_nothing_says_so(shared: Service, kind: str | None) -> None:
    assert shared.post_jobs([job(shared.account())], kind=kind).json()["accepted"] == 1
