"""Who gets in, whose pages they see, and how they are out again."""

from __future__ import annotations

import re
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from litestar import HttpMethod

from tallystick.model.tokens import Scope, make_token
from tallystick.settings import Settings
from tallystick.web.app import ROUTES
from tallystick.web.attempts import Attempts
from tallystick.web.pages import SUMMARY
from tallystick.web.signin import safe_next
from tallystick.web.visits import VIEWERS
from tests.api.service import Service, service
from tests.web.site import PREFIX, Visitor

PATHS = sorted(
    {
        (HttpMethod(method), path, handler.opt[VIEWERS])
        for handler in ROUTES
        for path in handler.paths
        for method in handler.http_methods
        if method in ("GET", "POST")
    }
)
CLOSED = [(method, path) for method, path, viewers in PATHS if viewers != "anyone"]
FORMS = [path for method, path, _ in PATHS if method == "POST"]
OF_CUSTOMERS = {path for _, path, viewers in PATHS if viewers in ("account", "managers") and "{account" not in path}
"""Paths at which the provider has nothing, having no account of its own."""


def signed_in(service: Service, path: str) -> tuple[Visitor, str]:
    """Somebody who may send the form at a path, and a page of theirs that has forms."""
    visitor, is_customer = Visitor(service), path in OF_CUSTOMERS
    visitor.sign_in(service.token("manage", "acme") if is_customer else service.token("admin"))
    return visitor, "" if is_customer else "/accounts"


def test_signing_in_and_out_is_in_the_audit_log_with_who_and_from_where(shared: Service) -> None:
    made = shared.ledger.tokens.create("admin")
    visitor = Visitor(shared)
    visitor.sign_in(made.token)
    visitor.post("/sign-out", page="/accounts")
    events = shared.ledger.audit.list(limit=2).events
    assert [(event.action, event.subject, event.actor, event.origin) for event in events] == [
        ("session.end", made.info.id, made.info.id, "127.0.0.1"),
        ("session.begin", made.info.id, made.info.id, "127.0.0.1"),
    ]


def filled(path: str, account: str = "acme") -> str:
    """A route's path with something in the place of each parameter."""
    return re.sub(r"\{[^}]+\}", "x", path.replace("{account:str}", quote(account, safe="")))


def where(response: httpx.Response) -> str:
    """Where an answer leads."""
    assert response.status_code == 303, response.text
    return response.headers["location"]


def cookie(response: httpx.Response, name: str = "tallystick_session") -> SimpleCookie:
    parsed = SimpleCookie()
    for value in response.headers.get_list("set-cookie"):
        if value.startswith(f"{name}="):
            parsed.load(value)
    return parsed


def test_every_route_says_who_may_see_it_and_what_it_is() -> None:
    for handler in ROUTES:
        assert handler.opt[VIEWERS] in ("anyone", "account", "managers", "provider")
        assert handler.opt[SUMMARY]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_nobody_sees_a_page_or_sends_a_form_without_signing_in(visitor: Visitor, method: str, path: str) -> None:
    path = filled(path).rstrip("/")
    answer = visitor.client.request(method, PREFIX + path)
    target = urlsplit(where(answer))
    assert target.path == "/dashboard/sign-in"
    assert parse_qs(target.query).get("next", [""]) == ([path] if method == "GET" and path else [""])


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("sent", [{}, {"form_token": ""}, {"form_token": "0" * 64}, {"form_token": "ü"}])
def test_a_form_that_we_did_not_give_is_refused(shared: Service, path: str, sent: dict[str, str]) -> None:
    visitor, page = signed_in(shared, path)
    answer = visitor.client.post(PREFIX + filled(path), data=sent)
    assert answer.status_code == 403
    assert "came from elsewhere" in answer.text
    assert visitor.get(page).status_code == 200


@pytest.mark.parametrize("path", FORMS)
def test_a_form_of_another_session_or_site_is_refused(shared: Service, path: str) -> None:
    visitor, page = signed_in(shared, path)
    other, _ = signed_in(shared, path)
    theirs = Visitor(shared).form_token("/sign-in") if path == "/sign-in" else other.form_token(page)
    assert visitor.client.post(PREFIX + filled(path), data={"form_token": theirs}).status_code == 403
    ours = visitor.form_token(page)
    from_elsewhere = {"sec-fetch-site": "cross-site"}
    answer = visitor.client.post(PREFIX + filled(path), data={"form_token": ours}, headers=from_elsewhere)
    assert answer.status_code == 403


def test_a_customer_signs_in_and_is_where_it_wanted_to_be(shared: Service, visitor: Visitor) -> None:
    assert where(visitor.sign_in(shared.token("usage", "acme"))) == "/dashboard"
    assert "acme" in visitor.get().text
    other = Visitor(shared)
    wanted = "/jobs?start_month=2025-01&end_month=2025-01"
    asked = urlsplit(where(other.get("/jobs", start_month="2025-01", end_month="2025-01")))
    assert parse_qs(asked.query)["next"] == [wanted]
    assert where(other.sign_in(f" {shared.token('manage', 'acme')}\n", next=wanted)) == PREFIX + wanted


