"""The provider's pages: accounts by cost, access, plans, quarantine, health."""

from __future__ import annotations

import html
import logging
import re
from typing import Any
from urllib.parse import quote

import pytest

from tallystick import charts
from tallystick.ledger import CommitReport
from tallystick.model.accounts import TokenInfo
from tallystick.model.planfiles import plan_toml, read_plan
from tallystick.model.tokens import make_token
from tallystick.web.health import _course, _series, _size
from tallystick.web.pulse import BUCKETS, LastErrors, Pulse
from tallystick.web.quarantine import ADVICE
from tests.api.service import Service, job
from tests.web.site import Visitor, tables

JANUARY = {"start_month": "2025-01", "end_month": "2025-01"}
TOKEN = re.compile(r"tally_[0-9A-Za-z]{49}")


def rows(visitor: Visitor, **query: str) -> list[list[str]]:
    return [[cell.text for cell in row] for row in tables(visitor.get("/accounts", **query).text)["accounts"][1:]]


@pytest.fixture
def fleet(fresh: Service) -> Visitor:
    """The provider over three accounts that used something in January, and one that did not."""
    for account, jobs in (("small", 1), ("Größte", 9), ("middle & co", 4)):
        used = {"tokens": {"transcription": 100_000 * jobs}}
        fresh.post_jobs([job(account, **used) for _ in range(101)])
    fresh.ledger.accounts.create("idle")
    visitor = Visitor(fresh)
    assert visitor.sign_in(fresh.token("admin")).status_code == 303
    return visitor


def test_accounts_come_by_cost_with_share_trend_and_last_job(fresh: Service, fleet: Visitor) -> None:
    found = rows(fleet, **JANUARY)
    assert [row[0] for row in found] == ["Größte", "middle & co", "small", "idle"]
    report = fresh.ledger.usage_of_accounts("2025-01", "2025-01")
    table = tables(fleet.get("/accounts", **JANUARY).text)["accounts"][1:]
    assert [row[1].number for row in table] == [account.final_cost for account in report.accounts]
    assert [row[4].number for row in table] == [account.jobs for account in report.accounts]
    assert [row[2] for row in found] == ["64.3 %", "28.6 %", "7.1 %", "0.0 %"]
    assert [row[-1] for row in found] == ["just now", "just now", "just now", "none"]
    text = fleet.get("/accounts", **JANUARY).text
    assert text.count('class="sparkline"') == 3
    (total,) = report.totals
    assert f'<data value="{total.final_cost}"' in text or f"{total.final_cost}" in text


def test_the_period_before_stands_beside_the_cost(fresh: Service, fleet: Visitor) -> None:
    running = fleet.get("/accounts").text
    assert "Feb 2025" in running
    assert "so far; Jan 2025 cost 42.00" in running
    fresh.post_jobs([job("small", completed_at="2024-12-05T00:00:00Z") for _ in range(3)])
    assert "on Dec 2024" not in fleet.get("/accounts", **JANUARY).text, "those jobs were free"


def test_accounts_are_searched_and_the_shares_stay(fleet: Visitor) -> None:
    assert [row[0] for row in rows(fleet, search="GRÖSS", **JANUARY)] == ["Größte"]
    assert rows(fleet, search="GRÖSS", **JANUARY)[0][2] == "64.3 %"
    assert [row[0] for row in rows(fleet, search="&", **JANUARY)] == ["middle & co"]
    nobody = fleet.get("/accounts", search="<nobody>").text
    assert "No account has “<bdi>&lt;nobody&gt;</bdi>” in its name." in nobody


def test_many_accounts_come_in_pages(fresh: Service, fleet: Visitor) -> None:
    for number in range(40):
        fresh.ledger.accounts.create(f"account {number:02d}")
    names: list[str] = []
    path: str | None = "/dashboard/accounts?start_month=2025-01&end_month=2025-01"
    while path:
        page = fleet.client.get(path).text
        names += [row[0].text for row in tables(page)["accounts"][1:]]
        following = re.search(r'<a href="([^"]+)" rel="next">', page)
        path = html.unescape(following[1]) if following else None
    assert len(names) == len(set(names)) == 44


