"""Accounts and API keys: registered, listed, changed; and what a new time zone does to what is stored."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tallystick.errors import Conflict, InvalidInput, NotFound, TallystickError
from tallystick.ledger import Ledger
from tallystick.model.accounts import Account, ApiKey, AssignedPlan, KeyKind
from tallystick.model.tokens import make_token
from tallystick.settings import Settings
from tests.databases import Databases
from tests.embedded import TABLES, Deploy, Deployment, Document, job, plan

TOKEN = make_token(bytes(32))


def places(error: TallystickError) -> list[str]:
    assert isinstance(error, InvalidInput)
    return [field.parameter for field in error.errors]


# Accounts


def test_an_account_is_created_with_the_defaults_of_the_deployment(deploy: Deploy) -> None:
    deployment = deploy(default_time_zone="Pacific/Chatham")
    created = deployment.ledger.accounts.create("acme")
    assert created == Account(
        name="acme",
        time_zone="Pacific/Chatham",
        plan="standard",
        currency="USD",
        created_at="2025-06-15T12:00:00Z",
        plans=(AssignedPlan(plan="standard", plan_from=None),),
    )
    assert deployment.ledger.accounts.get("acme") == created


def test_an_account_is_created_with_a_zone_and_a_plan(deployment: Deployment) -> None:
    deployment.ledger.plans.put(plan("euro", currency="EUR"))
    created = deployment.ledger.accounts.create("acmé GmbH", time_zone="Europe/Berlin", plan="euro")
    assert (created.time_zone, created.plan, created.currency) == ("Europe/Berlin", "euro", "EUR")


def test_a_name_is_taken_once(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("acme", time_zone="Europe/Berlin")
    with pytest.raises(Conflict) as caught:
        deployment.ledger.accounts.create("acme")
    assert caught.value.code == "account_exists"
    assert deployment.ledger.accounts.get("acme").time_zone == "Europe/Berlin"
    deployment.ledger.record([job(account="other")])
    with pytest.raises(Conflict):
        deployment.ledger.accounts.create("other")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "invalid"),
        (" acme", "invalid"),
        ("a" * 201, "invalid"),
        ("a\nb", "invalid"),
        ("a\0b", "invalid"),
        ("cafe\u0301", "invalid"),
        ("\ud800", "invalid"),
        (TOKEN, "secret"),
    ],
)
def test_a_name_that_is_none_is_refused_and_nothing_stored(deployment: Deployment, name: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        deployment.ledger.accounts.create(name)
    assert (caught.value.code, places(caught.value)) == (code, ["name"])
    assert TOKEN[6:20] not in str(caught.value)
    deployment.ledger.accounts.create("acme")
    with pytest.raises(InvalidInput) as caught:
        deployment.ledger.accounts.create_key("acme", name)
    assert (caught.value.code, places(caught.value)) == (code, ["name"])
    assert (deployment.count("account"), deployment.count("api_key")) == (1, 0)


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "europe/berlin", "UTC+2", "../etc/passwd", "/etc/localtime", "\0"]
)
def test_a_zone_that_is_none_is_refused(deployment: Deployment, zone: str) -> None:
    deployment.ledger.accounts.create("acme")
    refusing: list[Callable[[], object]] = [
        lambda: deployment.ledger.accounts.change("acme", time_zone=zone),
        lambda: deployment.ledger.accounts.create("other", time_zone=zone),
    ]
    for refuse in refusing:
        with pytest.raises(InvalidInput) as caught:
            refuse()
        assert (caught.value.code, places(caught.value)) == ("unknown_time_zone", ["time_zone"])
    assert deployment.count("account") == 1
    assert deployment.ledger.accounts.get("acme").time_zone == "UTC"


def test_a_plan_that_does_not_exist_is_not_found_and_nothing_stored(deployment: Deployment) -> None:
    for name in ("gold", "", "STANDARD", "\0"):
        with pytest.raises(NotFound) as caught:
            deployment.ledger.accounts.create("acme", plan=name)
        assert caught.value.code == "unknown_plan"
    assert deployment.count("account") == 0
    deployment.ledger.accounts.create("acme")
    with pytest.raises(NotFound) as caught:
        deployment.ledger.accounts.change("acme", plan="gold", time_zone="Asia/Tokyo")
    assert caught.value.code == "unknown_plan"
    assert deployment.ledger.accounts.get("acme").time_zone == "UTC"


@pytest.mark.parametrize("name", ["nobody", "", "ACME", "a\0b", "\ud800"])
def test_an_account_that_does_not_exist_is_not_found_by_any_call(deployment: Deployment, name: str) -> None:
    deployment.ledger.accounts.create("acme")
    ledger = deployment.ledger
    calls: list[Callable[[], object]] = [
        lambda: ledger.accounts.get(name),
        lambda: ledger.accounts.change(name, time_zone="Asia/Tokyo"),
        lambda: ledger.accounts.create_key(name, "key"),
        lambda: ledger.accounts.keys(name),
        lambda: ledger.accounts.revoke_key(name, "key"),
        lambda: ledger.usage(name),
        lambda: ledger.usage(name, "2025-01", "2025-03"),
        lambda: ledger.daily(name),
        lambda: ledger.jobs(name),
        lambda: ledger.tokens.create("usage", account=name),
    ]
    for call in calls:
        with pytest.raises(NotFound) as caught:
            call()
        assert caught.value.code == "unknown_account"


def test_accounts_are_listed_in_the_order_of_their_names_bytes_page_by_page(deployment: Deployment) -> None:
    names = ["b", "B", "é", "z", "a b", "日本", "a", "ab"]
    for name in names:
        deployment.ledger.accounts.create(name)
    assert [account.name for account in deployment.ledger.accounts.list().accounts] == sorted(names, key=str.encode)
    seen: list[str] = []
    cursor = None
    while True:
        page = deployment.ledger.accounts.list(cursor=cursor, limit=3)
        seen += [account.name for account in page.accounts]
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.accounts) == 3
        assert len(seen) < len(names)
    assert seen == sorted(names, key=str.encode)
    assert deployment.ledger.accounts.list(limit=len(names)).next_cursor is None


def test_a_listing_of_no_accounts_is_empty(deployment: Deployment) -> None:
    page = deployment.ledger.accounts.list()
    assert (page.accounts, page.next_cursor) == ((), None)
    assert deployment.ledger.accounts.list(cursor="zzz").accounts == ()


@pytest.mark.parametrize("limit", [0, -5, 1001])
def test_a_limit_out_of_bounds_is_refused(deployment: Deployment, limit: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        deployment.ledger.accounts.list(limit=limit)
    assert (caught.value.code, places(caught.value)) == ("invalid_parameter", ["limit"])


@pytest.mark.parametrize("cursor", ["\0", "\ud800"])
def test_a_cursor_that_no_listing_gave_is_refused(deployment: Deployment, cursor: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        deployment.ledger.accounts.list(cursor=cursor)
    assert (caught.value.code, places(caught.value)) == ("invalid_cursor", ["cursor"])


# Changes


def test_a_change_of_nothing_changes_nothing(deployment: Deployment) -> None:
    """It is noted all the same that somebody asked for it."""
    deployment.ledger.accounts.create("acme", time_zone="Asia/Tokyo")
    others = [table for table in TABLES if table != "audit_event"]
    before = deployment.contents(*others)
    assert deployment.ledger.accounts.change("acme").time_zone == "Asia/Tokyo"
    assert deployment.ledger.accounts.change("acme", time_zone="Asia/Tokyo").time_zone == "Asia/Tokyo"
    assert deployment.contents(*others) == before


def test_another_plan_holds_from_the_current_month_of_the_accounts_zone_unless_one_is_named(deploy: Deploy) -> None:
    deployment = deploy(now="2025-06-30T20:00:00Z")
    deployment.ledger.plans.put(plan("dear"))
    for name, zone in (("west", "America/New_York"), ("east", "Asia/Tokyo")):
        deployment.ledger.accounts.create(name, time_zone=zone)
        deployment.ledger.record([job(1, account=name, completed_at="2025-06-30T12:00:00Z")])
        assert deployment.ledger.accounts.change(name, plan="dear").plan == "dear"
    # In Tokyo it is July already, so June keeps its plan and its free jobs.
    assert deployment.ledger.usage("west", "2025-06", "2025-06").totals.base_cost == 25
    assert deployment.ledger.usage("east", "2025-06", "2025-06").totals.base_cost == 0


def test_a_plan_may_begin_later_and_is_then_not_yet_the_accounts_plan(deployment: Deployment) -> None:
    deployment.ledger.plans.put(plan("dear"))
    deployment.ledger.accounts.create("acme")
    assert deployment.ledger.accounts.change("acme", plan="dear", plan_from="2025-07").plan == "standard"
    deployment.ledger.record([job(1)])
    deployment.set_clock("2025-07-02T00:00:00Z")
    deployment.ledger.record([job(2, completed_at="2025-07-01T00:00:00Z")])
    assert deployment.ledger.accounts.get("acme").plan == "dear"
    months = deployment.ledger.usage("acme", "2025-06", "2025-07").monthly_breakdown
    assert [month.base_cost for month in months] == [0, 25]
    assert [list(month.tiers) for month in months] == [["tier1", "tier2", "tier3", "tier4"], ["tier1"]]


def test_a_second_plan_for_the_same_month_takes_the_firsts_place(deployment: Deployment) -> None:
    deployment.ledger.plans.put(plan("dear"))
    deployment.ledger.accounts.create("acme")
    deployment.ledger.accounts.change("acme", plan="dear", plan_from="2025-06")
    assert deployment.ledger.accounts.change("acme", plan="standard", plan_from="2025-06").plan == "standard"
    assert deployment.count("account_plan") == 2


def test_the_currency_of_an_account_is_fixed(deployment: Deployment) -> None:
    deployment.ledger.plans.put(plan("euro", currency="EUR"))
    deployment.ledger.accounts.create("acme")
    with pytest.raises(Conflict) as caught:
        deployment.ledger.accounts.change("acme", plan="euro")
    assert caught.value.code == "currency_fixed"
    assert deployment.ledger.accounts.get("acme").plan == "standard"


@pytest.mark.parametrize("month", ["2025-13", "2025-1", "x", "", "2025-06-01"])
def test_a_month_that_is_none_is_refused(deployment: Deployment, month: str) -> None:
    deployment.ledger.accounts.create("acme")
    with pytest.raises(InvalidInput) as caught:
        deployment.ledger.accounts.change("acme", plan="standard", plan_from=month)
    assert (caught.value.code, places(caught.value)) == ("invalid_month", ["plan_from"])


def test_a_month_without_a_plan_is_refused(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("acme")
    with pytest.raises(InvalidInput) as caught:
        deployment.ledger.accounts.change("acme", plan_from="2025-06")
    assert places(caught.value) == ["plan_from"]


# Time zones


def history() -> list[Document]:
    """Jobs around the edges of days and months of many zones, more than a plan's first boundary has."""
    hours = range(0, 24 * 40, 5)
    return [
        job(
            number,
            api_key=f"key {number % 3}",
            completed_at=f"2025-{4 + hour // 24 // 28:02d}-{1 + hour // 24 % 28:02d}T{hour % 24:02d}:30:00Z",
            tokens={"transcription": number, "note_generation": 1000 - number},
        )
        for number, hour in enumerate(hours)
    ]


