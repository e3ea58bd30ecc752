"""The quarantine keeps what is refused, within its bounds, and gives it another try once the cause is gone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import event

from tallystick.errors import InvalidInput
from tallystick.ingest import BodyForm
from tallystick.model.accounts import QuarantinedItem, ReplayResult
from tallystick.model.tokens import make_token
from tests.embedded import Deploy, Deployment, Document, job, plan

TOKEN = make_token(bytes(range(32)))


def video(number: int | str = 1, **fields: Any) -> Document:
    """A job that is refused until the meter exists."""
    return job(number, **{"tokens": {"video": 7}, **fields})


def add_video(deployment: Deployment) -> None:
    deployment.ledger.plans.put(plan("video", meters=[{"id": "video", "price": "1"}]))


def items(deployment: Deployment) -> tuple[QuarantinedItem, ...]:
    return deployment.ledger.quarantine.list(limit=1000).items


def kept(deployment: Deployment) -> list[tuple[str, str | None]]:
    """The code of each item, and the id in it where it can be read."""
    return sorted(((item.code, id_in(item.item)) for item in items(deployment)), key=str)


def id_in(text: str) -> str | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document.get("id") if isinstance(document, dict) else None


# Keeping


def test_an_item_is_kept_with_its_reason_and_when_it_came(deployment: Deployment) -> None:
    result = deployment.ledger.record([video()])
    (item,) = items(deployment)
    assert (item.code, item.detail) == ("unknown_meter", result.rejected[0].detail)
    assert json.loads(item.item) == video()
    assert (item.first_seen_at, item.last_seen_at, item.times) == ("2025-06-15T12:00:00Z", "2025-06-15T12:00:00Z", 1)


def test_a_repeat_is_counted_and_not_kept_twice(deployment: Deployment) -> None:
    deployment.ledger.record([video(), video()])
    deployment.set_clock("2025-06-16T00:00:00Z")
    deployment.ledger.record([video()])
    (item,) = items(deployment)
    assert (item.first_seen_at, item.last_seen_at, item.times) == ("2025-06-15T12:00:00Z", "2025-06-16T00:00:00Z", 3)
    assert deployment.ledger.quarantine.list().total == 1


def test_what_a_request_costs_everybody_else_does_not_grow_with_its_mistakes(deployment: Deployment) -> None:
    """One commit at a time: what one request takes in it, all others wait for."""
    statements: list[str] = []
    event.listen(deployment.ledger._store._engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    deployment.ledger.record([video(number) for number in range(1, 11)])
    few = len(statements)
    deployment.ledger.record([video(number) for number in range(11, 1011)])
    assert deployment.ledger.quarantine.list().total == 1010
    assert len(statements) - few < few + 10


def test_the_same_item_refused_for_another_reason_is_another(deployment: Deployment) -> None:
    ahead = job(completed_at="2025-06-16T00:00:00Z")
    deployment.ledger.record([ahead])
    deployment.ledger.record([job()])
    deployment.set_clock("2025-06-17T00:00:00Z")
    deployment.ledger.record([ahead])
    assert kept(deployment) == [("conflict", "job_000001"), ("future", "job_000001")]


def test_items_are_listed_oldest_first_page_by_page(deployment: Deployment) -> None:
    for number in range(7):
        deployment.ledger.record([video(number)])
    seen: list[str | None] = []
    cursor = None
    pages = 0
    while True:
        page = deployment.ledger.quarantine.list(cursor=cursor, limit=3)
        assert (page.total, page.dropped) == (7, 0)
        seen += [id_in(item.item) for item in page.items]
        pages += 1
        assert pages < 10
        cursor = page.next_cursor
        if cursor is None:
            break
    assert (pages, seen) == (3, [f"job_{number:06d}" for number in range(7)])


def test_a_page_that_is_just_full_is_the_last(deployment: Deployment) -> None:
    deployment.ledger.record([video(number) for number in range(3)])
    assert deployment.ledger.quarantine.list(limit=3).next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", " 1", "٣", "9" * 19, "1e3"])
def test_a_cursor_that_is_none_is_refused(deployment: Deployment, cursor: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        deployment.ledger.quarantine.list(cursor=cursor)
    assert caught.value.code == "invalid_cursor"
    assert caught.value.errors[0].parameter == "cursor"


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_out_of_bounds_is_refused(deployment: Deployment, limit: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        deployment.ledger.quarantine.list(limit=limit)
    assert caught.value.errors[0].parameter == "limit"


# Bounds


def test_no_more_items_are_kept_than_the_bound_and_the_oldest_fall(deploy: Deploy) -> None:
    deployment = deploy(quarantine_items=3)
    for number in range(5):
        deployment.now += 1_000_000
        deployment.ledger.record([video(number)])
    page = deployment.ledger.quarantine.list()
    assert [id_in(item.item) for item in page.items] == ["job_000002", "job_000003", "job_000004"]
    assert (page.total, page.dropped) == (3, 2)
    deployment.ledger.record([video(number) for number in range(10, 20)])
    page = deployment.ledger.quarantine.list()
    assert (page.total, page.dropped) == (3, 12)


def test_an_item_seen_again_is_not_old(deploy: Deploy) -> None:
    deployment = deploy(quarantine_items=2)
    for number in (1, 2, 1, 3):
        deployment.now += 1_000_000
        deployment.ledger.record([video(number)])
    assert kept(deployment) == [("unknown_meter", "job_000001"), ("unknown_meter", "job_000003")]


def test_no_more_bytes_are_kept_than_the_bound(deploy: Deploy) -> None:
    size = len(json.dumps(video("é" * 100), separators=(",", ":"), ensure_ascii=False).encode())
    deployment = deploy(quarantine_bytes=3 * size)
    for letter in "éäöüß":
        deployment.now += 1_000_000
        deployment.ledger.record([video(letter * 100)])
    page = deployment.ledger.quarantine.list()
    assert [id_in(item.item) for item in page.items] == ["ö" * 100, "ü" * 100, "ß" * 100]
    assert page.dropped == 2


def test_an_item_larger_than_the_bound_is_dropped_and_told(deploy: Deploy) -> None:
    deployment = deploy(quarantine_bytes=10)
    assert len(deployment.ledger.record([video()]).rejected) == 1
    page = deployment.ledger.quarantine.list()
    assert (page.items, page.total, page.dropped) == ((), 0, 1)


def test_a_quarantine_of_no_items_drops_all_and_says_so(deploy: Deploy) -> None:
    deployment = deploy(quarantine_items=0)
    deployment.ledger.record([video(number) for number in range(5)])
    page = deployment.ledger.quarantine.list()
    assert (page.items, page.dropped) == ((), 5)


def test_items_not_seen_for_long_fall_by_age(deploy: Deploy) -> None:
    deployment = deploy(quarantine_days=2)
    deployment.ledger.record([video("old"), video("again")])
    deployment.set_clock("2025-06-17T11:59:59Z")
    deployment.ledger.record([video("again")])
    assert deployment.ledger.quarantine.list().dropped == 0
    deployment.set_clock("2025-06-17T12:00:00.000001Z")
    deployment.ledger.record([video("new")])
    assert kept(deployment) == [("unknown_meter", "again"), ("unknown_meter", "new")]
    assert deployment.ledger.quarantine.list().dropped == 1


def test_good_jobs_are_stored_whatever_happens_to_the_quarantine(deploy: Deploy) -> None:
    deployment = deploy(quarantine_items=1)
    result = deployment.ledger.record([video(1), job(2), video(3), job(4), video(5)])
    assert (result.accepted, len(result.rejected)) == (2, 3)
    assert deployment.ledger.usage("acme").totals.jobs == 2


# Replay


def test_once_the_meter_exists_a_replay_stores_the_job_and_empties_the_quarantine(deployment: Deployment) -> None:
    deployment.ledger.record([video(1), video(2), job(3)])
    assert deployment.ledger.quarantine.replay() == ReplayResult(replayed=0, remaining=2)
    add_video(deployment)
    assert deployment.ledger.quarantine.replay() == ReplayResult(replayed=2, remaining=0)
    assert deployment.ledger.quarantine.list().total == 0
    totals = deployment.ledger.usage("acme").totals
    assert (totals.jobs, totals.video_tokens) == (3, 14)


def test_what_was_ahead_of_the_clock_is_stored_later(deployment: Deployment) -> None:
    deployment.ledger.record([job(completed_at="2025-06-20T00:00:00Z")])
    assert deployment.ledger.quarantine.replay() == ReplayResult(replayed=0, remaining=1)
    deployment.set_clock("2025-06-20T00:00:00Z")
    assert deployment.ledger.quarantine.replay() == ReplayResult(replayed=1, remaining=0)


def test_unknown_accounts_and_keys_are_stored_once_they_exist(deploy: Deploy) -> None:
    deployment = deploy(register=False)
    deployment.ledger.record([job(1), job(2, api_key="other key")])
    deployment.ledger.accounts.create("acme")
    deployment.ledger.accounts.create_key("acme", "first key")
    assert deployment.ledger.quarantine.replay() == ReplayResult(replayed=1, remaining=1)
    deployment.ledger.accounts.create_key("acme", "other key")
    assert deployment.ledger.quarantine.replay() == ReplayResult(replayed=1, remaining=0)
    assert deployment.ledger.usage("acme").totals.jobs == 2


def test_only_those_that_are_named_are_tried(deployment: Deployment) -> None:
    deployment.ledger.record([video(number) for number in range(4)])
    add_video(deployment)
    chosen = [item.id for item in items(deployment)][1:3]
    assert deployment.ledger.quarantine.replay([*chosen, 10**12]) == ReplayResult(replayed=2, remaining=0)
    assert not set(chosen) & {item.id for item in items(deployment)}
    assert deployment.ledger.quarantine.list().total == 2
    assert deployment.ledger.quarantine.replay([]) == ReplayResult(replayed=0, remaining=0)


def test_a_job_that_has_been_stored_meanwhile_leaves_the_quarantine(deployment: Deployment) -> None:
    deployment.ledger.record([video()])
    add_video(deployment)
    deployment.ledger.record([video()])
    assert deployment.ledger.quarantine.replay() == ReplayResult(replayed=1, remaining=0)
    assert deployment.ledger.usage("acme").totals.jobs == 1


def test_of_two_kept_items_with_one_id_one_is_stored_and_the_other_stays_with_its_new_reason(
    deployment: Deployment,
) -> None:
    deployment.ledger.record([video(1)])
    deployment.ledger.record([video(1, tokens={"video": 8})])
    add_video(deployment)
    assert deployment.ledger.quarantine.replay() == ReplayResult(replayed=1, remaining=1)
    assert kept(deployment) == [("conflict", "job_000001")]
    assert deployment.ledger.usage("acme").totals.jobs == 1


def test_what_is_refused_again_stays_once_however_often_it_is_tried(deployment: Deployment) -> None:
    """Also what is refused for a new reason, and texts of several lines, which must not fall apart."""
    spread = json.dumps([job(1, tokens={"transcription": -1}), {"a": 1, "hidden": job(9)}, job("")], indent=1)
    deployment.ledger.record_body(spread.encode())
    deployment.ledger.record_body(b'{"broken\n{"id": "\xff"}\n{"id": "a\x00"}\nnull', BodyForm.LINES)
    deployment.ledger.record([video(2), job(3, sandbox=True, completed_at="2026-01-01T00:00:00Z"), {"id": object()}])
    before = {(item.code, item.item) for item in items(deployment)}
    assert len(before) == 10
    for _ in range(3):
        assert deployment.ledger.quarantine.replay() == ReplayResult(replayed=0, remaining=10)
        assert {(item.code, item.item) for item in items(deployment)} == before
    assert deployment.count("job") == 0
    deployment.ledger.record([job(3)])
    deployment.set_clock("2026-02-01T00:00:00Z")
    assert deployment.ledger.quarantine.replay() == ReplayResult(replayed=0, remaining=10)
    assert ("key_kind", "job_000003") in kept(deployment)
    assert ("future", "job_000003") not in kept(deployment)
    assert len(items(deployment)) == 10


def test_an_item_with_a_secret_struck_out_is_never_tried(deployment: Deployment) -> None:
    """What was sent is not there any more."""
    deployment.ledger.record([job(account=TOKEN), job(2, tokens={TOKEN: 1}), job(3, **{TOKEN: 1})])
    assert [item.code for item in items(deployment)].count("secret") == 2
    assert deployment.ledger.quarantine.replay() == ReplayResult(replayed=0, remaining=3)
    assert deployment.ledger.quarantine.list().total == 3
    assert (deployment.count("job"), deployment.count("account")) == (0, 0)


def test_a_replay_of_many_tries_each_once(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new reason makes a new item behind the last; a replay that followed them would never end."""
    monkeypatch.setattr("tallystick.ledger.quarantine._AT_ONCE", 4)
    deployment.ledger.record([job(number, completed_at="2025-06-20T00:00:00Z") for number in range(10)])
    deployment.ledger.record([job(number) for number in range(5)])
    deployment.set_clock("2025-06-21T00:00:00Z")
    assert deployment.ledger.quarantine.replay() == ReplayResult(replayed=5, remaining=5)
    assert kept(deployment) == [("conflict", f"job_{number:06d}") for number in range(5)]
    assert {item.times for item in items(deployment)} == {1}


def test_a_replay_keeps_the_rest_of_the_ledger_right(deployment: Deployment) -> None:
    early = [video(number, completed_at="2025-01-01T00:00:00Z") for number in range(120)]
    deployment.ledger.record([*early, *(job(f"later {number}") for number in range(120))])
    assert deployment.ledger.usage("acme", "2025-01", "2025-06").totals.free_jobs_left == 0
    add_video(deployment)
    assert deployment.ledger.quarantine.replay().replayed == 120
    months = {month.month: month for month in deployment.ledger.usage("acme", "2025-01", "2025-06").monthly_breakdown}
    assert (months["2025-01"].jobs, months["2025-06"].jobs) == (120, 120)
    ranks = [entry.id for entry in deployment.ledger.jobs("acme", "2025-01", "2025-01", limit=1000).jobs]
    assert len(ranks) == 120