def test_the_provider_signs_in_to_pages_of_its_own(shared: Service, visitor: Visitor) -> None:
    assert where(visitor.sign_in(shared.token("admin"))) == "/dashboard/accounts"
    assert where(visitor.get()) == "/dashboard/accounts"


def test_a_session_ends_with_signing_out(customer: Visitor) -> None:
    secret = customer.client.cookies["tallystick_session"]
    assert where(customer.post("/sign-out")) == "/dashboard/sign-in?signed_out=1"
    assert "tallystick_session" not in customer.client.cookies
    customer.client.cookies.set("tallystick_session", secret)
    assert urlsplit(where(customer.get())).path == "/dashboard/sign-in"


def test_a_session_ends_where_its_browser_signs_in_anew(shared: Service, visitor: Visitor) -> None:
    page = visitor.form_token("/sign-in")  # opened in another tab, before signing in
    visitor.sign_in(shared.token("usage", "acme"))
    first = visitor.client.cookies["tallystick_session"]
    fields = {"form_token": page, "token": shared.token("admin")}
    assert where(visitor.client.post(f"{PREFIX}/sign-in", data=fields)) == "/dashboard/accounts"
    assert visitor.client.cookies["tallystick_session"] != first
    other = Visitor(shared)
    other.client.cookies.set("tallystick_session", first, path=PREFIX)
    assert urlsplit(where(other.get())).path == "/dashboard/sign-in"


def test_a_session_is_never_one_that_somebody_else_began(shared: Service, visitor: Visitor) -> None:
    planted = "0" * 64
    visitor.client.cookies.set("tallystick_session", planted, path=PREFIX)
    secret = cookie(visitor.sign_in(shared.token("usage", "acme")))["tallystick_session"].value
    assert secret != planted
    visitor.client.cookies.clear()
    visitor.client.cookies.set("tallystick_session", planted, path=PREFIX)
    assert urlsplit(where(visitor.get())).path == "/dashboard/sign-in"


def test_a_session_ends_with_its_token_and_the_page_says_so(shared: Service, visitor: Visitor) -> None:
    made = shared.ledger.tokens.create(Scope.USAGE, account="acme")
    visitor.sign_in(made.token)
    assert visitor.get().status_code == 200
    shared.ledger.tokens.revoke(made.info.id)
    answer = visitor.get("/jobs")
    assert where(answer) == "/dashboard/sign-in?next=%2Fjobs&ended=1"
    assert "tallystick_session" not in visitor.client.cookies
    assert "Your session has ended" in visitor.client.get(where(answer)).text


def test_a_session_ends_after_its_time(fresh: Service) -> None:
    fresh.ledger.accounts.create("acme")
    visitor = Visitor(fresh)
    visitor.sign_in(fresh.token("usage", "acme"))
    fresh.clock.now += timedelta(hours=12)
    assert urlsplit(where(visitor.get())).path == "/dashboard/sign-in"


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("", "Paste the whole token"),
        ("nonsense", "Paste the whole token"),
        (make_token(bytes(32)), "unknown, expired or revoked"),
        (make_token(bytes(32))[:-1], "Paste the whole token"),
        ("\x00", "Paste the whole token"),
        ("tally_" + "ü" * 49, "Paste the whole token"),
    ],
)
def test_a_wrong_token_is_told_and_not_repeated(fresh: Service, token: str, told: str) -> None:
    answer = Visitor(fresh).sign_in(token)
    assert answer.status_code == 401
    assert told in answer.text
    assert len(token) < 6 or token not in answer.text
    assert not cookie(answer)


def test_a_token_that_may_only_report_jobs_does_not_sign_in(fresh: Service) -> None:
    answer = Visitor(fresh).sign_in(fresh.token("ingest"))
    assert answer.status_code == 401
    assert "may only report jobs" in answer.text


def test_whoever_fails_too_often_has_to_wait(tmp_path: Path) -> None:
    with service(tmp_path, Settings(sign_ins_per_minute=3)) as serving:
        visitor = Visitor(serving)
        assert [visitor.sign_in("wrong").status_code for _ in range(4)] == [401, 401, 401, 429]
        refused = visitor.sign_in(serving.token("admin"))
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert "Too many failed sign-ins" in refused.text
        assert serving.client.get("/healthz").status_code == 200


class Seconds:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


def refused(attempts: Attempts, address: str) -> bool:
    try:
        attempts.check(address)
    except Exception:  # noqa: BLE001 - whatever it raises, it refuses
        return True
    return False