ROLLED_UP = ("usage_day", "usage_month")


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati", "Pacific/Chatham"])
def test_after_a_change_of_zone_everything_is_as_in_a_ledger_that_always_had_it(
    databases: Databases, deployment: Deployment, zone: str
) -> None:
    deployment.ledger.record([*history(), job("sandbox", api_key="s", sandbox=True)])
    before = deployment.ledger.usage("acme", "2025-03", "2025-06")
    assert deployment.ledger.accounts.change("acme", time_zone=zone).time_zone == zone
    with databases.fresh() as other_address:
        other = Deployment(other_address, Settings(), "2025-06-15T12:00:00Z")
        other.ledger.accounts.create("acme", time_zone=zone)
        other.ledger.record([*history(), job("sandbox", api_key="s", sandbox=True)])
        assert deployment.contents(*ROLLED_UP) == other.contents(*ROLLED_UP)
        assert deployment.ledger.usage("acme", "2025-03", "2025-06") == other.ledger.usage("acme", "2025-03", "2025-06")
        assert deployment.ledger.daily("acme", "2025-03-31", "2025-06-01") == other.ledger.daily(
            "acme", "2025-03-31", "2025-06-01"
        )
        assert deployment.contents("boundary", "boundary_usage") == other.contents("boundary", "boundary_usage")
        other.ledger.close()
    deployment.ledger.accounts.change("acme", time_zone="UTC")
    assert deployment.ledger.usage("acme", "2025-03", "2025-06") == before


