"""Every forgery is named: whoever changes the ledger, a statement, the chain or the key, and signs again or not."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.ledger.signing import Signer
from tallystick.model.plans import BEGINNING
from tallystick.model.signatures import encode_bytes, succession
from tallystick.store import plans
from tallystick.store.database import Store
from tallystick.verify.trust import TrustedFile
from tests.databases import SqliteDatabases
from tests.embedded import Deployment, plan
from tests.verify.forging import ACCOUNT, MONTHS, Customer, Line, forged, new_deployment, serving, tiered

NDJSON = {"content-type": "application/x-ndjson", "tallystick-currency": "USD"}
FEBRUARY, MARCH = MONTHS[1], MONTHS[2]

Document = dict[str, Any]


def live(lines: list[Line]) -> list[Line]:
    return [line for line in lines if "rank" in line]


def renumbered(lines: list[Line]) -> list[Line]:
    """The lines with ranks that follow each other, as if nothing had happened."""
    first = min(line["rank"] for line in live(lines))
    ranks = iter(range(first, first + len(lines)))
    return [{**line, "rank": next(ranks)} if "rank" in line else line for line in lines]


def removed(lines: list[Line]) -> list[Line]:
    return [*lines[:7], *lines[8:]]


def added(lines: list[Line]) -> list[Line]:
    another = {**lines[7], "id": lines[7]["id"] + "!"}
    return [*lines[:8], another, *lines[8:]]


def swapped(lines: list[Line]) -> list[Line]:
    return [*lines[:7], lines[8], lines[7], *lines[9:]]


def altered(**changes: Any) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: [*lines[:7], {**lines[7], **changes}, *lines[8:]]


def last_voided(**changes: Any) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: [*lines[:-1], {**lines[-1], **changes}]


LEDGER: dict[str, tuple[Any, str, str]] = {
    "a job removed": (
        removed,
        "job_removed",
        "job of rank 46 comes that of rank 48; 47 is missing",
    ),
    "a job removed, ranks closed up": (
        lambda lines: renumbered(removed(lines)),
        "job_removed",
        "has 38 live jobs in it, and the statement counts 39 (-1)",
    ),
    "the first job removed": (
        lambda lines: lines[1:],
        "job_removed",
        "; 40 is missing",
    ),
    "the voided job removed": (
        lambda lines: lines[:-1],
        "job_removed",
        "has 0 voided jobs in it, and the statement counts 1 (-1)",
    ),
    "all removed": (
        lambda lines: [],
        "job_removed",
        "has 0 live jobs in it, and the statement counts 39 (-39)",
    ),
    "a job added": (
        added,
        "job_added",
        "behind the job of rank 47 comes another of rank 47",
    ),
    "a job added, ranks moved": (
        lambda lines: renumbered(added(lines)),
        "job_added",
        "has 40 live jobs in it, and the statement counts 39 (+1)",
    ),
    "a voided job added": (
        lambda lines: [*lines, {**lines[-1], "id": "zz"}],
        "job_added",
        "has 2 voided jobs in it, and the statement counts 1 (+1)",
    ),
    "two jobs swapped": (
        swapped,
        "jobs_reordered",
        "behind the job of rank 46 comes that of rank 48",
    ),
    "two jobs swapped, ranks put right": (
        lambda lines: renumbered(swapped(lines)),
        "jobs_reordered",
        "the job 2-08 of 2025-02-05T10:08:00Z comes behind 2-09",
    ),
    "the voided job first": (
        lambda lines: [lines[-1], *lines[:-1]],
        "jobs_reordered",
        "behind voided ones",
    ),
    "tokens altered": (
        altered(tokens={"transcription": 7, "note_generation": 3}),
        "job_altered",
        "key 0.transcription is 380, and comes to 379 (-1)",
    ),
    "the key altered": (
        altered(api_key="key 1"),
        "job_altered",
        "key 0.jobs is 20, and comes to 19 (-1)",
    ),
    "the id altered": (
        altered(id="2-07a"),
        "job_altered",
        "SHA-256 of the ledger's jobs is",
    ),
    "the time altered": (
        altered(completed_at="2025-02-04T10:07:00.000001Z", booked_at="2025-02-04T10:07:00.000001Z"),
        "job_altered",
        "SHA-256",
    ),
    "tokens of another meter": (
        altered(tokens={"pages": 3, "transcription": 9, "note_generation": 6}),
        "job_altered",
        "carries tokens of pages",
    ),
    "the reason altered": (
        last_voided(void_reason="never happened"),
        "job_altered",
        "SHA-256",
    ),
    "the time of the void altered": (
        last_voided(voided_at="2025-03-20T12:00:01Z"),
        "job_altered",
        "SHA-256",
    ),
    "a job of another month": (
        lambda lines: [
            *lines[:38],
            {**lines[38], "completed_at": "2025-03-01T00:00:00Z", "booked_at": "2025-03-01T00:00:00Z"},
            *lines[39:],
        ],
        "job_misplaced",
        "booked at 2025-03-01T00:00:00Z, in another month",
    ),
    "a job called late": (
        altered(completed_at="2025-02-01T00:00:00Z"),
        "job_misplaced",
        "though its month was open",
    ),
    "a time that is none": (
        altered(booked_at="2025-02-04 10:07"),
        "unreadable",
        "cannot be read",
    ),
    "a void without a reason": (
        last_voided(void_reason=None),
        "unreadable",
        "voided without a reason",
    ),
}


@pytest.mark.parametrize(("change", "code", "told"), LEDGER.values(), ids=LEDGER)
def test_a_forged_ledger_is_named(
    customer: Customer, change: Callable[[list[Line]], list[Line]], code: str, told: str
) -> None:
    customer.forge_lines(FEBRUARY, change)
    found = customer.verify(FEBRUARY)
    assert found.difference is not None
    assert (found.holds, found.difference.month, found.difference.code) == (False, FEBRUARY, code), found.difference
    assert told in found.difference.detail
    # What came before it held, and is remembered.
    assert [month.month for month in found.months] == [MONTHS[0]]


def at(path: str, value: Any) -> Callable[[Document], None]:
    """Sets a member of a statement; `value` may be a function of what stands there."""

    def change(document: Document) -> None:
        *places, last = [int(place) if place.isdigit() else place for place in path.split("/")]
        inner: Any = document
        for place in places:
            inner = inner[place]
        inner[last] = value(inner[last]) if callable(value) else value

    return change


def without(path: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        del document[path]

    return change


STATEMENT: dict[str, tuple[Any, str, str]] = {
    "a price changed": (
        at("plans/0/document/meters/0/price", "1.5"),
        "terms",
        "its plan tiered differs from the one that priced 2025-01: meters[0].price is 1.5, and was 1",
    ),
    "a discount changed": (
        at("plans/0/document/tiers/2/discount", "8"),
        "terms",
        "tiers[2].discount is 8, and was 7",
    ),
    "the free jobs changed": (
        at("plans/0/document/free_jobs", 45),
        "terms",
        "free_jobs is 45, and was 10",
    ),
    "another plan version": (
        at(
            "plans/0",
            lambda named: {
                **named,
                "plan_version": "2025-02",
                "document": {**named["document"], "meters": [{**named["document"]["meters"][0], "price": "1.5"}]},
            },
        ),
        "cost",
        "is",
    ),
    "the total changed": (
        at("report/totals/final_cost", lambda cost: cost + Decimal("0.000001")),
        "cost",
        "(-0.000001)",
    ),
    "a key's savings changed": (
        at("report/api_keys/key 1/costs/savings", lambda cost: cost + 1),
        "cost",
        "(-1.0)",
    ),
    "a tier changed": (
        at("report/monthly_breakdown/0/tiers/tier1", 7),
        "cost",
        "is 7, and comes to 0 (-7)",
    ),
    "free jobs given back": (
        at("report/totals/free_jobs_left", 3),
        "cost",
        "is 3, and comes to 0 (-3)",
    ),
    "a line changed": (
        at("lines/0/quantity", lambda count: count + 1),
        "cost",
        "(-1)",
    ),
    "a line removed": (
        at("lines", lambda lines: lines[1:]),
        "cost",
        "lines[0]",
    ),
    "rounded up": (
        at("rounded/final_cost", lambda cost: cost + Decimal("0.01")),
        "rounding",
        "(-0.01)",
    ),
    "a share changed": (
        at("rounded/api_keys/key 0/final", lambda cost: cost - Decimal("0.01")),
        "rounding",
        "(+0.01)",
    ),
    "rounded to another unit": (
        at("rounded/places", 0),
        "rounding",
        "is 0, and comes to 2",
    ),
    "the counter before changed": (
        at("live_jobs/before", 38),
        "counter",
        "counts 38 live jobs before it",
    ),
    "the counter after changed": (
        at("live_jobs/after", 79),
        "counter",
        "79 after it and 39 in it",
    ),
    "both counters moved": (
        at("live_jobs", {"before": 40, "after": 79}),
        "counter",
        "39 after it (+1)",
    ),
    "the number of jobs changed": (
        at("jobs/live", 40),
        "counter",
        "40 in it",
    ),
    "the number of voids changed": (
        at("jobs/voided", 0),
        "job_added",
        "has 1 voided jobs in it, and the statement counts 0 (+1)",
    ),
    "the number of late jobs changed": (
        at("jobs/late", 5),
        "job_altered",
        "jobs.late is 5, and comes to 0 (-5)",
    ),
    "the digest changed": (
        at("jobs/sha256", "0" * 64),
        "job_altered",
        "the statement has 000",
    ),
    "another predecessor named": (
        at("previous/sha256", "0" * 64),
        "chain",
        "that of 2025-02 names 000",
    ),
    "a month left out": (
        at("previous/month", "2024-12"),
        "chain",
        "names the statement of 2024-12",
    ),
    "no predecessor named": (
        at("previous", None),
        "counter",
        "it is the first, and counts 39 live jobs before it",
    ),
    "another account": (
        at("account", "other"),
        "terms",
        "account is other, and was acme",
    ),
    "another month": (
        at("month", "2025-03"),
        "terms",
        "it is of 2025-03, and was given for 2025-02",
    ),
    "another zone": (
        at("time_zone", "UTC"),
        "terms",
        "time_zone is UTC, and was Europe/Zurich",
    ),
    "another currency": (
        at("currency", "EUR"),
        "terms",
        "currency is EUR, and was USD",
    ),
    "starts later": (
        at("starts_at", "2025-02-01T00:00:00Z"),
        "terms",
        "2025-01 ended at 2025-01-31T23:00:00Z",
    ),
    "ends elsewhere": (
        at("ends_at", "2025-03-15T23:00:00Z"),
        "terms",
        "nowhere the start of 2025-03",
    ),
    "ends an hour later": (
        at("ends_at", "2025-03-01T00:00:00Z"),
        "terms",
        "and 2025-03 starts at 2025-02-28T23:00:00Z in Europe/Zurich, by the time zone data of this computer",
    ),
    "ends at no time": (
        at("ends_at", "2025-02-28"),
        "terms",
        "no instant",
    ),
    "a plan in another currency": (
        at("plans/0/document/currency", "EUR"),
        "terms",
        "in EUR",
    ),
    "a plan that is none": (
        at("plans/0/document/meters/0/price", "x"),
        "terms",
        "its plan is none",
    ),
    "a plan under another name": (
        at("plans/0/plan", "other"),
        "terms",
        "plan other",
    ),
    "no plan": (
        at("plans", []),
        "terms",
        "0 plan versions",
    ),
    "a meter left out": (
        at("meters", lambda meters: meters[1:]),
        "terms",
        "prices transcription",
    ),
    "of a later form": (
        at("form", "tallystick-statement/2"),
        "unreadable",
        "this program reads",
    ),
    "a member left out": (
        without("rounded"),
        "unreadable",
        "is not a statement",
    ),
    "a member added": (
        lambda document: document.update(note="paid"),
        "terms",
        "note is paid, and comes to absent",
    ),
    "written in another order": (
        lambda document: document.update({"report": document.pop("report")}),
        "terms",
        "order of the members",
    ),
}


@pytest.mark.parametrize(("change", "code", "told"), STATEMENT.values(), ids=STATEMENT)
def test_a_forged_statement_that_is_signed_again_is_named(
    customer: Customer, change: Callable[[Document], None], code: str, told: str
) -> None:
    """By the provider itself, who has the key."""
    customer.forge_statement(FEBRUARY, change, signer=customer.ledger.signing.signer())
    found = customer.verify(FEBRUARY)
    assert found.difference is not None
    assert (found.holds, found.difference.code) == (False, code), found.difference
    assert told in found.difference.detail
    assert FEBRUARY not in [month.month for month in found.months]


EARLIER = at("starts_at", "2024-12-31T22:00:00Z")
"""January of Zurich, an hour early."""


def test_a_first_month_that_starts_an_hour_early_is_named(customer: Customer) -> None:
    customer.forge_statement("2025-01", EARLIER, signer=customer.ledger.signing.signer())
    found = customer.verify("2025-01")
    assert found.difference is not None
    assert found.difference.code == "terms"
    assert "starts_at is 2024-12-31T22:00:00Z, and 2025-01 starts at 2024-12-31T23:00:00Z" in found.difference.detail


@pytest.mark.parametrize("error", [ZoneInfoNotFoundError, IsADirectoryError, ValueError])
def test_where_the_zone_is_not_known_bounds_need_only_be_near(
    customer: Customer, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def unknown(zone: str) -> None:
        raise error(zone)

    monkeypatch.setattr("tallystick.verify.months.ZoneInfo", unknown)
    assert customer.verify(FEBRUARY).holds
    customer.trusted.unlink()
    signer = customer.ledger.signing.signer()
    customer.forge_statement("2025-01", EARLIER, signer=signer)
    assert customer.verify("2025-01").holds
    customer.trusted.unlink()
    customer.forge_statement("2025-01", at("starts_at", "2024-12-29T23:00:00Z"), signer=signer)
    found = customer.verify("2025-01")
    assert found.difference is not None
    assert "which is nowhere the start of 2025-01" in found.difference.detail


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (at("plans/0/document/meters/0/price", "1.5"), "report.totals.base_cost is "),
        (at("plans/0/document/tiers/1/discount", "4"), "report.totals.final_cost is "),
        (at("plans/0/document/free_jobs", 11), "report.totals.base_cost is "),
    ],
)
def test_a_plan_that_is_not_the_one_that_priced_the_first_month_is_named(
    customer: Customer, change: Callable[[Document], None], told: str
) -> None:
    customer.forge_statement("2025-01", change, signer=customer.ledger.signing.signer())
    found = customer.verify("2025-01")
    assert found.difference is not None
    assert found.difference.code == "cost"
    assert told in found.difference.detail


@contextmanager
def closed_after(
    sqlite: SqliteDatabases, folder: Path, behind_january: Callable[[Deployment], None]
) -> Iterator[Customer]:
    """A customer of a deployment in which something happens between the closing of January and that of February."""
    with sqlite.fresh() as database:
        deployment = new_deployment(database, folder, behind_january)
        with serving(deployment, folder) as customer:
            yield customer
        deployment.ledger.close()


def exchange(deployment: Deployment) -> None:
    """The price of a plan version that has priced a closed month is changed, behind the back of the ledger."""
    dearer = tiered(meters=[{"id": "transcription", "report_as": "transcription_tokens", "price": "1.5"}])
    with closing(Store(deployment.database)) as store, store.transaction() as connection:
        plans.put_plan(connection, dearer, effective_from=BEGINNING, now=deployment.now)


@pytest.mark.parametrize("verified", [[], ["2025-01"]], ids=["a fresh customer", "one who verified January"])
def test_a_plan_version_that_is_exchanged_between_two_months_is_named(
    sqlite: SqliteDatabases, tmp_path: Path, verified: list[str]
) -> None:
    """Everything is computed, chained and signed as it must be, by another price."""
    with closed_after(sqlite, tmp_path, exchange) as customer:
        assert all(customer.verify(month).holds for month in verified)
        for month in (FEBRUARY, MARCH):
            found = customer.verify(month)
            assert found.difference is not None
            assert (found.difference.month, found.difference.code) == (FEBRUARY, "terms")
            assert found.difference.detail == (
                "its plan tiered differs from the one that priced 2025-01: meters[0].price is 1.5, and was 1.0"
            )


def test_a_plan_version_that_is_exchanged_while_another_plan_holds_is_named_by_who_remembers(
    sqlite: SqliteDatabases, tmp_path: Path
) -> None:
    """Of what was checked before, and lies before the trusted opening, only a digest is known."""

    def change(deployment: Deployment) -> None:
        deployment.ledger.plans.put(plan("other"))
        deployment.ledger.accounts.change(ACCOUNT, plan="other", plan_from="2025-02")
        deployment.ledger.accounts.change(ACCOUNT, plan="tiered", plan_from="2025-03")
        exchange(deployment)

    with closed_after(sqlite, tmp_path, change) as customer:
        assert customer.verify("2025-01").holds
        assert customer.verify(FEBRUARY).holds
        found = customer.verify(MARCH)
        assert found.difference is not None
        assert (found.difference.month, found.difference.code) == (MARCH, "terms")
        assert found.difference.detail == "its plan tiered is another one than in statements that were checked before"


@pytest.mark.parametrize("months", [MONTHS, [MARCH, "2025-01"]], ids=["month by month", "at once"])
def test_new_versions_and_other_plans_hold(sqlite: SqliteDatabases, tmp_path: Path, months: list[str]) -> None:
    def change(deployment: Deployment) -> None:
        deployment.ledger.plans.put(tiered(free_jobs=50), effective_from="2025-02")
        deployment.ledger.plans.put(plan("other"))
        deployment.ledger.accounts.change(ACCOUNT, plan="other", plan_from="2025-03")

    with closed_after(sqlite, tmp_path, change) as customer:
        for month in months:
            assert customer.verify(month).difference is None
        remembered = TrustedFile(customer.trusted).find(customer.url, ACCOUNT).plans
        assert [(each.plan, each.plan_version) for each in remembered] == [
            ("tiered", None),
            ("tiered", "2025-02"),
            ("other", None),
        ]


@pytest.mark.parametrize("change", [at("report/totals/final_cost", 0), at("plans/0/document/meters/0/price", "1.5")])
def test_a_forged_statement_that_is_not_signed_again_is_named(
    customer: Customer, change: Callable[[Document], None]
) -> None:
    customer.forge_statement(FEBRUARY, change)
    found = customer.verify(FEBRUARY)
    assert found.difference is not None
    assert (found.difference.month, found.difference.code) == (FEBRUARY, "signature")


def test_a_statement_of_the_chain_that_is_replaced_is_named(customer: Customer) -> None:
    customer.forge_statement(FEBRUARY, at("report/totals/final_cost", 0), signer=customer.ledger.signing.signer())
    found = customer.verify(MARCH)
    assert found.difference is not None
    assert (found.difference.month, found.difference.code) == (FEBRUARY, "chain")
    assert "that of 2025-03 names" in found.difference.detail


def test_a_statement_of_the_chain_that_is_gone_is_named(customer: Customer) -> None:
    customer.between.forges.append(
        lambda request, answer: (
            type(answer)(404, json={"code": "no_statement", "status": 404})
            if request.url.path == "/statements/2025-01"
            else answer
        )
    )
    found = customer.verify(FEBRUARY)
    assert found.difference is not None
    assert (found.difference.month, found.difference.code) == ("2025-01", "chain")


@pytest.mark.parametrize("month", MONTHS)
def test_a_history_written_anew_and_signed_again_is_named_by_who_remembers(customer: Customer, month: str) -> None:
    """The chain is whole, the signatures hold; only what was checked before tells that it is another one."""
    assert customer.verify(month).holds
    customer.rewrite_history(at("report/totals/final_cost", 0), customer.ledger.signing.signer())
    found = customer.verify(month)
    assert found.difference is not None
    assert found.difference.code == "statement_replaced"
    assert found.difference.month == month


def test_a_first_statement_that_names_one_before_it_is_named(customer: Customer) -> None:
    signer = customer.ledger.signing.signer()
    customer.forge_statement("2025-01", at("live_jobs", {"before": 5, "after": 44}), signer=signer)
    found = customer.verify("2025-01")
    assert found.difference is not None
    assert (found.difference.code, found.difference.detail) == (
        "counter",
        "it is the first, and counts 5 live jobs before it",
    )


@pytest.mark.parametrize("number", ["1e999999999", "-1e-999999999", "0e999999999", "1E99999999999999999999", "1e1001"])
def test_a_number_that_would_fill_the_memory_is_named(customer: Customer, number: str) -> None:
    signer = customer.ledger.signing.signer()

    def forge(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path != f"/statements/{FEBRUARY}":
            return answer
        body = re.sub(rb'"final_cost":[0-9.]+', f'"final_cost":{number}'.encode(), answer.content)
        assert body != answer.content
        signed = signer.signed(body)
        return forged(answer, body, tallystick_signature=signed.signature, tallystick_signed_by=signer.id)

    customer.between.forges.append(forge)
    found = customer.verify(FEBRUARY)
    assert found.difference is not None
    assert (found.difference.month, found.difference.code) == (FEBRUARY, "unreadable")
    assert "too many digits" in found.difference.detail


def test_a_ledger_without_an_end_is_named(customer: Customer) -> None:
    def forge(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path != "/jobs":
            return answer
        return httpx.Response(200, headers={**NDJSON, "tallystick-next-cursor": "more"}, content=b"")

    customer.between.forges.append(forge)
    found = customer.verify(FEBRUARY)
    assert found.difference is not None
    assert (found.difference.code, found.difference.detail) == (
        "unreadable",
        "the ledger goes on for ever, in empty pages",
    )


# Keys.


def stranger() -> Signer:
    return Signer(Ed25519PrivateKey.generate())


def published(signer: Signer, signed_by: Signer | None = None) -> dict[str, Any]:
    """A key as it is published, signed by another or by none."""
    return {
        "id": signer.id,
        "algorithm": "Ed25519",
        "public_key": encode_bytes(signer.public_key),
        "created_at": "2025-01-01T00:00:00Z",
        "signed_by": None if signed_by is None else signed_by.id,
        "signature": None if signed_by is None else signed_by.sign(succession(signer.public_key)),
    }


def nothing(document: Document) -> None:
    """A statement as it is, signed by somebody else."""


def test_another_signing_key_is_named(customer: Customer) -> None:
    assert customer.verify("2025-01").holds
    other = stranger()
    customer.forge_statement(FEBRUARY, nothing, signer=other)
    customer.forge_keys(lambda keys: keys.append(published(other)))
    found = customer.verify(FEBRUARY)
    assert found.difference is not None
    assert (found.difference.month, found.difference.code) == (FEBRUARY, "signing_key")
    assert "has not signed" in found.difference.detail


def test_another_key_within_one_chain_is_named_also_at_the_first_check(customer: Customer) -> None:
    other = stranger()
    customer.forge_statement(FEBRUARY, nothing, signer=other)
    customer.forge_keys(lambda keys: keys.append(published(other)))
    found = customer.verify(FEBRUARY)
    assert found.difference is not None
    assert (found.difference.month, found.difference.code) == (FEBRUARY, "signing_key")


FORGED_SUCCESSIONS = {
    "signed by itself": lambda other, first: {**published(other, other), "signed_by": first["id"]},
    "the signature of nothing": lambda other, first: {**published(other), "signed_by": first["id"]},
    "a signature that is none": lambda other, first: {
        **published(other),
        "signed_by": first["id"],
        "signature": base64.b64encode(bytes(64)).decode(),
    },
    "no base64": lambda other, first: {**published(other), "signed_by": first["id"], "signature": "!"},
    "in a circle": lambda other, first: {**first, "signed_by": first["id"]},
    "another key under its id": lambda other, first: {**published(stranger()), "id": other.id},
}


@pytest.mark.parametrize("forge", FORGED_SUCCESSIONS.values(), ids=FORGED_SUCCESSIONS)
def test_a_succession_that_is_forged_is_named(
    customer: Customer, forge: Callable[[Signer, Document], Document]
) -> None:
    other = stranger()
    customer.forge_statement(FEBRUARY, nothing, signer=other)
    customer.forge_keys(lambda keys: keys.append(forge(other, keys[0])))
    found = customer.verify(FEBRUARY)
    assert found.difference is not None
    assert found.difference.code == "signing_key"


def test_a_key_that_the_remembered_one_signed_is_believed(customer: Customer) -> None:
    first, second, third = customer.ledger.signing.signer(), stranger(), stranger()
    customer.forge_statement(MARCH, nothing, signer=third)
    customer.forge_keys(lambda keys: keys.extend([published(third, second), published(second, first)]))
    found = customer.verify(MARCH)
    assert (found.holds, found.replaced_key, found.key_by_word) == (True, first.id, False)
    assert f"a new key in place of {first.id}," in str(found)
    assert "which signed the new one" in str(found)
    assert max(map(len, str(found).replace(str(customer.trusted), "").splitlines())) <= 80
    assert customer.verify(MARCH).replaced_key is None
    # From then on the new key is remembered, and the old one signs nothing any more.
    customer.between.forges.clear()
    found = customer.verify(MARCH)
    assert found.holds, "a statement from before the change is still signed with the old key"


def test_a_key_that_was_replaced_signs_nothing_behind(customer: Customer) -> None:
    first, second = customer.ledger.signing.signer(), stranger()
    customer.forge_keys(lambda keys: keys.append(published(second, first)))
    customer.forge_statement(FEBRUARY, nothing, signer=second)
    assert customer.verify(FEBRUARY).holds
    found = customer.verify(MARCH)
    assert found.difference is not None
    assert (found.difference.month, found.difference.code) == (MARCH, "signing_key")
    assert "had taken its place" in found.difference.detail


def test_a_key_in_place_of_a_lost_one_is_believed_when_the_user_is_told_so(customer: Customer) -> None:
    assert customer.verify(FEBRUARY).holds
    other = stranger()
    customer.forge_statement(MARCH, nothing, signer=other)
    customer.forge_keys(lambda keys: keys.append(published(other)))
    assert not customer.verify(MARCH).holds
    assert not customer.verify(MARCH, trust_key="another").holds
    believed = customer.verify(MARCH, trust_key=other.id)
    assert (believed.holds, believed.key_by_word) == (True, True)
    assert "believed because --trust-key names it" in str(believed)
    # It is remembered.
    assert customer.verify(MARCH).holds


def test_a_statement_signed_with_a_key_that_nobody_publishes_is_named(customer: Customer) -> None:
    customer.forge_statement("2025-01", nothing, signer=stranger())
    found = customer.verify("2025-01")
    assert found.difference is not None
    assert (found.difference.code, ACCOUNT) == ("signing_key", found.account)