def test_an_account_is_made_and_what_does_not_fit_is_told(fresh: Service, fleet: Visitor) -> None:
    fields = {"name": " new / one ", "time_zone": "Europe/Zurich", "plan": "standard"}
    made = fleet.post("/accounts/create", fields, page="/accounts")
    assert made.headers["location"] == "/dashboard/accounts/new%20%2F%20one/access?done=account"
    assert fresh.ledger.accounts.get("new / one").time_zone == "Europe/Zurich"
    assert "The account is made" in fleet.client.get(made.headers["location"]).text
    again = fleet.post("/accounts/create", fields, page="/accounts")
    assert again.status_code == 409
    assert "there is an account named &#39;new / one&#39; already" in again.text
    assert 'value="new / one"' in again.text, "what was typed stays"
    nowhere = fleet.post("/accounts/create", {**fields, "name": "x", "time_zone": "Mars/Base"}, page="/accounts")
    assert nowhere.status_code == 400
    assert "Mars/Base" in nowhere.text


def test_the_provider_sees_an_account_as_its_customer_and_is_told_so(shared: Service, provider: Visitor) -> None:
    path = "/accounts/acme"
    page = provider.get(path, **JANUARY).text
    assert "You see <strong><bdi>acme</bdi></strong> as this customer does." in page
    customer = Visitor(shared)
    customer.sign_in(shared.token("usage", "acme"))
    own = customer.get("", **JANUARY).text
    assert "You see" not in own
    for table in ("months", "keys"):
        seen = [[cell.text for cell in row] for row in tables(page)[table]]
        assert seen == [[cell.text for cell in row] for row in tables(own)[table]]
    for link in re.findall(r'href="(/dashboard/accounts/acme[^"]*)"', page):
        assert provider.client.get(html.unescape(link)).status_code == 200, link


# Access


def token_of(service: Service, token_id: str) -> TokenInfo:
    return next(token for token in service.ledger.tokens.list() if token.id == token_id)


def test_a_token_is_made_shown_once_and_never_again(shared: Service, provider: Visitor) -> None:
    path = "/accounts/acme/access"
    fields = {"scope": "usage", "label": "for <b>them</b>", "expires_on": "2025-03-01"}
    made = provider.post(f"{path}/create", fields, page=path)
    assert made.status_code == 201
    (secret,) = TOKEN.findall(made.text)
    authority = shared.ledger.tokens.authenticate(secret)
    assert (authority.scope, authority.account) == ("usage", "acme")
    assert token_of(shared, authority.token_id).expires_at == "2025-03-01T00:00:00Z"
    assert made.headers["cache-control"] == "no-store"
    for page in (path, "/access"):
        text = provider.get(page).text
        assert authority.token_id in text
        assert not TOKEN.search(text)
        assert "for &lt;b&gt;them" in text


def test_a_token_of_no_account_is_made_and_what_does_not_fit_is_told(shared: Service, provider: Visitor) -> None:
    made = provider.post("/access/create", {"scope": "ingest", "label": "", "account": ""}, page="/access")
    (secret,) = TOKEN.findall(made.text)
    assert shared.ledger.tokens.authenticate(secret).scope == "ingest"
    for fields, told in (
        ({"scope": "usage"}, "account: is needed with scope usage"),
        ({"scope": "admin", "account": "acme"}, "is not taken with scope admin"),
        ({"scope": "usage", "account": "nobody"}, "there is no such account"),
        ({"scope": "root"}, "scope: must be one of"),
        ({"scope": "ingest", "expires_on": "2001-01-01"}, "lies in the past"),
        ({"scope": "ingest", "expires_on": "soon"}, "expires_at"),
        ({"scope": "ingest", "label": "x" * 201}, "label"),
    ):
        answer = provider.post("/access/create", fields, page="/access")
        assert answer.status_code == 400
        assert told in answer.text
        assert not TOKEN.search(answer.text)


