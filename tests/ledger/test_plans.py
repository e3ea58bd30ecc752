"""Price plans: put, versioned, assigned; and meters, which are columns that may be added at any time."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from tallystick.errors import FieldError, InvalidInput, InvalidPlan, NotFound
from tallystick.ledger import Ledger
from tallystick.model.plans import Plan, parse_plan
from tallystick.settings import Settings
from tallystick.store.schema import METERED
from tests.embedded import Deploy, Deployment, job, plan

VIDEO = {"id": "video", "report_as": "video_seconds", "price": "0.6", "per": 60}


def refusal(put: Callable[[], object]) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        put()
    return caught.value


# Plans and their versions


def test_a_new_deployment_has_the_standard_plan_of_the_design(deployment: Deployment) -> None:
    (standard,) = deployment.ledger.plans.list()
    assert (standard.name, standard.currency) == ("standard", "USD")
    (version,) = standard.versions
    assert version.effective_from is None
    assert version.plan == {
        "name": "standard",
        "currency": "USD",
        "free_jobs": 100,
        "free_jobs_reset": "never",
        "reset": "never",
        "meters": [
            {"id": "transcription", "report_as": "transcription_tokens", "price": "0.03", "per": 1000},
            {"id": "note_generation", "report_as": "note_tokens", "price": "0.02", "per": 1000},
        ],
        "tiers": [
            {"after_jobs": 0, "discount": "0.0"},
            {"after_jobs": 1000, "discount": "7.0"},
            {"after_jobs": 3000, "discount": "12.0"},
            {"after_jobs": 5000, "discount": "15.0"},
        ],
    }


def test_a_plan_that_was_put_is_given_back_digit_for_digit(deployment: Deployment) -> None:
    given = plan("präzise", meters=[{"id": "tiny", "price": "0.000000000001", "per": 1}], free_jobs=10**12)
    shown = deployment.ledger.plans.put(given)
    assert parse_plan(shown.versions[0].plan) == given
    assert deployment.ledger.plans.get("präzise") == shown
    assert [each.name for each in deployment.ledger.plans.list()] == ["präzise", "standard"]


@pytest.mark.parametrize("name", ["gold", "", "STANDARD", "a\0b", "\ud800"])
def test_a_plan_that_does_not_exist_is_not_found(deployment: Deployment, name: str) -> None:
    with pytest.raises(NotFound) as caught:
        deployment.ledger.plans.get(name)
    assert caught.value.code == "unknown_plan"


def test_versions_are_shown_the_earliest_first_and_each_holds_from_its_month(deployment: Deployment) -> None:
    plans = deployment.ledger.plans
    one = [{"id": "transcription", "report_as": "transcription_tokens", "price": "1"}]
    plans.put(plan("p", meters=one))
    for month, price in (("2025-05", "5"), ("2025-03", "3")):
        plans.put(plan("p", meters=[{**one[0], "price": price}]), effective_from=month)
    assert [version.effective_from for version in plans.get("p").versions] == [None, "2025-03", "2025-05"]
    deployment.ledger.accounts.create("acme", plan="p")
    tokens = {"transcription": 1}
    deployment.ledger.record(
        [job(month, tokens=tokens, completed_at=f"2025-{month:02d}-01T00:00:00Z") for month in range(1, 7)]
    )
    months = deployment.ledger.usage("acme", "2025-01", "2025-06").monthly_breakdown
    assert [month.base_cost for month in months] == [1, 1, 3, 3, 5, 5]


def test_a_version_for_the_same_month_takes_the_firsts_place(deployment: Deployment) -> None:
    deployment.ledger.plans.put(plan("p", free_jobs=1), effective_from="2025-05")
    deployment.ledger.plans.put(plan("p", free_jobs=2), effective_from="2025-05")
    (version,) = deployment.ledger.plans.get("p").versions
    assert (version.effective_from, version.plan["free_jobs"]) == ("2025-05", 2)


def test_a_first_version_with_a_month_holds_before_it_too(deployment: Deployment) -> None:
    deployment.ledger.plans.put(plan("p"), effective_from="2025-06")
    deployment.ledger.accounts.create("acme", plan="p")
    deployment.ledger.record([job(1, completed_at="2025-01-01T00:00:00Z")])
    assert deployment.ledger.usage("acme", "2025-01", "2025-01").totals.base_cost == 25


def test_a_further_version_needs_its_month(deployment: Deployment) -> None:
    before = deployment.contents("plan", "plan_version")
    error = refusal(lambda: deployment.ledger.plans.put(plan("standard")))
    assert [field.parameter for field in error.errors] == ["effective_from"]
    assert deployment.contents("plan", "plan_version") == before


@pytest.mark.parametrize("month", ["2025-13", "2025-1", "0000-01", "x", ""])
def test_a_month_that_is_none_is_refused(deployment: Deployment, month: str) -> None:
    error = refusal(lambda: deployment.ledger.plans.put(plan("p"), effective_from=month))
    assert (error.code, error.errors[0].parameter) == ("invalid_month", "effective_from")
    assert deployment.count("plan") == 1


def test_a_plan_keeps_its_currency(deployment: Deployment) -> None:
    error = refusal(lambda: deployment.ledger.plans.put(plan("standard", currency="EUR"), effective_from="2025-07"))
    assert isinstance(error, InvalidPlan)
    assert error.errors == (
        FieldError("is USD in the plan's other versions, and accounts keep their currency", key="currency"),
    )
    assert len(deployment.ledger.plans.get("standard").versions) == 1


def test_a_plan_built_by_hand_is_checked_like_a_document(deployment: Deployment) -> None:
    """Its meters become columns, so nothing unchecked may reach the store."""
    evil = msgspec.structs.replace(
        plan("p"), meters=(msgspec.structs.replace(plan("p").meters[0], id='x" TEXT; DROP TABLE job; --'),)
    )
    error = refusal(lambda: deployment.ledger.plans.put(evil))
    assert "meters[0].id" in [field.key for field in error.errors]
    endless = Plan(
        "p", "USD", 0, (msgspec.structs.replace(plan("p").meters[0], price=Decimal(1), per=3),), plan("p").tiers
    )
    assert refusal(lambda: deployment.ledger.plans.put(endless)).errors[0].key == "meters[0].price"
    assert (deployment.count("plan"), deployment.count("job")) == (1, 0)


def test_a_default_plan_that_does_not_exist_is_refused_at_the_start(deploy: Deploy, database: str) -> None:
    with pytest.raises(NotFound) as caught:
        Ledger(database, settings=Settings(default_plan="gold"))
    assert caught.value.code == "unknown_plan"
    deploy().ledger.plans.put(plan("gold", currency="EUR"))
    with Ledger(database, settings=Settings(default_plan="gold")) as ledger:
        ledger.record([job()])
        assert (ledger.accounts.get("acme").plan, ledger.accounts.get("acme").currency) == ("gold", "EUR")


def test_a_changed_standard_plan_is_not_put_back_at_the_next_start(deploy: Deploy) -> None:
    deploy().ledger.plans.put(plan("standard", free_jobs=7), effective_from="2025-01")
    assert deploy().ledger.plans.get("standard").versions[1].plan["free_jobs"] == 7


# Meters


def columns(deployment: Deployment, table: str) -> set[str]:
    if deployment.is_sqlite:
        return {row[1] for row in deployment.rows(f"SELECT * FROM pragma_table_info('{table}')")}
    found = deployment.rows("SELECT column_name FROM information_schema.columns WHERE table_name = ?", table)
    return {name for (name,) in found}


def history() -> list[dict[str, object]]:
    return [
        job(number, api_key=f"key {number % 2}", completed_at=f"2025-05-{1 + number % 28:02d}T00:00:00Z")
        for number in range(148)
    ]


def test_a_new_meter_adds_a_column_to_each_metered_table_and_loses_nothing(deployment: Deployment) -> None:
    deployment.ledger.record(history())
    report = deployment.ledger.usage("acme", "2025-05", "2025-05").to_dict()
    counts = {table: deployment.count(table) for table in METERED}
    assert all(counts.values())
    deployment.ledger.plans.put(plan("video", meters=[VIDEO]))
    for table in METERED:
        assert "tokens_video" in columns(deployment, table)
        assert deployment.count(table) == counts[table]
        assert deployment.value(f"SELECT SUM(tokens_video) FROM {table}") == 0
    after = deployment.ledger.usage("acme", "2025-05", "2025-05").to_dict()
    assert after["totals"].pop("video_seconds") == 0
    assert after["monthly_breakdown"][0].pop("video_seconds") == 0
    assert [key["tokens"].pop("video") for key in after["api_keys"].values()] == [0, 0]
    assert after == report


def test_boundaries_kept_before_a_meter_was_added_are_right_after_it(deployment: Deployment) -> None:
    deployment.ledger.record(history())
    deployment.ledger.usage("acme", "2025-05", "2025-05")
    kept = deployment.rows("SELECT rank, day, booked_at, job_id FROM boundary")
    assert [row[0] for row in kept] == [100]
    deployment.ledger.plans.put(plan("video", meters=[VIDEO]))
    deployment.ledger.record([job(f"later {number}", tokens={"video": 60}) for number in range(5)])
    report = deployment.ledger.usage("acme", "2025-05", "2025-06")
    assert deployment.rows("SELECT rank, day, booked_at, job_id FROM boundary") == kept
    deployment.rows("DELETE FROM boundary_usage")
    deployment.rows("DELETE FROM boundary")
    assert deployment.ledger.usage("acme", "2025-05", "2025-06") == report
    assert report.totals.tokens["video_seconds"] == 300
    june = report.monthly_breakdown[1]
    assert june.jobs == 5
    assert june.base_cost == 0  # the standard plan lacks the meter and prices it 0


def test_new_jobs_may_carry_a_meter_as_soon_as_a_plan_has_it(deployment: Deployment) -> None:
    assert deployment.ledger.record([job(tokens={"video": 1})]).rejected[0].code == "unknown_meter"
    deployment.ledger.plans.put(plan("video", meters=[VIDEO]))
    assert deployment.ledger.record([job(tokens={"video": 1})]).accepted == 1


def test_meters_come_in_the_order_in_which_they_were_added_and_to_every_account(deployment: Deployment) -> None:
    deployment.ledger.plans.put(plan("b", meters=[{"id": "zebra", "price": "1"}, {"id": "ant", "price": "1"}]))
    deployment.ledger.plans.put(plan("a", meters=[{"id": "bee", "price": "1"}, {"id": "zebra", "price": "2"}]))
    deployment.ledger.record([job()])
    report = deployment.ledger.usage("acme")
    assert list(report.totals.tokens) == [
        "transcription_tokens",
        "note_tokens",
        "zebra_tokens",
        "ant_tokens",
        "bee_tokens",
    ]
    assert list(report.api_keys["first key"].tokens) == ["transcription", "note_generation", "zebra", "ant", "bee"]


def test_a_meter_keeps_the_field_under_which_it_was_reported_first(deployment: Deployment) -> None:
    other = [{"id": "note_generation", "report_as": "notes", "price": "1"}]
    error = refusal(lambda: deployment.ledger.plans.put(plan("other", meters=other)))
    assert isinstance(error, InvalidPlan)
    assert error.errors == (
        FieldError(
            "the meter note_generation is reported as note_tokens in this deployment, and stays so",
            key="meters[0].report_as",
        ),
    )
    assert deployment.count("plan") == 1


def test_a_field_of_the_report_belongs_to_one_meter(deployment: Deployment) -> None:
    taken = [VIDEO, {"id": "notes", "report_as": "note_tokens", "price": "1"}]
    before = {table: columns(deployment, table) for table in METERED}
    error = refusal(lambda: deployment.ledger.plans.put(plan("other", meters=taken)))
    assert error.errors[0].key == "meters[1].report_as"
    assert error.errors[0].detail == "note_tokens is the field of the meter note_generation in this deployment"
    assert (deployment.count("plan"), deployment.count("meter")) == (1, 2)
    # The first of the two meters was sound, and its columns are not left behind either.
    assert {table: columns(deployment, table) for table in METERED} == before


def test_another_ledger_on_the_database_knows_a_new_meter_at_once(deploy: Deploy) -> None:
    first, second = deploy(), deploy()
    second.ledger.record([job()])
    first.ledger.plans.put(plan("video", meters=[VIDEO]))
    assert second.ledger.record([job(2, tokens={"video": 60})]).accepted == 1
    assert second.ledger.usage("acme").totals.tokens["video_seconds"] == 60


def test_a_meter_may_have_a_name_that_sql_reserves(deployment: Deployment) -> None:
    names = ["select", "table", "order", "group", "user", "jobs", "id", "x" * 40]
    deployment.ledger.plans.put(plan("p", meters=[{"id": name, "price": "1"} for name in names[:5]]))
    deployment.ledger.plans.put(plan("q", meters=[{"id": name, "price": "1"} for name in names[5:]]))
    assert deployment.ledger.record([job(tokens=dict.fromkeys(names, 3))]).accepted == 1
    tokens = deployment.ledger.usage("acme").api_keys["first key"].tokens
    assert {name: tokens[name] for name in names} == dict.fromkeys(names, 3)


def test_the_stored_document_of_a_plan_is_the_plan(deployment: Deployment) -> None:
    given = plan("ünïcode")
    deployment.ledger.plans.put(given)
    stored = deployment.value(
        "SELECT document FROM plan_version JOIN plan ON plan.id = plan_id WHERE name = ?", "ünïcode"
    )
    assert parse_plan(json.loads(stored)) == given