def test_a_change_of_zone_moves_no_rank_and_spoils_no_cursor(deployment: Deployment) -> None:
    deployment.ledger.record(history())
    page = deployment.ledger.jobs("acme", "2025-03", "2025-06", limit=50)
    deployment.ledger.accounts.change("acme", time_zone="Pacific/Kiritimati")
    rest = deployment.ledger.jobs("acme", "2025-03", "2025-06", cursor=page.next_cursor, limit=1000)
    assert [entry.rank for entry in (*page.jobs, *rest.jobs)] == list(range(1, len(history()) + 1))


def test_the_zone_is_fixed_once_a_month_is_closed(deployment: Deployment) -> None:
    deployment.ledger.record([job()])
    deployment.close_month("acme", "2025-05")
    before = deployment.contents()
    with pytest.raises(InvalidInput) as caught:
        deployment.ledger.accounts.change("acme", time_zone="Asia/Tokyo")
    assert (caught.value.code, places(caught.value)) == ("zone_fixed", ["time_zone"])
    assert deployment.contents() == before
    assert deployment.ledger.accounts.change("acme", time_zone="UTC").time_zone == "UTC"


def test_a_change_of_zone_that_fails_leaves_the_old_one_and_its_rollups(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.ledger.record(history())
    before = deployment.contents()

    def fail(*_: object) -> None:
        raise RuntimeError("half way")

    with monkeypatch.context() as patched:
        patched.setattr("tallystick.store.sums.write", fail)
        with pytest.raises(RuntimeError, match="half way"):
            deployment.ledger.accounts.change("acme", time_zone="Asia/Tokyo")
    assert deployment.contents() == before


def test_jobs_that_come_after_a_change_of_zone_are_booked_in_it(deployment: Deployment) -> None:
    deployment.ledger.record([job(1, completed_at="2025-05-31T20:00:00Z")])
    deployment.ledger.accounts.change("acme", time_zone="Asia/Tokyo")
    deployment.ledger.record([job(2, completed_at="2025-05-31T20:00:00Z")])
    months = deployment.ledger.usage("acme", "2025-05", "2025-06").monthly_breakdown
    assert [(month.month, month.jobs) for month in months] == [("2025-05", 0), ("2025-06", 2)]


def test_a_default_zone_that_is_none_is_refused_before_anything_is_opened(database: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Ledger(database, settings=Settings(default_time_zone="Mars"))
    assert caught.value.code == "unknown_time_zone"


# Keys


def test_keys_are_created_listed_and_revoked(deployment: Deployment) -> None:
    keys = deployment.ledger.accounts
    keys.create("acme")
    live = keys.create_key("acme", "web")
    assert live == ApiKey(account="acme", name="web", kind=KeyKind.LIVE, created_at="2025-06-15T12:00:00Z")
    assert keys.create_key("acme", "CI", kind="sandbox").kind is KeyKind.SANDBOX
    deployment.set_clock("2025-06-16T00:00:00Z")
    revoked = keys.revoke_key("acme", "web")
    assert revoked.revoked_at == "2025-06-16T00:00:00Z"
    deployment.set_clock("2025-06-17T00:00:00Z")
    assert keys.revoke_key("acme", "web") == revoked
    assert [(key.name, key.kind, key.revoked_at) for key in keys.keys("acme")] == [
        ("CI", "sandbox", None),
        ("web", "live", "2025-06-16T00:00:00Z"),
    ]


def test_keys_are_listed_in_the_order_of_their_names_bytes(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("acme")
    names = ["b", "B", "é", "z", "a b", "日本", "a"]
    for name in names:
        deployment.ledger.accounts.create_key("acme", name)
    assert [key.name for key in deployment.ledger.accounts.keys("acme")] == sorted(names, key=str.encode)


def test_a_keys_name_is_taken_once_in_an_account_also_by_a_job_or_a_revoked_key(deployment: Deployment) -> None:
    deployment.ledger.record([job()])
    deployment.ledger.accounts.revoke_key("acme", "first key")
    with pytest.raises(Conflict) as caught:
        deployment.ledger.accounts.create_key("acme", "first key")
    assert caught.value.code == "key_exists"
    deployment.ledger.accounts.create("other")
    assert deployment.ledger.accounts.create_key("other", "first key").kind is KeyKind.LIVE


@pytest.mark.parametrize("kind", ["", "LIVE", "test", "live "])
def test_a_kind_that_is_none_is_refused(deployment: Deployment, kind: str) -> None:
    deployment.ledger.accounts.create("acme")
    with pytest.raises(InvalidInput) as caught:
        deployment.ledger.accounts.create_key("acme", "key", kind=kind)
    assert places(caught.value) == ["kind"]
    assert deployment.count("api_key") == 0


@pytest.mark.parametrize("name", ["unknown", "", "a\0b", "\ud800"])
def test_a_key_that_does_not_exist_cannot_be_revoked(deployment: Deployment, name: str) -> None:
    deployment.ledger.accounts.create("acme")
    with pytest.raises(NotFound) as caught:
        deployment.ledger.accounts.revoke_key("acme", name)
    assert caught.value.code == "unknown_key"


def test_keys_created_first_keep_their_kind_when_jobs_come(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("acme")
    deployment.ledger.accounts.create_key("acme", "first key", kind="sandbox")
    result = deployment.ledger.record([job(1), job(2, sandbox=True), job(3, api_key="new")])
    assert (result.accepted, [rejection.code for rejection in result.rejected]) == (2, ["key_kind"])
    assert deployment.rows("SELECT name, id FROM api_key ORDER BY id") == [("first key", 1), ("new", 2)]