def test_tokens_are_revoked_and_rotated(shared: Service, provider: Visitor) -> None:
    old = shared.ledger.tokens.create("usage", account="acme")
    path = "/accounts/acme/access"
    rotated = provider.post(f"{path}/rotate", {"id": old.info.id, "overlap_hours": "1"}, page=path)
    (secret,) = TOKEN.findall(rotated.text)
    assert token_of(shared, old.info.id).expires_at == "2025-02-01T13:00:00Z"
    new = shared.ledger.tokens.authenticate(secret).token_id
    revoked = provider.post(f"{path}/revoke", {"id": new}, page=path)
    assert revoked.headers["location"] == "/dashboard/accounts/acme/access?done=token-revoked"
    assert token_of(shared, new).revoked_at
    assert provider.post(f"{path}/revoke", {"id": "tok_none"}, page=path).status_code == 400
    assert provider.post(f"{path}/rotate", {"id": new, "overlap_hours": "1"}, page=path).status_code == 400
    assert provider.post(f"{path}/rotate", {"id": old.info.id, "overlap_hours": "9999"}, page=path).status_code == 400


def test_the_provider_that_revokes_its_own_token_is_out(shared: Service, visitor: Visitor) -> None:
    own = shared.ledger.tokens.create("admin")
    visitor.sign_in(own.token)
    visitor.post("/access/revoke", {"id": own.info.id}, page="/access")
    assert visitor.get("/access").status_code == 303


def test_acts_are_in_the_audit_log_with_whose_they_are(shared: Service, visitor: Visitor) -> None:
    own = shared.ledger.tokens.create("admin")
    visitor.sign_in(own.token)
    visitor.post("/accounts/acme/access/keys", {"name": "audited", "kind": "live"}, page="/access")
    event = shared.ledger.audit.list(limit=1).events[0]
    assert (event.action, event.actor, event.origin) == ("key.create", own.info.id, "127.0.0.1")


