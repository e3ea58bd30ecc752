"""Webhooks on the pages: endpoints made, changed and removed, what was sent to them, and by whom all that is seen."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook

from tallystick.model.notices import OF_PROVIDER
from tallystick.model.webhooks import DeliveryState
from tallystick.settings import Settings
from tests.api.service import Service, service
from tests.web.site import Visitor, tables
from tests.webhooks.receiver import Receiver, receiving
from tests.webhooks.test_notifier import within

BASE = "/alerts/webhooks"
SECRET = re.compile(r">(whsec_[A-Za-z0-9+/=]+)<")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that may send to this machine."""
    folder = tmp_path_factory.mktemp("webhooks")
    with service(folder, Settings(webhook_networks="127.0.0.0/8", signing_folder=f"{folder}/keys")) as serving:
        yield serving


@pytest.fixture
def account(shared: Service) -> str:
    return shared.account()


def signed_in(shared: Service, scope: str, account: str | None = None) -> Visitor:
    visitor = Visitor(shared)
    visitor.sign_in(shared.token(scope, account))
    return visitor


def rows(visitor: Visitor, path: str, table: str = "webhooks") -> list[list[str]]:
    return [[cell.text for cell in row] for row in tables(visitor.get(path).text).get(table, [])[1:]]


def attempted(shared: Service, webhook: str, count: int) -> bool:
    """Whether so many attempts are written down before long."""
    return within(
        30, lambda: sum(sent.attempts for sent in shared.ledger.webhooks.deliveries(webhook).deliveries) >= count
    )


def test_an_endpoint_is_made_its_secret_shown_once_and_a_test_event_followed_to_its_log(
    shared: Service, account: str, receiver: Receiver
) -> None:
    manager = signed_in(shared, "manage", account)
    assert "No endpoint yet" in manager.get("/alerts").text
    offered = re.findall(r'name="events" value="([^"]*)"', manager.get(BASE).text)
    assert "tier.reached" in offered
    assert not OF_PROVIDER.intersection(offered)
    url = f"{receiver.url}/500/page"
    made = manager.post(BASE, {"url": f" {url} ", "description": "<b>books</b>", "events": ["tier.reached"]}, page=BASE)
    assert made.status_code == 201
    secret = SECRET.findall(made.text)
    assert len(secret) == 1
    (endpoint,) = shared.ledger.webhooks.list(account)
    here = f"{BASE}/{endpoint.id}"
    for page in ("/alerts", BASE, here):
        assert secret[0] not in manager.get(page).text
    assert [row[:3] for row in rows(manager, "/alerts")] == [[url, "<b>books</b>", "tier.reached"]]
    sent = manager.post(here, {"act": "test"}, page=here)
    assert sent.headers["location"] == f"/dashboard{here}?done=test"
    assert attempted(shared, endpoint.id, 1)
    ((notice, event, _, state, attempts, last_status, last_latency, _),) = rows(manager, here, "deliveries")
    assert (event, state, attempts, last_status) == ("webhook.test", "waiting", "1", "500")
    shown = manager.get(f"{here}/{notice}").text
    ((number, _, status, latency, wrong, place),) = [
        [cell.text for cell in row] for row in tables(shown)["attempts"][1:]
    ]
    assert (number, status, wrong, place) == ("1", "500", "not a status of success", url)
    assert latency.isdigit()
    assert latency == last_latency
    arrived = next(one for one in receiver.received if one.path == "/500/page")
    # The server's clock stands in the past, which the official verifier would refuse.
    signature = Webhook(secret[0]).sign(notice, shared.clock.now, arrived.body.decode())
    assert arrived.headers["webhook-signature"] == signature
    assert f"webhook-id: {notice}" in shown
    assert arrived.body.decode().replace('"', "&#34;") in shown
    replayed = manager.post(f"{here}/{notice}", page=f"{here}/{notice}")
    assert replayed.headers["location"].endswith(f"{notice}?done=replayed")
    assert attempted(shared, endpoint.id, 2)
    assert receiver.ids("/500/page") == [notice, notice]


def test_an_endpoint_is_switched_changed_given_a_new_secret_and_removed(shared: Service, account: str) -> None:
    shared.ledger.webhooks.create("https://hooks.example/a", account=account)
    (endpoint,) = shared.ledger.webhooks.list(account)
    manager, here = signed_in(shared, "manage", account), f"{BASE}/{endpoint.id}"

    def act(word: str, **fields: object) -> str:
        answer = manager.post(here, {"act": word, **fields}, page=here)
        return str(answer.headers.get("location", answer.status_code))

    assert act("off").endswith("done=off")
    assert "off since 2025-02-01 12:00: by hand" in manager.get(here).text
    answer = manager.post(here, {"act": "test"}, page=here)
    assert (answer.status_code, "switch it on first" in answer.text) == (409, True)
    assert act("on").endswith("done=on")
    assert act("missed", since="2025-02-01").endswith("done=nothing-missed")
    assert act("change", url="https://hooks.example/b", description="x", events=["free_jobs.low"]).endswith("changed")
    changed = shared.ledger.webhooks.get(endpoint.id)
    assert (changed.url, changed.description, changed.events) == ("https://hooks.example/b", "x", ("free_jobs.low",))
    rotated = manager.post(here, {"act": "rotate", "overlap_hours": "24"}, page=here)
    assert rotated.status_code == 201
    assert len(SECRET.findall(rotated.text)) == 1
    assert "Until 2025-02-02 12:00 UTC the old one signs too" in rotated.text
    assert act("remove") == f"/dashboard{BASE}?done=removed"
    assert shared.ledger.webhooks.list(account) == ()
    assert manager.get(here).status_code == 404


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"url": "http://hooks.example/"}, "The URL must begin with https://"),
        ({"url": "https://169.254.169.254/latest"}, "The URL leads to 169.254.169.254, a link-local address; "),
        ({"url": ""}, "The URL must begin with https:// and a host"),
        ({"url": "https://hooks.example/", "events": "account.created<i>"}, "They must be of: "),
        (
            {"url": "https://hooks.example/", "events": "quarantine.added"},
            "of quarantine.added the provider alone hears",
        ),
        ({"url": "https://hooks.example/", "description": "a\tb"}, "The description "),
    ],
)
def test_what_is_no_endpoint_is_told_beside_its_field_and_kept(
    shared: Service, account: str, fields: dict[str, str], told: str
) -> None:
    manager = signed_in(shared, "manage", account)
    answer = manager.post(BASE, fields, page=BASE)
    assert answer.status_code == 400
    assert told in answer.text
    assert f'value="{fields["url"]}"' in answer.text
    assert shared.ledger.webhooks.list(account) == ()
    made = shared.ledger.webhooks.create("https://hooks.example/", account=account).endpoint
    here = f"{BASE}/{made.id}"
    assert told in manager.post(here, {"act": "change", **fields}, page=here).text
    assert shared.ledger.webhooks.get(made.id) == made


