"""What each method sends and what it makes of the answer, the same for both twins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

import pytest

from tallystick.errors import InvalidInput, InvalidPlan, ResourceNotFound, ResponseError
from tallystick.model.accounts import (
    Account,
    AccountPage,
    ApiKey,
    AssignedPlan,
    KeyKind,
    NewToken,
    PlanInfo,
    PlanVersionInfo,
    QuarantinedItem,
    QuarantinePage,
    ReplayResult,
    TokenInfo,
)
from tallystick.model.budgets import BudgetReport, BudgetUse
from tallystick.model.forecast import Forecast, SoFar, TierForecast
from tallystick.model.jobs import LedgerLines, VoidedJob
from tallystick.model.notices import Event, Notice, NoticePage
from tallystick.model.plans import parse_plan
from tallystick.model.simulation import build_simulation
from tallystick.model.tokens import Scope
from tallystick.model.webhooks import (
    Attempt,
    Delivery,
    DeliveryLog,
    DeliveryPage,
    DeliveryState,
    Endpoint,
    NewEndpoint,
    OffReason,
    Replayed,
)
from tallystick.model.wire import decode, encode
from tallystick.version import __version__
from tests.client.scripted import TOKEN, Twin, answer

MakeTwin = Callable[..., Twin]

CREATED: Final = "2025-01-01T00:00:00Z"
ACCOUNT: Final = Account(
    name="a/b c",
    time_zone="UTC",
    plan="standard",
    currency="USD",
    created_at=CREATED,
    plans=(AssignedPlan(plan="trial", plan_from=None), AssignedPlan(plan="standard", plan_from="2025-01")),
)
KEY: Final = ApiKey(account="acme", name="k", kind=KeyKind.SANDBOX, created_at=CREATED)
TOKEN_INFO: Final = TokenInfo(
    id="t1", scope=Scope.USAGE, label="laptop", account="acme", created_at=CREATED, expires_at=None, revoked_at=None
)
NEW_TOKEN: Final = NewToken(token="s3cret", info=TOKEN_INFO)
PLAN: Final[dict[str, Any]] = {
    "name": "night / day",
    "currency": "EUR",
    "free_jobs": 0,
    "free_jobs_reset": "never",
    "reset": "never",
    "meters": [{"id": "audio", "report_as": "audio_tokens", "price": "0.5", "per": 1000}],
    "tiers": [{"after_jobs": 0, "discount": "0.0"}],
}
PLAN_INFO: Final = PlanInfo(
    name="night / day", currency="EUR", versions=(PlanVersionInfo(effective_from=None, plan=PLAN),)
)
SIMULATION: Final = build_simulation(
    [("acme", Decimal(10), Decimal("12345678901234567890.123456789012")), ("b", Decimal("0.3"), Decimal("0.1"))],
    start_month="2025-01",
    end_month="2025-03",
    currency="EUR",
)
ITEM: Final = QuarantinedItem(
    id=7, code="future", detail="lies ahead", item="{}", first_seen_at=CREATED, last_seen_at=CREATED, times=2
)
REPLAYED: Final = ReplayResult(replayed=2, remaining=1)
BUDGETS: Final = BudgetReport(
    month="2025-01",
    budgets=(
        BudgetUse(
            api_key="k",
            amount=Decimal("0.30"),
            thresholds=(50, 80),
            cost=Decimal("12345678901234567890.123456789012"),
            left=Decimal(0),
            used_percentage=Decimal("33.3333"),
            thresholds_passed=(50,),
        ),
    ),
)
WIRE: Final = encode(BUDGETS.to_dict())
USUAL: Final = [50, 80, 100]
NOTICE: Final = Notice(
    id="ntc_1",
    account="acme",
    event=Event.TIER_REACHED,
    said_at=CREATED,
    data={"account": "acme", "discount": Decimal("7.0")},
)


FORECAST: Final = {
    "month": "2025-01",
    "today": "2025-01-20",
    "interval_percentage": 80,
    "so_far": {"jobs": 8, "tokens": {"audio": 9}, "final_cost": Decimal("12345678901234567890.123456789012")},
    "month_end": None,
    "too_little": "the account's jobs of the last 365 days go back 5 days; a forecast needs 14",
    "free_jobs": None,
    "next_tier": {
        "reached": False,
        "expected": "2025-02-01",
        "earliest": "2025-01-31",
        "latest": None,
        "tier": 2,
        "after_jobs": 10,
        "discount": Decimal("7.5"),
        "jobs_left": 2,
    },
    "budgets": [],
}
FORESEEN: Final = Forecast(
    month="2025-01",
    today="2025-01-20",
    interval_percentage=80,
    so_far=SoFar(jobs=8, tokens={"audio": 9}, final_cost=Decimal("12345678901234567890.123456789012")),
    month_end=None,
    too_little="the account's jobs of the last 365 days go back 5 days; a forecast needs 14",
    free_jobs=None,
    next_tier=TierForecast(
        reached=False,
        expected="2025-02-01",
        earliest="2025-01-31",
        latest=None,
        tier=2,
        after_jobs=10,
        discount=Decimal("7.5"),
        jobs_left=2,
    ),
    budgets=(),
)
HOOK: Final = Endpoint(
    id="whe_1",
    account="acme",
    url="https://x.example/",
    events=(Event.TIER_REACHED,),
    description="books",
    created_at=CREATED,
    failing_since=None,
    off_since=CREATED,
    off_reason=OffReason.GONE,
    old_secret_until=None,
)
NEW_ENDPOINT: Final = NewEndpoint(secret="whsec_x", endpoint=HOOK)
DELIVERY: Final = Delivery(
    notice="ntc_1",
    event=Event.TIER_REACHED,
    account="acme",
    state=DeliveryState.FAILED,
    created_at=CREATED,
    attempts=1,
    last_status=503,
    last_milliseconds=87,
    next_attempt_at=None,
)
LOG: Final = DeliveryLog(
    delivery=DELIVERY,
    headers={"webhook-id": "ntc_1"},
    body="{}",
    attempts=(Attempt(number=1, at=CREATED, url="https://x.example/", status=None, milliseconds=5, error="no"),),
)


@dataclass(frozen=True)
class Case:
    """One method with its arguments, the request that it must make, and an answer with the result it must give."""

    method: str
    arguments: tuple[Any, ...]
    request: str
    answered: Any
    result: Any
    options: dict[str, Any] = field(default_factory=dict)
    body: Any = None


CASES: Final = [
    Case(
        "accounts.create",
        ("a/b c",),
        "POST /accounts",
        ACCOUNT.to_dict(),
        ACCOUNT,
        {"time_zone": "Asia/Kolkata"},
        {"name": "a/b c", "time_zone": "Asia/Kolkata"},
    ),
    Case(
        "accounts.list",
        (),
        "GET /accounts?cursor=x%2B%2F%3D&limit=5",
        {"accounts": [ACCOUNT.to_dict()], "next_cursor": "y"},
        AccountPage(accounts=(ACCOUNT,), next_cursor="y"),
        {"cursor": "x+/=", "limit": 5},
    ),
    Case(
        "accounts.change",
        ("a/b c",),
        "PATCH /accounts/a%2Fb%20c",
        ACCOUNT.to_dict(),
        ACCOUNT,
        {"plan": "big", "plan_from": "2025-02"},
        {"plan": "big", "plan_from": "2025-02"},
    ),
    Case(
        "accounts.create_key",
        ("acme", "k"),
        "POST /accounts/acme/keys",
        KEY.to_dict(),
        KEY,
        {"kind": "sandbox"},
        {"name": "k", "kind": "sandbox"},
    ),
    Case("accounts.keys", ("..",), "GET /accounts/%2E%2E/keys", {"keys": [KEY.to_dict()]}, (KEY,)),
    Case(
        "accounts.revoke_key",
        ("ü%2F", "?#."),
        "PATCH /accounts/%C3%BC%252F/keys/%3F%23.",
        KEY.to_dict(),
        KEY,
        body={"revoked": True},
    ),
    Case(
        "tokens.create",
        ("usage",),
        "POST /tokens",
        NEW_TOKEN.to_dict(),
        NEW_TOKEN,
        {"account": "acme", "label": "laptop"},
        {"scope": "usage", "account": "acme", "label": "laptop"},
    ),
    Case("tokens.list", (), "GET /tokens", {"tokens": [TOKEN_INFO.to_dict()]}, (TOKEN_INFO,)),
    Case("tokens.revoke", ("t1",), "DELETE /tokens/t1", None, None),
    Case(
        "tokens.rotate",
        ("t1",),
        "POST /tokens/t1/rotate",
        NEW_TOKEN.to_dict(),
        NEW_TOKEN,
        {"overlap_seconds": 60, "expires_at": CREATED},
        {"overlap_seconds": 60, "expires_at": CREATED},
    ),
    Case("plans.list", (), "GET /plans", {"plans": [PLAN_INFO.to_dict()]}, (PLAN_INFO,)),
    Case(
        "plans.put",
        (PLAN,),
        "PUT /plans/night%20%2F%20day?effective_from=2025-02",
        PLAN_INFO.to_dict(),
        PLAN_INFO,
        {"effective_from": "2025-02"},
        PLAN,
    ),
    Case("plans.put", (parse_plan(PLAN),), "PUT /plans/night%20%2F%20day", PLAN_INFO.to_dict(), PLAN_INFO, body=PLAN),
    Case(
        "plans.simulate",
        (PLAN, "2025-01"),
        "POST /plans/simulate?from=2025-01&to=2025-03&account=a+b%26c",
        encode(SIMULATION.to_dict()),
        (SIMULATION,),
        {"end_month": "2025-03", "account": "a b&c"},
        PLAN,
    ),
    Case(
        "plans.simulate",
        (parse_plan(PLAN),),
        "POST /plans/simulate",
        encode([SIMULATION.to_dict(), SIMULATION.to_dict()]),
        (SIMULATION, SIMULATION),
        body=PLAN,
    ),
    Case(
        "quarantine.list",
        (),
        "GET /quarantine?cursor=6&limit=1",
        {"items": [ITEM.to_dict()], "total": 3, "dropped": 1, "next_cursor": "7"},
        QuarantinePage(items=(ITEM,), total=3, dropped=1, next_cursor="7"),
        {"cursor": "6", "limit": 1},
    ),
    Case("usage.forecast", (), "GET /usage/forecast?account=acme", encode(FORECAST), FORESEEN, {"account": "acme"}),
    Case("budgets.list", (), "GET /usage/budget?account=a+b%26c", WIRE, BUDGETS, {"account": "a b&c"}),
    Case("budgets.set", ("0.30",), "PUT /usage/budget", WIRE, BUDGETS, body={"amount": "0.3", "thresholds": USUAL}),
    Case(
        "budgets.set",
        (Decimal("1e3"),),
        "PUT /usage/budget?api_key=k%2F&account=acme",
        WIRE,
        BUDGETS,
        {"api_key": "k/", "account": "acme", "thresholds": (120, 80)},
        {"amount": "1000.0", "thresholds": [80, 120]},
    ),
    Case("budgets.remove", (), "DELETE /usage/budget?api_key=k", None, None, {"api_key": "k"}),
    Case(
        "notices.list",
        (),
        "GET /notices?account=acme&cursor=x&limit=1",
        {"notices": [{**NOTICE.to_dict(), "data": {"account": "acme", "discount": 7.0}}], "next_cursor": "y"},
        NoticePage(notices=(NOTICE,), next_cursor="y"),
        {"account": "acme", "cursor": "x", "limit": 1},
    ),
    Case(
        "webhooks.create",
        ("https://x.example/",),
        "POST /webhooks?account=acme",
        NEW_ENDPOINT.to_dict(),
        NEW_ENDPOINT,
        {"events": (Event.TIER_REACHED,), "description": "books", "account": "acme"},
        {"url": "https://x.example/", "events": ["tier.reached"], "description": "books"},
    ),
    Case("webhooks.list", (), "GET /webhooks?account=a", {"webhooks": [HOOK.to_dict()]}, (HOOK,), {"account": "a"}),
    Case("webhooks.get", ("w/1",), "GET /webhooks/w%2F1", HOOK.to_dict(), HOOK),
    Case("webhooks.change", ("w",), "PATCH /webhooks/w", HOOK.to_dict(), HOOK, {"on": False}, {"on": False}),
    Case("webhooks.change", ("w",), "PATCH /webhooks/w", HOOK.to_dict(), HOOK, {"events": ()}, {"events": []}),
    Case("webhooks.remove", ("w",), "DELETE /webhooks/w", None, None),
    Case("webhooks.rotate", ("w",), "POST /webhooks/w/rotate", NEW_ENDPOINT.to_dict(), NEW_ENDPOINT, body={}),
    Case("webhooks.test", ("w",), "POST /webhooks/w/test", DELIVERY.to_dict(), DELIVERY),
    Case(
        "webhooks.deliveries",
        ("w",),
        "GET /webhooks/w/deliveries?state=failed&cursor=x&limit=2",
        {"deliveries": [DELIVERY.to_dict()], "next_cursor": "y"},
        DeliveryPage(deliveries=(DELIVERY,), next_cursor="y"),
        {"state": DeliveryState.FAILED, "cursor": "x", "limit": 2},
    ),
    Case("webhooks.delivery", ("w", "n/1"), "GET /webhooks/w/deliveries/n%2F1", LOG.to_dict(), LOG),
    Case("webhooks.replay", ("w", "n"), "POST /webhooks/w/deliveries/n/replay", DELIVERY.to_dict(), DELIVERY),
    Case(
        "webhooks.replay_missed",
        ("w",),
        "POST /webhooks/w/replay",
        {"replayed": 3},
        Replayed(replayed=3),
        {"since": CREATED},
        {"since": CREATED},
    ),
    Case("quarantine.replay", (), "POST /quarantine/replay", REPLAYED.to_dict(), REPLAYED, body={}),
    Case("quarantine.replay", ((7, 9),), "POST /quarantine/replay", REPLAYED.to_dict(), REPLAYED, body={"ids": [7, 9]}),
]


TAKING_INSTANTS: Final = [
    ("webhooks.replay_missed", ("w",), "since", {"replayed": 3}),
    ("tokens.create", ("ingest",), "expires_at", NEW_TOKEN.to_dict()),
    ("tokens.rotate", ("t1",), "expires_at", NEW_TOKEN.to_dict()),
]


@pytest.mark.parametrize(("method", "arguments", "parameter", "answered"), TAKING_INSTANTS)
def test_an_instant_is_an_aware_datetime_or_a_text_and_nothing_else(
    twin: MakeTwin, method: str, arguments: tuple[str, ...], parameter: str, answered: object
) -> None:
    east = timezone(timedelta(hours=2))
    for given, sent in (
        (datetime(2025, 1, 11, 20, 12, 1, tzinfo=east), "2025-01-11T18:12:01Z"),
        ("2025-01-11T20:12:01+02:00", "2025-01-11T20:12:01+02:00"),
    ):
        client = twin(answer(body=answered))
        client.call(method, *arguments, **{parameter: given})
        assert client.script.body[parameter] == sent
    client = twin()
    for wrong, reason in (
        (datetime(2025, 1, 11, 20, 12, 1), "is a datetime without a time zone"),  # noqa: DTZ001 naive on purpose
        (date(2025, 1, 11), "must be a datetime or a text, not date"),
        (1_736_640_000, "must be a datetime or a text, not int"),
    ):
        with pytest.raises(InvalidInput) as caught:
            client.call(method, *arguments, **{parameter: wrong})
        assert [error.parameter for error in caught.value.errors] == [parameter]
        assert reason in str(caught.value)
    assert client.script.requests == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.method)
def test_a_method_makes_its_request_and_reads_its_answer(twin: MakeTwin, case: Case) -> None:
    client = twin(answer(body=case.answered))
    assert client.call(case.method, *case.arguments, **case.options) == case.result
    sent = client.script.request
    assert f"{sent.method} {sent.url.raw_path.decode()}" == case.request
    if case.body is None:
        assert sent.content == b""
        assert "content-type" not in sent.headers
    else:
        assert client.script.body == case.body
        assert sent.headers["content-type"] == "application/json"


def test_a_report_as_csv_is_text_and_nothing_else_is(twin: MakeTwin) -> None:
    text = "month,api_key\r\n2025-01,büro\r\n"
    client = twin(answer(body=text.encode(), content_type="text/csv; charset=utf-8"))
    assert client.call("usage.csv", "2025-01", account="acme") == text
    query = "format=csv&start_month=2025-01&account=acme"
    assert client.script.request.url.raw_path.decode() == f"/usage?{query}"
    with pytest.raises(ResponseError) as caught:
        twin(answer(body=b"<html>", content_type="text/html")).call("usage.csv")
    assert caught.value.code == "bad_response"


def test_every_request_carries_the_token_and_says_who_asks(twin: MakeTwin) -> None:
    client = twin(answer(body={"plans": []}))
    client.call("plans.list")
    headers = client.script.request.headers
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["user-agent"] == f"tallystick-python/{__version__}"
    assert headers["accept"] == "application/json"
    assert "x-request-id" not in headers  # the server names its requests


def test_a_base_url_may_have_a_path_and_a_slash_at_its_end(twin: MakeTwin) -> None:
    client = twin(answer(body={"plans": []}), base_url="https://server.test/billing/")
    client.call("plans.list")
    assert str(client.script.request.url) == "https://server.test/billing/plans"


REPORTS: Final = {
    "usage.get": "/usage",
    "usage.explain": "/usage/explain",
    "usage.daily": "/usage/daily",
    "usage.accounts": "/usage/accounts",
    "jobs.list": "/jobs",
}


@pytest.mark.parametrize(
    ("method", "arguments", "options", "query"),
    [
        ("usage.get", (), {}, ""),
        ("usage.get", ("2025-01", "2025-03"), {}, "?start_month=2025-01&end_month=2025-03"),
        ("usage.get", (), {"start_month": "2025-01"}, "?start_month=2025-01"),
        ("usage.get", (), {"end_month": "2025-03", "account": "a b&c"}, "?end_month=2025-03&account=a+b%26c"),
        ("usage.explain", ("2025-01",), {"account": "acme"}, "?start_month=2025-01&account=acme"),
        ("usage.daily", ("2025-01-01", "2025-01-31"), {}, "?start=2025-01-01&end=2025-01-31"),
        ("usage.daily", (), {"account": "acme"}, "?account=acme"),
        ("usage.accounts", ("2025-01",), {"cursor": "c", "limit": 2}, "?start_month=2025-01&cursor=c&limit=2"),
        (
            "jobs.list",
            ("2025-01", "2025-02"),
            {"account": "acme", "cursor": "c", "limit": 9},
            "?start_month=2025-01&end_month=2025-02&account=acme&cursor=c&limit=9",
        ),
    ],
)
def test_a_report_asks_for_what_was_given_and_nothing_else(
    twin: MakeTwin, method: str, arguments: tuple[str, ...], options: dict[str, Any], query: str
) -> None:
    sums = {"jobs": 0, "audio_tokens": 0, "base_cost": 0.0, "final_cost": 0.0, "savings": 0.0}
    everything = {
        "period": {"start_month": "2025-01", "end_month": "2025-01", "start": "2025-01-01", "end": "2025-01-01"},
        "totals": {**sums, "effective_discount_percentage": 0.0, "free_jobs_left": 0},
        "monthly_breakdown": [],
        "api_keys": {},
        "days": [],
        "currency": "USD",
        "months": [],
        "lines": [],
        "plans": [],
        "accounts": [],
        "jobs": [],
        "next_cursor": None,
    }
    if method == "usage.accounts":
        everything["totals"] = []
    client = twin(answer(body=everything))
    client.call(method, *arguments, **options)
    assert client.script.request.method == "GET"
    assert client.script.request.url.raw_path.decode() == REPORTS[method] + query


COSTS: Final = b'"base_cost":12345678901234567890.123456789012,"final_cost":0.10,"savings":1E+2'


def test_a_daily_report_is_exact(twin: MakeTwin) -> None:
    body = (
        b'{"period":{"start":"2025-01-01","end":"2025-01-01"},"days":[{"day":"2025-01-01","jobs":2,"audio_tokens":7,'
        + COSTS
        + b',"api_keys":{"k":{"jobs":2,"tokens":{"audio":7},"costs":{"base":0.3,"final":0.1,"savings":0.2},'
        b'"tiers":{"tier1":2}}}}]}'
    )
    report = twin(answer(body=body, Tallystick_Currency="EUR")).call("usage.daily")
    (day,) = report.days
    assert (report.currency, day.audio_tokens) == ("EUR", 7)
    assert day.base_cost == Decimal("12345678901234567890.123456789012")
    assert day.api_keys["k"].costs.savings == Decimal("0.2")
    assert decode(encode(report.to_dict())) == decode(body)


def test_an_explanation_is_exact(twin: MakeTwin) -> None:
    body = (
        b'{"period":{"start_month":"2025-01","end_month":"2025-01"},"currency":"EUR","totals":{'
        + COSTS
        + b'},"months":[{"month":"2025-01","jobs_before":4,"jobs":2,"plan":"p","plan_version":null}],"lines":[{'
        b'"month":"2025-01","api_key":"k","meter":"audio","tier":2,"first_rank":5,"last_rank":6,"jobs":2,"free_jobs":0,'
        b'"quantity":7,"price_per_unit":0.10,"discount":7.5,"base_cost":0.7,"final_cost":12345678901234567890.6475,'
        b'"plan":"p","plan_version":"2025-01"}],'
        b'"plans":[{"plan":"p","plan_version":"2025-01","document":{"name":"p"}}]}'
    )
    explanation = twin(answer(body=body)).call("usage.explain")
    (line,) = explanation.lines
    assert (explanation.currency, line.plan_version, line.first_rank, line.last_rank) == ("EUR", "2025-01", 5, 6)
    assert line.final_cost == Decimal("12345678901234567890.6475")
    assert explanation.totals.savings == 100
    assert decode(encode(explanation.to_dict())) == decode(body)
    assert "5-6" in str(explanation)
    assert "12345678901234567890.6475" in str(explanation)


def test_the_report_of_all_accounts_is_exact(twin: MakeTwin) -> None:
    body = (
        b'{"period":{"start_month":"2025-01","end_month":"2025-01"},'
        b'"totals":[{"currency":"EUR","accounts":1,"jobs":2,"audio_tokens":7,' + COSTS + b"}],"
        b'"accounts":[{"account":"acme","currency":"EUR","jobs":2,"audio_tokens":7,' + COSTS + b'}],"next_cursor":"n"}'
    )
    report = twin(answer(body=body)).call("usage.accounts")
    assert report.totals[0].base_cost == Decimal("12345678901234567890.123456789012")
    assert (report.accounts[0].account, report.accounts[0].savings, report.next_cursor) == ("acme", Decimal(100), "n")
    assert decode(encode(report.to_dict())) == decode(body)


def test_lines_are_asked_for_and_given_as_they_are(twin: MakeTwin) -> None:
    client = twin(answer(body=b"{}\n", content_type="application/x-ndjson", Tallystick_Next_Cursor="next"))
    page = client.call("jobs.lines", "2025-01", "2025-02", account="a b", voided=True, cursor="c", limit=9)
    assert client.script.request.url.raw_path == (
        b"/jobs?format=ndjson&start_month=2025-01&end_month=2025-02&account=a+b&voided=true&cursor=c&limit=9"
    )
    assert page == LedgerLines(body=b"{}\n", next_cursor="next", currency="")


def test_a_page_that_is_not_lines_is_a_bad_response(twin: MakeTwin) -> None:
    with pytest.raises(ResponseError, match="base_url"):
        twin(answer(body=b"<html>", content_type="text/html")).call("jobs.lines")


def test_a_void_names_the_job_its_account_and_the_reason(twin: MakeTwin) -> None:
    voided = VoidedJob(
        id="a/b",
        api_key="k",
        completed_at="2025-01-11T20:12:01Z",
        booked_at="2025-01-11T20:12:01Z",
        late=False,
        tokens={},
        voided_at="2025-01-12T00:00:00Z",
        void_reason="twice",
    )
    client = twin(answer(body=encode(voided.to_dict())))
    assert client.call("jobs.void", "a/b", account="acme", reason="twice") == voided
    assert client.script.request.url.raw_path == b"/jobs/a%2Fb/void?account=acme"
    assert client.script.body == {"reason": "twice"}


@pytest.mark.parametrize(
    ("job_id", "options", "parameter"),
    [
        ("", {"account": "acme", "reason": "x"}, "job_id"),
        ("j", {"account": "", "reason": "x"}, "account"),
        ("j", {"account": "acme", "reason": ""}, "reason"),
    ],
)
def test_a_void_that_cannot_be_is_refused_before_any_request(
    twin: MakeTwin, job_id: str, options: dict[str, str], parameter: str
) -> None:
    client = twin()
    with pytest.raises(InvalidInput) as caught:
        client.call("jobs.void", job_id, **options)
    assert [error.parameter for error in caught.value.errors] == [parameter]
    assert client.script.requests == []


def test_a_page_of_the_ledger_is_exact(twin: MakeTwin) -> None:
    body = (
        b'{"jobs":[{"rank":1001,"id":"j","api_key":"k","completed_at":"2025-01-11T20:12:01Z",'
        b'"booked_at":"2025-02-01T00:00:00Z","late":true,"tokens":{"audio":7},"tier":2,"free":false,"discount":7.0,'
        b'"base_cost":0.00836,"final_cost":0.0077748}],"next_cursor":null}'
    )
    page = twin(answer(body=body)).call("jobs.list")
    (job,) = page.jobs
    assert (job.rank, job.tier, job.free, job.discount) == (1001, 2, False, Decimal(7))
    assert job.final_cost == Decimal("0.0077748")
    assert page.to_dict() == decode(body)


def test_a_new_token_does_not_show_its_secret_by_accident(twin: MakeTwin) -> None:
    new = twin(answer(body=NEW_TOKEN.to_dict())).call("tokens.create", Scope.USAGE)
    assert new.token == "s3cret"
    assert "s3cret" not in f"{new} {new!r}"


@pytest.mark.parametrize(
    ("method", "arguments", "options", "parameter", "code"),
    [
        ("usage.get", ("2025-13",), {}, "start_month", "invalid_month"),
        ("usage.get", ("2025-1",), {}, "start_month", "invalid_month"),
        ("usage.get", ("0000-01",), {}, "start_month", "invalid_month"),
        ("usage.get", ("",), {}, "start_month", "invalid_month"),
        ("usage.get", (202501,), {}, "start_month", "invalid_month"),
        ("usage.get", (), {"end_month": "x"}, "end_month", "invalid_month"),
        ("usage.get", ("2025-01", "2025-01-01"), {}, "end_month", "invalid_month"),
        ("usage.get", ("2025-02", "2025-01"), {}, "end_month", "invalid_period"),
        ("usage.get", ("2015-01", "2025-01"), {}, "start_month", "invalid_period"),
        ("usage.get", (), {"account": ""}, "account", "invalid"),
        ("usage.get", (), {"account": 5}, "account", "invalid"),
        ("usage.explain", ("2025-2",), {}, "start_month", "invalid_month"),
        ("usage.daily", ("2025-02-29",), {}, "start", "invalid_day"),
        ("usage.daily", ("2025-01-02", "2025-01-01"), {}, "end", "invalid_period"),
        ("usage.accounts", ("2025-02", "2025-01"), {}, "end_month", "invalid_period"),
        ("jobs.list", ("2025-00",), {}, "start_month", "invalid_month"),
        ("accounts.change", ("",), {"plan": "p"}, "name", "invalid"),
        ("accounts.change", ("acme",), {"plan": "p", "plan_from": "soon"}, "plan_from", "invalid_month"),
        ("accounts.create_key", ("acme", "k"), {"kind": "both"}, "kind", "invalid"),
        ("accounts.keys", (" acme",), {}, "account", "invalid"),
        ("accounts.revoke_key", ("acme", "\n"), {}, "name", "invalid"),
        ("tokens.create", ("root",), {}, "scope", "invalid"),
        ("tokens.revoke", ("",), {}, "token_id", "invalid"),
        ("tokens.revoke", (TOKEN,), {}, "token_id", "secret"),
        ("budgets.list", (), {"account": ""}, "account", "invalid"),
        ("budgets.set", (0.1,), {}, "amount", "invalid"),
        ("budgets.set", ("0",), {}, "amount", "invalid"),
        ("budgets.set", ("1",), {"thresholds": [0]}, "thresholds", "invalid"),
        ("budgets.set", ("1",), {"api_key": TOKEN}, "api_key", "secret"),
        ("budgets.remove", (), {"api_key": " k"}, "api_key", "invalid"),
        ("plans.put", (PLAN,), {"effective_from": "2025-00"}, "effective_from", "invalid_month"),
        ("plans.simulate", (PLAN, "2025-1"), {}, "start_month", "invalid_month"),
        ("plans.simulate", (PLAN,), {"end_month": "x"}, "end_month", "invalid_month"),
        ("plans.simulate", (PLAN,), {"account": ""}, "account", "invalid"),
    ],
)
def test_what_is_wrong_by_itself_is_refused_before_any_request(
    twin: MakeTwin, method: str, arguments: tuple[Any, ...], options: dict[str, Any], parameter: str, code: str
) -> None:
    client = twin()
    with pytest.raises(InvalidInput) as caught:
        client.call(method, *arguments, **options)
    assert client.script.requests == []
    assert caught.value.code == code
    assert [error.parameter for error in caught.value.errors] == [parameter]
    assert TOKEN not in str(caught.value)


def test_120_months_are_asked_for(twin: MakeTwin) -> None:
    client = twin(answer(404))
    with pytest.raises(ResourceNotFound):
        client.call("usage.get", "2015-02", "2025-01")
    assert client.script.request.url.params["start_month"] == "2015-02"


def test_a_plan_is_checked_before_any_request_and_each_mistake_named(twin: MakeTwin) -> None:
    client = twin()
    with pytest.raises(InvalidPlan) as caught:
        client.call("plans.put", {**PLAN, "currency": "euro", "free_jobs": -1})
    assert client.script.requests == []
    assert {error.key for error in caught.value.errors} == {"currency", "free_jobs"}