def test_keys_are_made_and_revoked(shared: Service, provider: Visitor) -> None:
    path = "/accounts/acme/access"
    name = "key \"<x>\" & 'y'"
    made = provider.post(f"{path}/keys", {"name": name, "kind": "sandbox"}, page=path)
    assert made.status_code == 303
    assert (
        html.escape(name, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in provider.get(path).text
    )
    assert provider.post(f"{path}/keys", {"name": name, "kind": "live"}, page=path).status_code == 409
    assert provider.post(f"{path}/keys", {"name": "", "kind": "live"}, page=path).status_code == 400
    assert provider.post(f"{path}/keys", {"name": "k", "kind": "dead"}, page=path).status_code == 400
    assert provider.post(f"{path}/keys/revoke", {"name": name}, page=path).status_code == 303
    key = next(key for key in shared.ledger.accounts.keys("acme") if key.name == name)
    assert (key.kind, key.revoked_at) == ("sandbox", "2025-02-01T12:00:00Z")
    assert provider.post(f"{path}/keys/revoke", {"name": "none"}, page=path).status_code == 400


def test_an_account_s_plan_and_zone_change(shared: Service, provider: Visitor) -> None:
    account = shared.account()
    path = f"/accounts/{quote(account)}/access"
    assert provider.post(f"{path}/change", {"time_zone": "Asia/Tokyo"}, page=path).status_code == 303
    assert shared.ledger.accounts.get(account).time_zone == "Asia/Tokyo"
    text = plan_toml({**shared.ledger.plans.get("standard").versions[-1].plan, "name": "cheap"})
    shared.ledger.plans.put(read_plan(text))
    assert provider.post(f"{path}/change", {"plan": "cheap", "plan_from": "2025-02"}, page=path).status_code == 303
    assert shared.ledger.accounts.get(account).plan == "cheap"
    for fields in ({"plan": "none"}, {"plan": "cheap", "plan_from": "soon"}, {"time_zone": "nowhere"}):
        answer = provider.post(f"{path}/change", fields, page=path)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text


# Plans


def document(shared: Service, **changes: Any) -> str:
    return plan_toml({**shared.ledger.plans.get("standard").versions[-1].plan, **changes})


def test_a_plan_is_shown_and_its_next_version_stored(shared: Service, provider: Visitor) -> None:
    assert "standard" in provider.get("/plans").text
    page = provider.get("/plans/standard").text
    written = html.unescape(
        page.partition('<textarea id="document"')[2].partition(">\n")[2].partition("</textarea>")[0]
    )
    assert read_plan(written) == read_plan(document(shared))
    fields = {"plan": "standard", "document": document(shared, free_jobs=7), "effective_from": "2025-03"}
    stored = provider.post("/plans", fields, page="/plans/standard")
    assert stored.headers["location"] == "/dashboard/plans/standard?done=stored"
    versions = shared.ledger.plans.get("standard").versions
    assert (versions[-1].effective_from, versions[-1].plan["free_jobs"]) == ("2025-03", 7)
    after = provider.get("/plans/standard", done="stored").text
    assert "Since 2025-03" in after
    assert re.search(r"Since the beginning\s*<span class=\"tag\">in force", after)


def test_a_new_plan_is_stored(shared: Service, provider: Visitor) -> None:
    assert "a new name" in provider.get("/new-plan").text
    fields = {"document": document(shared, name="gold / plus"), "effective_from": ""}
    stored = provider.post("/plans", fields, page="/new-plan")
    assert provider.client.get(stored.headers["location"]).status_code == 200
    assert shared.ledger.plans.get("gold / plus")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = ", "is not TOML"),
        ('name = "x"', "currency"),
        ('name = "other"\ncurrency = "USD"', "must stay"),
        ("a" + ".a" * 400 + " = 1", "too long"),
        ("# x\n" * 17_000, "too long"),
        ("", "is missing"),
    ],
)
def test_what_is_wrong_with_a_plan_is_told_by_its_key_and_the_text_stays(
    shared: Service, provider: Visitor, text: str, told: str
) -> None:
    if "other" in text:
        text = document(shared, name="other")
    fields = {"plan": "standard", "document": text, "effective_from": "2025-04"}
    answer = provider.post("/plans", fields, page="/plans/standard")
    assert answer.status_code == 400
    assert told in html.unescape(answer.text)
    assert text[:20] in html.unescape(answer.text)
    assert 'value="2025-04"' in answer.text
    assert "2025-04" not in [version.effective_from for version in shared.ledger.plans.get("standard").versions]


def test_a_version_needs_its_month(provider: Visitor, shared: Service) -> None:
    for month in ("", "soon", "2025-13"):
        fields = {"plan": "standard", "document": document(shared), "effective_from": month}
        assert provider.post("/plans", fields, page="/plans/standard").status_code == 400


# Quarantine


def test_rejected_jobs_are_shown_with_what_to_do_and_replayed(fresh: Service) -> None:
    provider = Visitor(fresh)
    provider.sign_in(fresh.token("admin"))
    assert "Nothing is in quarantine" in provider.get("/quarantine").text
    ahead = job(completed_at="2025-02-01T13:00:00Z")
    bad = job(tokens={"<script>": 1})
    fresh.post_jobs([ahead, bad, job(tokens={"transcription": -1})])
    text = provider.get("/quarantine").text
    assert text.count('type="checkbox"') == 3
    assert ADVICE["future"] in html.unescape(text)
    assert "<script>" not in text.replace("<script ", "")
    assert '<span class="count">3</span>' in text
    fresh.clock.now = fresh.clock.now.replace(hour=14)
    (first,) = (item.id for item in fresh.ledger.quarantine.list().items if item.code == "future")
    chosen = provider.post("/quarantine/replay", {"which": "chosen", "id": str(first)}, page="/quarantine")
    assert "1 stored, 0 refused again" in provider.client.get(chosen.headers["location"]).text
    everything = provider.post("/quarantine/replay", {"which": "all"}, page="/quarantine")
    assert "0 stored, 2 refused again" in provider.client.get(everything.headers["location"]).text
    assert fresh.ledger.usage(bad["account"], "2025-02").totals.jobs == 1


