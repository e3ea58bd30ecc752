"""What is repeated, how often, and after how long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest

from tallystick.client.retries import LAST_BOUND_SECONDS, LONGEST_WAIT_SECONDS
from tallystick.errors import ConnectionFailed, InvalidInput, RateLimited, RequestError, RequestTimeout, ServerFailed
from tests.client.scripted import BASE_URL, INGESTED, Twin, answer

MakeTwin = Callable[..., Twin]

JOB: Final = {
    "id": "j",
    "account": "acme",
    "api_key": "k",
    "completed_at": "2025-01-11T20:12:01Z",
    "tokens": {"transcription": 5},
}
REPEATABLE: Final[list[tuple[str, tuple[Any, ...]]]] = [
    ("usage.get", ()),
    ("usage.explain", ()),
    ("usage.daily", ()),
    ("usage.accounts", ()),
    ("jobs.list", ()),
    ("jobs.lines", ()),
    ("jobs.record", (JOB,)),
    ("jobs.record_many", ([JOB],)),
    ("accounts.list", ()),
    ("accounts.change", ("acme",)),
    ("accounts.keys", ("acme",)),
    ("accounts.revoke_key", ("acme", "k")),
    ("tokens.list", ()),
    ("tokens.revoke", ("t1",)),
    ("plans.list", ()),
    ("plans.simulate", ({"name": "p", "currency": "EUR", "meters": [{"id": "audio", "price": "1"}]},)),
    ("quarantine.list", ()),
    ("quarantine.replay", ()),
]
ONCE: Final[list[tuple[str, tuple[Any, ...]]]] = [
    ("accounts.create", ("acme",)),
    ("accounts.create_key", ("acme", "k")),
    ("tokens.create", ("admin",)),
    ("tokens.rotate", ("t1",)),
]
NEVER_SENT: Final = [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("busy")]
PERHAPS_SENT: Final = [
    httpx.ReadError("reset"),
    httpx.ReadTimeout("slow"),
    httpx.WriteError("reset"),
    httpx.WriteTimeout("slow"),
    httpx.CloseError("gone"),
    httpx.RemoteProtocolError("hung up"),
]


def attempts(client: Twin, method: str, arguments: tuple[Any, ...]) -> int:
    with pytest.raises(RequestError):
        client.call(method, *arguments)
    return len(client.script.requests)


def kind(value: object) -> str | None:
    return type(value).__name__ if isinstance(value, Exception) else None


@pytest.mark.parametrize(("method", "arguments"), REPEATABLE)
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_a_repeatable_call_is_tried_three_times(
    twin: MakeTwin, method: str, arguments: tuple[Any, ...], status: int
) -> None:
    client = twin(answer(status))
    assert attempts(client, method, arguments) == 3
    assert len({(r.method, r.url, r.content) for r in client.script.requests}) == 1


@pytest.mark.parametrize(("method", "arguments"), REPEATABLE)
@pytest.mark.parametrize("error", NEVER_SENT + PERHAPS_SENT, ids=kind)
def test_a_repeatable_call_is_tried_again_after_any_broken_connection(
    twin: MakeTwin, method: str, arguments: tuple[Any, ...], error: Exception
) -> None:
    assert attempts(twin(error), method, arguments) == 3


@pytest.mark.parametrize(("method", "arguments"), ONCE)
@pytest.mark.parametrize(
    ("outcome", "tries"),
    [
        *((error, 3) for error in NEVER_SENT),
        *((error, 1) for error in PERHAPS_SENT),
        *((answer(status), 3) for status in (429, 503)),
        *((answer(status), 1) for status in (408, 500, 502, 504)),
    ],
    ids=str,
)
def test_what_must_happen_once_is_repeated_only_where_it_surely_did_not_happen(
    twin: MakeTwin, method: str, arguments: tuple[Any, ...], outcome: Any, tries: int
) -> None:
    assert attempts(twin(outcome), method, arguments) == tries


@pytest.mark.parametrize("status", [300, 302, 304, 400, 401, 403, 404, 409, 413, 415, 422, 451])
def test_what_would_fail_again_is_not_repeated(twin: MakeTwin, status: int) -> None:
    client = twin(answer(status, Retry_After="1"))
    assert attempts(client, "usage.get", ()) == 1
    assert client.script.slept_seconds == []


@pytest.mark.parametrize("most", [0, 1, 5])
def test_max_retries_bounds_the_repeats(twin: MakeTwin, most: int) -> None:
    client = twin(answer(500), max_retries=most)
    assert attempts(client, "plans.list", ()) == most + 1
    assert len(client.script.slept_seconds) == most


@pytest.mark.parametrize("most", [-1, 1.0, None, True])
def test_a_wrong_number_of_retries_is_refused(twin: MakeTwin, most: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        twin(max_retries=most).call("plans.list")
    assert caught.value.errors[0].parameter == "max_retries"


def test_a_repeat_that_succeeds_gives_the_result(twin: MakeTwin) -> None:
    client = twin(httpx.ReadTimeout("slow"), answer(502, b"<html>"), answer(body=INGESTED))
    assert client.call("jobs.record", JOB).accepted == 1
    assert len(client.script.requests) == 3


# Waiting.


def test_without_retry_after_the_bound_of_the_wait_doubles_up_to_a_cap(twin: MakeTwin) -> None:
    client = twin(answer(500), max_retries=7, random=1.0)
    attempts(client, "plans.list", ())
    assert client.script.slept_seconds == [0.5, 1, 2, 4, 8, 8, LAST_BOUND_SECONDS]


@pytest.mark.parametrize("drawn", [0.0, 0.25, 0.999])
def test_the_wait_is_drawn_from_nothing_up_to_the_bound(twin: MakeTwin, drawn: float) -> None:
    client = twin(httpx.ConnectError("refused"), random=drawn)
    attempts(client, "plans.list", ())
    assert client.script.slept_seconds == [0.5 * drawn, 1.0 * drawn]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("30", LONGEST_WAIT_SECONDS),
        ("31", LONGEST_WAIT_SECONDS),
        ("999999999", LONGEST_WAIT_SECONDS),
        ("Sun, 12 Jan 2025 00:00:05 GMT", 5),
        ("Sunday, 12-Jan-25 00:00:05 GMT", 5),
        ("Sun Jan 12 00:00:05 2025", 5),
        ("Sun, 12 Jan 2025 01:00:05 +0100", 5),
        ("Sun, 12 Jan 2025 00:10:00 GMT", LONGEST_WAIT_SECONDS),
        ("Sat, 11 Jan 2025 23:59:00 GMT", 0),
    ],
)
def test_retry_after_in_seconds_or_as_a_date_is_kept_up_to_a_cap(
    twin: MakeTwin, status: int, header: str, seconds: float
) -> None:
    client = twin(answer(status, Retry_After=header), answer(body={"plans": []}))
    client.call("plans.list")
    assert client.script.slept_seconds == [seconds]


@pytest.mark.parametrize(
    "header", ["", "soon", "-5", "1.5", "9" * 5000, "\u0667", "Sun, 99 Jan 2025 00:00:05 GMT", "Sun, 12 Jan 2025"]
)
def test_a_retry_after_that_makes_no_sense_is_as_none(twin: MakeTwin, header: str) -> None:
    response = httpx.Response(503, headers=[(b"retry-after", header.encode())])
    client = twin(response, answer(body={"plans": []}))
    client.call("plans.list")
    assert client.script.slept_seconds == [0.5]


# The error after the last attempt.


def test_the_last_answer_is_the_error(twin: MakeTwin) -> None:
    with pytest.raises(RateLimited):
        twin(httpx.ConnectError("refused"), answer(500), answer(429)).call("usage.get")


def test_a_server_that_cannot_be_reached_is_a_failed_connection(twin: MakeTwin) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        twin(httpx.ConnectError("Connection refused")).call("usage.get")
    error = caught.value
    assert not isinstance(error, RequestTimeout)
    assert error.detail == f"cannot reach {BASE_URL}: Connection refused (tried 3 times)"
    assert (error.code, error.status, error.request_id) == ("connection_failed", None, None)
    assert isinstance(error.__cause__, httpx.ConnectError)


@pytest.mark.parametrize("error", [httpx.ReadTimeout(""), httpx.WriteTimeout("")], ids=kind)
def test_a_server_that_does_not_answer_is_a_timeout(twin: MakeTwin, error: Exception) -> None:
    with pytest.raises(RequestTimeout) as caught:
        twin(error, timeout_seconds=2.5, max_retries=0).call("usage.get")
    assert caught.value.detail == f"{BASE_URL} did not answer within 2.5 seconds"
    assert caught.value.code == "timeout"


@pytest.mark.parametrize("error", [httpx.ConnectTimeout(""), httpx.PoolTimeout("")], ids=kind)
def test_a_connection_that_is_not_made_in_time_asked_nothing(twin: MakeTwin, error: Exception) -> None:
    with pytest.raises(ConnectionFailed, match=r"no connection to .* within 30 seconds") as caught:
        twin(error).call("usage.get")
    assert not isinstance(caught.value, RequestTimeout)


def test_a_reason_without_words_is_named_after_its_kind(twin: MakeTwin) -> None:
    with pytest.raises(ConnectionFailed, match="RemoteProtocolError"):
        twin(httpx.RemoteProtocolError("")).call("usage.get")


def test_the_timeout_reaches_the_transport(twin: MakeTwin) -> None:
    client = twin(answer(500), timeout_seconds=2.5, max_retries=0)
    with pytest.raises(ServerFailed):
        client.call("usage.get")
    assert client.script.request.extensions["timeout"] == {"connect": 2.5, "read": 2.5, "write": 2.5, "pool": 2.5}