def test_failures_are_counted_by_where_they_come_from() -> None:
    clock = Seconds()
    attempts = Attempts(2, clock)
    for address in ("192.0.2.1", "2001:db8::1", "2001:db8::2", "unknown"):
        attempts.failed(address)
    assert not refused(attempts, "192.0.2.1")
    assert refused(attempts, "2001:db8::3"), "one network has as many addresses as it likes"
    assert not refused(attempts, "2001:db8:1::3")
    attempts.failed("192.0.2.1")
    assert refused(attempts, "192.0.2.1")
    assert not refused(attempts, "192.0.2.2")
    clock.now += 30
    assert not refused(attempts, "192.0.2.1")


def test_failures_from_everywhere_take_bounded_memory_and_are_still_counted() -> None:
    clock = Seconds()
    attempts = Attempts(2, clock)
    for number in range(10_010):
        attempts.failed(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
    assert len(attempts._full_at) <= 10_001
    assert refused(attempts, "203.0.113.9"), "newcomers share a bucket that is empty"
    clock.now += 1000
    attempts.failed("203.0.113.9")
    assert len(attempts._full_at) == 1, "what is full again is forgotten"


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_behind_tls_from_plain_http(tmp_path: Path) -> None:
    with service(tmp_path, Settings(trusted_proxies="127.0.0.1")) as serving:
        visitor = Visitor(serving)
        plain = cookie(visitor.sign_in(serving.token("admin")))["tallystick_session"]
        assert (plain["httponly"], plain["samesite"], plain["path"], plain["secure"]) == (True, "Lax", "/dashboard", "")
        assert plain["max-age"] == str(12 * 3600)
        other = Visitor(serving)
        other.client.headers["x-forwarded-proto"] = "https"
        token = re.search(r'name="form_token" value="(\w+)"', other.get("/sign-in").text)
        assert token
        # This client would not send a cookie marked so over plain HTTP, which is what the server sees here.
        secret = next(iter(other.client.cookies.jar)).value
        answer = other.client.post(
            f"{PREFIX}/sign-in",
            data={"form_token": token[1], "token": serving.token("admin")},
            headers={"cookie": f"tallystick_form={secret}"},
        )
        assert cookie(answer)["tallystick_session"]["secure"] is True


def test_no_cookie_opens_the_api(shared: Service, customer: Visitor) -> None:
    header = "; ".join(f"{each.name}={each.value}" for each in customer.client.cookies.jar)
    assert shared.client.get("/usage", headers={"cookie": header}).status_code == 401


@pytest.mark.parametrize("path", ["/accounts", "/accounts/acme", "/accounts/other", "/accounts/acme/jobs"])
def test_a_customer_sees_no_page_of_the_provider_nor_of_another_account(customer: Visitor, path: str) -> None:
    answer = customer.get(path)
    assert answer.status_code == 403
    assert "the provider&#39;s" in answer.text
    assert "other" not in answer.text, "an account that may exist is not talked about"


def test_parameters_do_not_change_whose_account_it_is(shared: Service, customer: Visitor) -> None:
    other = shared.account()
    shared.post_jobs(
        {
            "id": "1",
            "account": other,
            "api_key": "k",
            "completed_at": "2025-01-02T00:00:00Z",
            "tokens": {"transcription": 1},
        }
    )
    assert other not in customer.get("", account=other, start_month="2025-01").text


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/%5c@evil.example/../",
        "javascript:alert(1)",
        "/../usage",
        "@evil.example",
        ".evil.example",
        "/jobs\r\nX: y",
        "?next=//evil\\",
        "/sign-out",
        "/sign-in?next=/sign-in",
        "/" + "a" * 5000,
    ],
)
def test_signing_in_never_leads_out_of_the_pages(shared: Service, visitor: Visitor, wanted: str) -> None:
    target = where(visitor.sign_in(shared.token("usage", "acme"), next=wanted))
    parts = urlsplit(target)
    assert (parts.scheme, parts.netloc) == ("", "")
    assert parts.path == "/dashboard" or parts.path.startswith("/dashboard/")
    assert ".." not in parts.path
    assert "\r" not in target


def test_pages_to_go_on_to_are_kept_as_they_are() -> None:
    for wanted in ("", "/jobs", "/accounts/a%20b%2Fc/jobs?start_month=2025-01&api_key=x+y", "?amounts=exact"):
        assert safe_next(wanted) == wanted


def test_pages_allow_nothing_but_their_own_files(customer: Visitor) -> None:
    for path in ("", "/jobs", "/accounts", "/nothing"):
        headers = customer.get(path).headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_a_form_that_is_too_large_or_broken_is_refused(visitor: Visitor) -> None:
    large = visitor.client.post(f"{PREFIX}/sign-in", content=b"a=" + b"x" * 300_000)
    assert large.status_code == 413
    broken = visitor.client.post(f"{PREFIX}/sign-in", content=b"\xff\xfe")
    assert broken.status_code == 400
    many = visitor.client.post(f"{PREFIX}/sign-in", content=b"&".join([b"a=1"] * 5000))
    assert many.status_code == 400