def test_a_replay_of_nothing_or_of_nonsense_does_nothing(fresh: Service) -> None:
    provider = Visitor(fresh)
    provider.sign_in(fresh.token("admin"))
    fresh.post_jobs(job(id=""))
    assert provider.post("/quarantine/replay", {"which": "chosen"}, page="/quarantine").status_code == 303
    assert provider.post("/quarantine/replay", {"id": "x"}, page="/quarantine").status_code == 400
    assert provider.post("/quarantine/replay", {"id": "9" * 30}, page="/quarantine").status_code == 400
    assert fresh.ledger.quarantine.list().total == 1
    for told in ("-1", "x", "9" * 5000, "٣"):
        assert "stored," not in provider.get("/quarantine", replayed=told, remaining="1").text


def test_every_code_of_a_rejection_has_advice() -> None:
    from typing import get_args

    from tallystick.model.jobs import RejectionCode

    assert set(ADVICE) == set(get_args(RejectionCode))


# Health


def test_health_tells_what_the_server_did(fresh: Service) -> None:
    provider = Visitor(fresh)
    provider.sign_in(fresh.token("admin"))
    fresh.post_jobs([job() for _ in range(50)])
    text = provider.get("/health").text
    assert "Jobs stored" in text
    assert f"schema {fresh.ledger.maintenance.version().schema}" in text
    assert text.count('class="specification"') == 2
    assert provider.get("/health/commits.csv").status_code == 200
    assert provider.get("/health/nothing.csv").status_code == 404


def report(accepted: int, seconds: float) -> CommitReport:
    return CommitReport(accepted, seconds, accepted, 0, 0)


def test_commits_are_summed_by_ten_seconds_for_a_quarter_of_an_hour() -> None:
    now = [1000.0]
    pulse = Pulse(lambda: now[0])
    pulse.hear(report(5, 0.5))
    pulse.hear(report(7, 0.25))
    assert pulse.buckets() == [], "the running one is not whole"
    now[0] = 1021
    assert pulse.buckets() == [(1000, (12, 2, 0.75, 0.5)), (1010, (0, 0, 0.0, 0.0))]
    now[0] = 1000 + 10 * (BUCKETS + 5)
    pulse.hear(report(1, 1.0))
    assert len(pulse.buckets()) == BUCKETS - 1
    assert len(pulse._buckets) == 1


def test_the_table_of_commits_has_the_figures_of_both_pictures() -> None:
    now = [1000.0]
    pulse = Pulse(lambda: now[0])
    pulse.hear(report(50, 0.5))
    pulse.hear(report(75, 0.25))
    now[0] = 1021
    assert _course(pulse) == [("00:16:50", "0.0", "", ""), ("00:16:40", "12.5", "375.0", "500.0")]
    assert charts.table("course", _series("ingest", pulse)).rows == (("00:16:40", "12.5"), ("00:16:50", "0.0"))


def test_the_last_errors_are_kept_without_tokens() -> None:
    errors = LastErrors(most=2)
    logger = logging.getLogger("tallystick.web.tried")
    logger.addHandler(errors)
    try:
        secret = make_token(bytes(32))
        for number in range(3):
            logger.error("failed %d with %s", number, secret)
        logger.warning("not an error")
    finally:
        logger.removeHandler(errors)
    messages = [message for _, message in errors.newest_first()]
    assert [message[:8] for message in messages] == ["failed 2", "failed 1"]
    assert secret not in "".join(messages)


def test_sizes_are_told_in_units_that_people_know() -> None:
    assert [_size(n) for n in (0, 1023, 1024, 2_883_584, 5 * 2**30)] == [
        "0 bytes",
        "1,023 bytes",
        "1.0 KiB",
        "2.7 MiB",
        "5.0 GiB",
    ]
