"""What a receiver makes of a webhook: a typed event, or an error."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest
from standardwebhooks import Webhook

from tallystick import AsyncClient, Client, WebhookRejected, unwrap_webhook
from tallystick.errors import InvalidInput, TallystickError
from tallystick.model.events import SHAPES, FreeJobsLow, TierReached, WebhookEvent, WebhookOff
from tallystick.model.notices import Event
from tallystick.model.wire import encode
from tests.client.scripted import BASE_URL, TOKEN

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER: Final = "whsec_" + "A" * 44
TIER: Final[dict[str, Any]] = {
    "account": "acme",
    "tier": 2,
    "after_jobs": 1000,
    "discount": Decimal("7.1"),
    "jobs": 1004,
}
DATA: Final[dict[str, Any]] = {
    "free_jobs.low": {"account": "acme", "free_jobs": 100, "free_jobs_left": 9, "jobs": 91},
    "free_jobs.exhausted": {"account": "acme", "free_jobs": 100, "free_jobs_left": 0, "jobs": 100},
    "tier.reached": TIER,
    "budget.threshold": {
        "account": "acme",
        "api_key": None,
        "month": "2025-06",
        "threshold": 80,
        "amount": Decimal("10.5"),
        "cost": Decimal("9.25"),
        "used_percentage": Decimal("88.0952"),
        "currency": "USD",
    },
    "month.closed": {
        "account": "acme",
        "month": "2025-05",
        "jobs": 3,
        "final_cost": Decimal("0.07592"),
        "currency": "USD",
        "closed_at": "2025-06-05T00:00:00Z",
    },
    "job.late": {"account": "acme", "month": "2025-05", "booked_in": "2025-06", "jobs": 3},
    "account.created": {"count": 2, "accounts": ["a", "b"]},
    "quarantine.added": {"count": 3, "codes": {"invalid": 3}},
    "webhook.off": {"account": None, "webhook": "whe_1", "url": "https://x.example/", "reason": "gone"},
    "webhook.test": {"account": "acme", "webhook": "whe_1"},
}


def body_of(event: str = "tier.reached", data: Any = TIER, **changes: Any) -> str:
    return encode({"type": event, "timestamp": "2025-06-15T12:00:00Z", "data": data, **changes}).decode()


def signed(body: str, secret: str = SECRET, *, at: datetime | None = None) -> dict[str, str]:
    at = at or datetime.now(UTC)
    signature = Webhook(secret).sign("ntc_1", at, body)
    return {"webhook-id": "ntc_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def test_a_webhook_gives_a_typed_event_with_exact_numbers() -> None:
    body = body_of()
    event = unwrap_webhook(body.encode(), signed(body), SECRET)
    assert event == WebhookEvent(
        id="ntc_1", type="tier.reached", timestamp="2025-06-15T12:00:00Z", data=TierReached(**TIER)
    )
    match event.data:
        case TierReached(account=account, discount=discount):
            assert (account, discount) == ("acme", Decimal("7.1"))
        case _:
            pytest.fail("the event is typed")


def test_both_clients_have_it_and_need_no_server_for_it() -> None:
    body = body_of()
    with Client(base_url=BASE_URL, token=TOKEN) as client:
        assert client.webhooks.unwrap(body, signed(body), SECRET).type == Event.TIER_REACHED
    twin = AsyncClient(base_url=BASE_URL, token=TOKEN)
    assert twin.webhooks.unwrap(body, signed(body), SECRET).type == Event.TIER_REACHED


@pytest.mark.parametrize("event", list(Event))
def test_every_event_has_a_type(event: Event) -> None:
    body = body_of(event, DATA[event])
    data = unwrap_webhook(body, signed(body), SECRET).data
    assert type(data) is SHAPES[event]
    assert not isinstance(data, dict)
    assert data.to_dict() == DATA[event]


def test_an_event_of_a_later_version_has_its_data_as_they_are() -> None:
    body = body_of("sun.rose", {"at": "06:00"})
    assert unwrap_webhook(body, signed(body), SECRET).data == {"at": "06:00"}


def test_fields_of_a_later_version_do_no_harm() -> None:
    body = body_of(data={**TIER, "more": 1}, more=2)
    assert unwrap_webhook(body, signed(body), SECRET).data == TierReached(**TIER)


def test_headers_come_in_any_case_and_from_any_framework() -> None:
    body = body_of()
    named = {name.title(): value for name, value in signed(body).items()}
    assert unwrap_webhook(body, named, SECRET).id == "ntc_1"


def test_several_secrets_may_be_given_while_one_is_changed() -> None:
    body = body_of()
    assert unwrap_webhook(body, signed(body, OTHER), [SECRET, OTHER]).id == "ntc_1"
    with pytest.raises(WebhookRejected):
        unwrap_webhook(body, signed(body, OTHER), [SECRET])


GOOD: Final = body_of()


def refused() -> dict[str, tuple[bytes | str, dict[str, str]]]:
    """What was not signed by us, as of now: body and headers."""
    return {
        "another secret": (GOOD, signed(GOOD, OTHER)),
        "another body": (GOOD.replace("1004", "1005"), signed(GOOD)),
        "another id": (GOOD, {**signed(GOOD), "webhook-id": "ntc_2"}),
        "another time": (GOOD, {**signed(GOOD), "webhook-timestamp": str(int(datetime.now(UTC).timestamp()) - 9)}),
        "an old one": (GOOD, signed(GOOD, at=datetime.now(UTC) - timedelta(minutes=6))),
        "one from the future": (GOOD, signed(GOOD, at=datetime.now(UTC) + timedelta(minutes=6))),
        "no headers": (GOOD, {}),
        "no signature": (GOOD, {name: value for name, value in signed(GOOD).items() if name != "webhook-signature"}),
        "an empty signature": (GOOD, {**signed(GOOD), "webhook-signature": ""}),
        "a signature without a version": (GOOD, {**signed(GOOD), "webhook-signature": "abc"}),
        "a signature that is no Base64": (GOOD, {**signed(GOOD), "webhook-signature": "v1,é"}),
        "a signature of another version": (
            GOOD,
            {**signed(GOOD), "webhook-signature": signed(GOOD)["webhook-signature"].replace("v1,", "v1a,")},
        ),
        "a time that is none": (GOOD, {**signed(GOOD), "webhook-timestamp": "now"}),
        "a time without end": (GOOD, {**signed(GOOD), "webhook-timestamp": "1e400"}),
        "a body that is not UTF-8": (b"\xff", signed("x")),
    }


NO_EVENTS: Final = [
    *("", "x", "null", "[]", "{}", "NaN", '{"type":5,"timestamp":"","data":{}}', "[" * 10_000),
    *(body_of(data=[]), body_of(data={**TIER, "tier": "two"})),
]


@pytest.mark.parametrize("case", refused())
def test_what_is_not_signed_by_us_is_refused(case: str) -> None:
    body, headers = refused()[case]
    with pytest.raises(WebhookRejected) as caught:
        unwrap_webhook(body, headers, SECRET)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("body", NO_EVENTS)
def test_what_is_signed_and_no_event_is_refused(body: str) -> None:
    with pytest.raises(WebhookRejected, match="not an event"):
        unwrap_webhook(body, signed(body), SECRET)


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        (None, "not NoneType"),
        (5, "not int"),
        (SECRET.encode(), "not bytes"),
        ([None], "not NoneType"),
        ([SECRET, b"x"], "not bytes"),
        ([], "is none"),
        ("", "is empty"),
        ("whsec_", "is empty"),
        ("whsec_é", "Base64"),
        ("nonsense!", "Base64"),
        ([SECRET, "whsec_abcde"], "Base64"),
    ],
)
def test_a_secret_that_is_none_is_the_receivers_mistake_which_is_said_without_the_secret(
    secret: Any, told: str
) -> None:
    for body, headers in ((GOOD, signed(GOOD)), (GOOD, {})):
        with pytest.raises(InvalidInput, match=told) as caught:
            unwrap_webhook(body, headers, secret)
        # A receiver that answers 400 to what is rejected would turn everything away, and nobody would know.
        assert not isinstance(caught.value, WebhookRejected)
        assert [error.parameter for error in caught.value.errors] == ["secret"]
        assert not any(part in str(caught.value) for part in (SECRET, "é", "nonsense", "abcde"))


def test_a_secret_may_have_been_read_from_a_file_and_lack_its_prefix() -> None:
    for secret in (f"{SECRET}\n", SECRET.removeprefix("whsec_"), OTHER.rstrip("=")):
        assert unwrap_webhook(GOOD, signed(GOOD, secret.strip()), secret).id == "ntc_1"


@pytest.mark.parametrize(
    ("given", "parameter", "told"),
    [
        ({"body": {"type": "tier.reached"}}, "body", "as they came, not dict"),
        ({"body": None}, "body", "not NoneType"),
        ({"headers": None}, "headers", "not NoneType"),
        ({"headers": [("webhook-id", "ntc_1")]}, "headers", "not list"),
        ({"headers": {5: "x"}}, "headers", "a mapping"),
        ({"headers": {"webhook-id": b"ntc_1"}}, "headers", "texts"),
    ],
)
def test_a_body_that_was_parsed_and_headers_that_are_none_are_told_from_what_was_sent(
    given: dict[str, Any], parameter: str, told: str
) -> None:
    with pytest.raises(InvalidInput, match=told) as caught:
        unwrap_webhook(**{"body": GOOD, "headers": signed(GOOD), "secret": SECRET, **given})
    assert not isinstance(caught.value, WebhookRejected)
    assert [error.parameter for error in caught.value.errors] == [parameter]


def test_a_body_may_be_any_bytes() -> None:
    for body in (bytearray(GOOD.encode()), memoryview(GOOD.encode())):
        assert unwrap_webhook(body, signed(GOOD), SECRET).id == "ntc_1"


def test_a_header_that_is_missing_is_named() -> None:
    for name in signed(GOOD):
        headers = {each: value for each, value in signed(GOOD).items() if each != name}
        with pytest.raises(WebhookRejected, match=f"no header {name}"):
            unwrap_webhook(GOOD, headers, SECRET)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "standardwebhooks", None)
    with pytest.raises(TallystickError, match=r"pip install 'tallystick\[webhooks\]'"):
        unwrap_webhook(GOOD, signed(GOOD), SECRET)


def test_events_are_frozen_and_their_names_say_what_they_are() -> None:
    with pytest.raises(AttributeError):
        FreeJobsLow(**DATA["free_jobs.low"]).jobs = 1  # type: ignore[misc]  # what is tested
    assert msgspec.convert(DATA["webhook.off"], WebhookOff).reason == "gone"