@pytest.mark.parametrize(
    "fields", [{"act": "rotate", "overlap_hours": "-1"}, {"act": "missed", "since": "yesterday"}, {"act": "missed"}]
)
def test_a_wrong_detail_changes_nothing(shared: Service, account: str, fields: dict[str, str]) -> None:
    made = shared.ledger.webhooks.create("https://hooks.example/", account=account).endpoint
    manager, here = signed_in(shared, "manage", account), f"{BASE}/{made.id}"
    answer = manager.post(here, fields, page=here)
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)
    assert shared.ledger.webhooks.get(made.id) == made


def test_the_provider_has_endpoints_of_its_own_and_finds_an_accounts_among_the_accounts_pages(
    shared: Service, account: str
) -> None:
    theirs = shared.ledger.webhooks.create("https://hooks.example/theirs", account=account).endpoint
    provider = signed_in(shared, "admin")
    made = provider.post(
        "/webhooks", {"url": "https://hooks.example/own", "events": "account.created"}, page="/webhooks"
    )
    assert made.status_code == 201
    assert [row[:3] for row in rows(provider, "/webhooks")] == [["https://hooks.example/own", "", "account.created"]]
    (own,) = [each for each in shared.ledger.webhooks.list() if each.account is None]
    assert provider.get(f"/webhooks/{own.id}").status_code == 200
    assert provider.get(f"/webhooks/{theirs.id}").status_code == 404
    assert provider.post(f"/webhooks/{theirs.id}", {"act": "remove"}, page="/webhooks").status_code == 404
    path = f"/accounts/{account}{BASE}"
    assert [row[0] for row in rows(provider, path)] == ["https://hooks.example/theirs"]
    assert provider.get(f"{path}/{theirs.id}").status_code == 200
    removed = provider.post(f"{path}/{theirs.id}", {"act": "remove"}, page=f"{path}/{theirs.id}")
    assert removed.headers["location"] == f"/dashboard{path.replace(' ', '%20')}?done=removed"
    shared.ledger.webhooks.remove(own.id)


def test_nobody_reaches_endpoints_without_managing_them(shared: Service, account: str) -> None:
    made = shared.ledger.webhooks.create("https://hooks.example/secret-path", account=account).endpoint
    here, other = f"{BASE}/{made.id}", shared.account()
    reader, stranger = signed_in(shared, "usage", account), signed_in(shared, "manage", other)
    assert "hooks.example" not in reader.get("/alerts").text
    assert "A manage token, or your provider" in reader.get("/alerts").text
    for visitor, status in ((reader, 403), (stranger, 404)):
        assert visitor.get(here).status_code == status
        # The page of alerts has a form's token for either: signing out, at least.
        for path in (here, f"{here}/ntc_1"):
            assert visitor.post(path, {"act": "remove"}, page="/alerts").status_code == status
    for path in (f"/accounts/{account}{BASE}", "/webhooks", f"/webhooks/{made.id}"):
        assert stranger.get(path).status_code == 403
    assert stranger.client.post(f"/dashboard{BASE}", data={"url": "https://hooks.example/"}).status_code == 403
    assert shared.ledger.webhooks.list(account) == (made,)
    assert shared.ledger.webhooks.list(other) == ()


def test_deliveries_are_shown_by_state_and_page_by_page(
    shared: Service, account: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.web.webhooks.ROWS_PER_PAGE", 2)
    made = shared.ledger.webhooks.create(f"{receiver.url}/ok/pages", account=account).endpoint
    for _ in range(3):
        shared.ledger.webhooks.test(made.id)
    assert within(
        30,
        lambda: len(shared.ledger.webhooks.deliveries(made.id, state=DeliveryState.DELIVERED).deliveries) == 3,
    )
    manager, here = signed_in(shared, "manage", account), f"{BASE}/{made.id}"
    page = manager.get(here, state="delivered").text
    first = [row[0].text for row in tables(page)["deliveries"][1:]]
    older = re.search(r'href="/dashboard([^"]*cursor=[^"]*)"', page)
    assert older is not None
    second = [row[0] for row in rows(manager, older[1].replace("&amp;", "&"), "deliveries")]
    assert (len(first), len(second), len({*first, *second})) == (2, 1, 3)
    assert "Nothing failed." in manager.get(here, state="failed").text
    assert manager.get(here, state="nonsense").status_code == 400
    assert manager.get(here, cursor="nonsense").status_code == 400
