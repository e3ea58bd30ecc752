"""Bad input over HTTP: each kind has its code, status and message, and nothing good of the same request is lost."""

from __future__ import annotations

import gzip
import json
import resource
import secrets
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tallystick.settings import Settings
from tests.api.service import JANUARY, LINES, Service, job, places, problem, service, without

TOO_LONG_NAME = "n" * 201
HOOK = "https://hooks.example/"
TOO_LONG_ID = "é" * 128


def items(account: str) -> dict[str, tuple[Any, str, str]]:
    """Bad items by what is wrong with them, each with its code and a word of its detail."""
    return {
        "not an object": (5, "invalid", "object"),
        "null": (None, "invalid", "object"),
        "a list": ([job(account)], "invalid", "object"),
        "id is a number": (job(account, id=7), "invalid", "id"),
        "id is missing": (without(job(account), "id"), "invalid", "id"),
        "id is empty": (job(account, id=""), "invalid", "id"),
        "id is too long": (job(account, id=TOO_LONG_ID), "invalid", "id"),
        "id has a control character": (job(account, id="a\x00b"), "invalid", "id"),
        "account is missing": (without(job(account), "account"), "invalid", "account"),
        "account is null": (job(account, account=None), "invalid", "account"),
        "account is empty": (job(account, account=""), "invalid", "account"),
        "account is too long": (job(account, account=TOO_LONG_NAME), "invalid", "account"),
        "account has a control character": (job(account, account="a\nb"), "invalid", "account"),
        "account has outer spaces": (job(account, account=" acme"), "invalid", "account"),
        "account is not NFC": (job(account, account="e\u0301"), "invalid", "account"),
        "api_key is missing": (without(job(account), "api_key"), "invalid", "api_key"),
        "api_key is empty": (job(account, api_key=""), "invalid", "api_key"),
        "api_key is too long": (job(account, api_key=TOO_LONG_NAME), "invalid", "api_key"),
        "api_key has a control character": (job(account, api_key="\x7f"), "invalid", "api_key"),
        "api_key is a lone surrogate": (job(account, api_key="\ud800"), "invalid", "api_key"),
        "tokens are missing": (without(job(account), "tokens"), "invalid", "tokens"),
        "tokens are a list": (job(account, tokens=[1]), "invalid", "tokens"),
        "tokens are negative": (job(account, tokens={"transcription": -1}), "invalid", "transcription"),
        "tokens are fractional": (job(account, tokens={"transcription": 1.5}), "invalid", "transcription"),
        "tokens are a whole float": (job(account, tokens={"transcription": 1.0}), "invalid", "transcription"),
        "tokens are enormous": (job(account, tokens={"transcription": 10**9 + 1}), "invalid", "transcription"),
        "tokens are beyond 64 bits": (job(account, tokens={"transcription": 10**30}), "invalid", "transcription"),
        "tokens are text": (job(account, tokens={"transcription": "5"}), "invalid", "transcription"),
        "tokens are true": (job(account, tokens={"transcription": True}), "invalid", "transcription"),
        "meter is unknown": (job(account, tokens={"summaries": 5}), "unknown_meter", "summaries"),
        "time is missing": (without(job(account), "completed_at"), "invalid", "completed_at"),
        "time is a number": (job(account, completed_at=1736626321), "invalid", "completed_at"),
        "time is naive": (job(account, completed_at="2025-01-11T20:12:01"), "invalid", "completed_at"),
        "time is a date": (job(account, completed_at="2025-01-11"), "invalid", "completed_at"),
        "time has a 13th month": (job(account, completed_at="2025-13-11T20:12:01Z"), "invalid", "completed_at"),
        "time has a 30th of February": (job(account, completed_at="2025-02-30T20:12:01Z"), "invalid", "completed_at"),
        "time lies in 1969": (job(account, completed_at="1969-12-31T23:59:59Z"), "invalid", "completed_at"),
        "time lies in year 0": (job(account, completed_at="0000-01-01T00:00:00Z"), "invalid", "completed_at"),
        "time lies beyond 9999": (job(account, completed_at="10000-01-01T00:00:00Z"), "invalid", "completed_at"),
        "time is nonsense": (job(account, completed_at="yesterday"), "invalid", "completed_at"),
        "job lies in the future": (job(account, completed_at="2025-02-01T12:05:01Z"), "future", "completed_at"),
        "sandbox is text": (job(account, sandbox="yes"), "invalid", "sandbox"),
        "sandbox contradicts the key": (job(account, sandbox=True), "key_kind", "a key"),
        "a member is unknown": (job(account, price=5), "invalid", "price"),
    }


def objects() -> list[str]:
    return [name for name, (bad, _, _) in items("x").items() if isinstance(bad, dict)]


def check_rejected(service: Service, response: httpx.Response, index: int, code: str, word: str) -> None:
    """The answer names one rejected item, and quarantine has it."""
    assert response.status_code == 200, response.text
    (rejection,) = response.json()["rejected"]
    assert (rejection["index"], rejection["code"]) == (index, code), rejection
    assert word in rejection["detail"], rejection
    kept = service.admin("GET", "/quarantine", params={"limit": "1000"}).json()["items"]
    assert (code, rejection["detail"]) in [(item["code"], item["detail"]) for item in kept]


@pytest.mark.parametrize("wrong", items("x"))
@pytest.mark.parametrize("form", ["array", "lines"])
def test_a_bad_item_is_rejected_alone_with_its_reason(shared: Service, wrong: str, form: str) -> None:
    account = shared.account()
    shared.post_jobs(job(account))
    bad, code, word = items(account)[wrong]
    sent = [job(account), bad, job(account)]
    if form == "array":
        response = shared.post_jobs(sent)
    else:
        response = shared.post_jobs("\n".join(map(json.dumps, sent)).encode(), kind=LINES)
    check_rejected(shared, response, 1, code, word)
    assert response.json()["accepted"] == 2
    assert shared.jobs_of(account) == 3


@pytest.mark.parametrize("wrong", objects())
def test_a_bad_job_by_itself_is_rejected_with_its_reason(shared: Service, wrong: str) -> None:
    account = shared.account()
    shared.post_jobs(job(account))
    bad, code, word = items(account)[wrong]
    response = shared.post_jobs(bad)
    check_rejected(shared, response, 0, code, word)
    assert (response.json()["accepted"], shared.jobs_of(account)) == (0, 1)


def test_the_same_id_with_other_content_is_a_conflict_and_the_first_stays(shared: Service) -> None:
    account = shared.account()
    first = job(account)
    other = {**first, "tokens": {"transcription": 6}}
    response = shared.post_jobs([first, other, job(account)])
    check_rejected(shared, response, 1, "conflict", "tokens")
    again = shared.post_jobs([other, first])
    assert again.json()["duplicates"] == 1
    assert [rejection["code"] for rejection in again.json()["rejected"]] == ["conflict"]
    assert shared.jobs_of(account) == 2


def test_a_line_that_is_broken_or_not_utf8_is_rejected_alone(shared: Service) -> None:
    account = shared.account()
    good = [json.dumps(job(account)).encode() for _ in range(3)]
    body = b"\n".join([good[0], b'{"id": ', good[1], b'{"id": "\xff\xfe"}', b"", good[2], b""])
    response = shared.post_jobs(body, kind=LINES)
    assert response.status_code == 200
    assert response.json()["accepted"] == 3
    assert [(entry["index"], entry["code"]) for entry in response.json()["rejected"]] == [
        (1, "invalid"),
        (3, "invalid"),
    ]
    assert shared.jobs_of(account) == 3


def test_accounts_and_keys_are_refused_where_registration_is_off(tmp_path: Path) -> None:
    with service(tmp_path, Settings(register=False)) as serving:
        serving.admin("POST", "/accounts", json={"name": "acme"})
        serving.admin("POST", "/accounts/acme/keys", json={"name": "a key"})
        sent = [job("acme"), job("stranger"), job("acme", api_key="unheard of")]
        result = serving.post_jobs(sent).json()
        assert result["accepted"] == 1
        assert [(entry["index"], entry["code"]) for entry in result["rejected"]] == [
            (1, "unknown_account"),
            (2, "unknown_key"),
        ]


# Bodies that cannot be read as a whole: refused whole, and nothing of them is stored.

UNREADABLE = {
    "broken JSON": b'[{"id": "1"',
    "half a job": b'{"id": "1",',
    "two objects": b"{} {}",
    "empty": b"",
    "white space": b" \n ",
    "text": b"hello",
    "a number": b"5",
    "NaN": b"NaN",
    "not UTF-8": b'{"id": "\xff"}',
    "not UTF-8 in an array": b'[{"id": "\xff"}]',
    "UTF-16": '{"id": "1"}'.encode("utf-16"),
    "nested too deeply": b"[" * 100_000,
    "objects nested too deeply": b'{"a":' * 100_000,
    "a trailing comma": b"[{},]",
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_body_is_refused_whole(shared: Service, body: bytes) -> None:
    before = shared.ledger.quarantine.list().total
    problem(shared.post_jobs(body), 400, "invalid_json")
    assert shared.ledger.quarantine.list().total == before


def test_a_good_job_before_the_break_is_not_stored(shared: Service) -> None:
    account = shared.account()
    problem(shared.post_jobs(b"[" + json.dumps(job(account)).encode() + b", {]"), 400, "invalid_json")
    assert shared.jobs_of(account) == 0


@pytest.mark.parametrize(("number", "status"), [(10_000, 200), (10_001, 413)])
def test_an_array_holds_at_most_ten_thousand_jobs(shared: Service, number: int, status: int) -> None:
    account = shared.account()
    response = shared.post_jobs([job(account) for _ in range(number)])
    if status == 413:
        assert "10000" in problem(response, 413, "too_many_jobs")["detail"]
    else:
        assert response.json()["accepted"] == number
    assert shared.jobs_of(account) == (number if status == 200 else 0)


def test_an_array_of_too_many_bad_items_is_refused_too(shared: Service) -> None:
    before = shared.ledger.quarantine.list().total
    problem(shared.post_jobs([{}] * 10_001), 413, "too_many_jobs")
    assert shared.ledger.quarantine.list().total == before


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("text/plain", "application/x-ndjson"),
        ("text/csv", "application/json"),
        ("application/x-www-form-urlencoded", "application/json"),
        ("multipart/form-data; boundary=x", "application/json"),
        ("application/json; charset=utf-16", "charset"),
        ("application/x-ndjson; charset=latin-1", "charset"),
        ("nonsense", "application/jsonl"),
    ],
)
def test_another_media_type_or_charset_is_415_and_names_what_is_taken(shared: Service, kind: str, word: str) -> None:
    account = shared.account()
    document = problem(shared.post_jobs(job(account), kind=kind), 415, "unsupported_media_type")
    assert word in document["detail"]
    assert shared.jobs_of(account) == 0


# Encodings and limits.


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "gzip, br", "nonsense"])
def test_another_encoding_than_gzip_is_415(shared: Service, encoding: str) -> None:
    response = shared.post_jobs(job(shared.account()), headers={"Content-Encoding": encoding})
    assert "gzip" in problem(response, 415, "unsupported_media_type")["detail"]
    assert "gzip" in response.headers["accept-encoding"]


def zipped() -> dict[str, bytes]:
    whole = gzip.compress(json.dumps(job()).encode())
    return {
        "not gzip": b'{"id": "1"}',
        "empty": b"",
        "cut off": whole[:-9],
        "cut off in the checksum": whole[:-1],
        "cut off in the head": whole[:5],
        "wrong checksum": whole[:-8] + b"\0" * 8,
        "followed by something else": whole + b"more",
        "a flipped bit": whole[:20] + bytes([whole[20] ^ 255]) + whole[21:],
    }


@pytest.mark.parametrize("wrong", zipped())
def test_broken_gzip_is_400(shared: Service, wrong: str) -> None:
    response = shared.post_jobs(zipped()[wrong], headers={"Content-Encoding": "gzip"})
    assert "gzip" in problem(response, 400, "invalid_encoding")["detail"]


def test_a_body_over_the_limit_is_413_with_and_without_its_length(tmp_path: Path) -> None:
    with service(tmp_path, Settings(max_body_bytes=10_000)) as serving:
        body = json.dumps([job() for _ in range(100)]).encode()
        assert len(body) > 10_000
        pieces = (body[at : at + 1000] for at in range(0, len(body), 1000))
        for content in (body, pieces):
            headers = {"Content-Type": "application/json"}
            response = serving.call("POST", "/jobs", token=serving.token("ingest"), content=content, headers=headers)
            assert "10000" in problem(response, 413, "too_large")["detail"]
        compressed = serving.post_jobs(gzip.compress(body), headers={"Content-Encoding": "gzip"})
        problem(compressed, 413, "too_large")
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        noise = gzip.compress(secrets.token_bytes(20_000))
        pieces = (noise[at : at + 1000] for at in range(0, len(noise), 1000))
        response = serving.call("POST", "/jobs", token=serving.token("ingest"), content=pieces, headers=headers)
        problem(response, 413, "too_large")
        padded = serving.post_jobs(json.dumps(job()).encode().ljust(10_000))
        assert padded.json()["accepted"] == 1
        assert serving.ledger.usage("acme", "2025-01", "2025-01").totals.jobs == 1


def test_a_length_that_is_declared_too_large_is_refused_before_the_body(shared: Service) -> None:
    host, port = shared.url.removeprefix("http://").split(":")
    head = (
        f"POST /jobs HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {shared.token('ingest')}\r\n"
        f"Content-Length: {10**15}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_gzip_bomb_is_413_quickly_and_in_bounded_memory(shared: Service) -> None:
    # 8 MiB that would become 8 GiB.
    bomb = gzip.compress(bytes(2**26), 9) * 128
    before = peak_bytes()
    started = time.monotonic()
    response = shared.post_jobs(bomb, headers={"Content-Encoding": "gzip"})
    elapsed = time.monotonic() - started
    problem(response, 413, "too_large")
    assert elapsed < 10
    assert peak_bytes() - before < 200 * 2**20


def peak_bytes() -> int:
    """The most memory that this process, server and all, has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# Query parameters.

MONTHS = ["2025-13", "2025-1", "x", "2025", "2025-00", "0000-01", "2025-01-01", " 2025-01", "２０２５-01", "-2025-01"]
MONTH_READS = ["/usage", "/user/usage", "/jobs", "/usage/accounts"]


def read(service: Service, path: str, **params: str) -> httpx.Response:
    account = {} if path == "/usage/accounts" else {"account": "acme"}
    return service.admin("GET", path, params={**account, **params})


@pytest.mark.parametrize("path", MONTH_READS)
@pytest.mark.parametrize("parameter", ["start_month", "end_month"])
@pytest.mark.parametrize("month", MONTHS)
def test_a_wrong_month_is_400_and_named(shared: Service, path: str, parameter: str, month: str) -> None:
    document = problem(read(shared, path, **{parameter: month}), 400, "invalid_month")
    assert places(document) == [parameter]
    assert "YYYY-MM" in document["detail"]


@pytest.mark.parametrize("path", MONTH_READS)
def test_a_reversed_range_is_400(shared: Service, path: str) -> None:
    document = problem(read(shared, path, start_month="2025-02", end_month="2025-01"), 400, "invalid_period")
    assert places(document) == ["end_month"]


@pytest.mark.parametrize("path", MONTH_READS)
def test_at_most_120_months_are_reported(shared: Service, path: str) -> None:
    assert read(shared, path, start_month="2016-01", end_month="2025-12").status_code == 200
    document = problem(read(shared, path, start_month="2015-12", end_month="2025-12"), 400, "invalid_period")
    assert "120" in document["detail"]


@pytest.mark.parametrize("day", ["2025-02-30", "2025-1-1", "2025-01", "x", "2025-01-01T00:00:00Z", "0000-01-01"])
@pytest.mark.parametrize("parameter", ["start", "end"])
def test_a_wrong_day_is_400_and_named(shared: Service, parameter: str, day: str) -> None:
    document = problem(read(shared, "/usage/daily", **{parameter: day}), 400, "invalid_day")
    assert places(document) == [parameter]


def test_a_reversed_range_of_days_is_400(shared: Service) -> None:
    response = read(shared, "/usage/daily", start="2025-01-02", end="2025-01-01")
    assert places(problem(response, 400, "invalid_period")) == ["end"]


@pytest.mark.parametrize("path", ["/jobs", "/usage/accounts", "/accounts", "/quarantine"])
@pytest.mark.parametrize("limit", ["0", "1001", "-1", "1.5", "x", "１０", "99999999999999999999", "1e2", " 5"])
def test_a_limit_that_is_no_number_from_1_to_1000_is_400(shared: Service, path: str, limit: str) -> None:
    account = {"account": "acme"} if path == "/jobs" else {}
    response = shared.admin("GET", path, params={**account, "limit": limit})
    assert places(problem(response, 400, "invalid_parameter")) == ["limit"]


@pytest.mark.parametrize("path", ["/jobs", "/usage/accounts", "/quarantine"])
@pytest.mark.parametrize("cursor", ["x", "-1", "AAAA", "%00", "9" * 100, "é"])
def test_a_cursor_that_the_call_did_not_give_is_400(shared: Service, path: str, cursor: str) -> None:
    account = {"account": "acme"} if path == "/jobs" else {}
    response = shared.admin("GET", path, params={**account, "cursor": cursor})
    assert places(problem(response, 400, "invalid_cursor")) == ["cursor"]


def test_a_cursor_is_409_once_an_earlier_job_has_come_in_between(fresh: Service) -> None:
    fresh.post_jobs([job(completed_at=f"2025-01-1{day}T00:00:00Z") for day in range(3)])
    params = {**JANUARY, "account": "acme", "limit": "1"}
    cursor = fresh.admin("GET", "/jobs", params=params).json()["next_cursor"]
    fresh.post_jobs(job(completed_at="2025-01-01T00:00:00Z"))
    problem(fresh.admin("GET", "/jobs", params={**params, "cursor": cursor}), 409, "ledger_changed")


# Bodies of the other calls.

BODIES: list[tuple[str, str, Any, int, str, list[str]]] = [
    ("POST", "/accounts", {}, 400, "invalid", ["/name"]),
    ("POST", "/accounts", [], 400, "invalid", [""]),
    ("POST", "/accounts", None, 400, "invalid", [""]),
    ("POST", "/accounts", {"name": 5}, 400, "invalid", ["/name"]),
    ("POST", "/accounts", {"name": ""}, 400, "invalid", ["/name"]),
    ("POST", "/accounts", {"name": TOO_LONG_NAME}, 400, "invalid", ["/name"]),
    ("POST", "/accounts", {"name": "a\tb"}, 400, "invalid", ["/name"]),
    ("POST", "/accounts", {"name": " a"}, 400, "invalid", ["/name"]),
    ("POST", "/accounts", {"name": "a", "time_zone": "Mars/Olympus"}, 400, "unknown_time_zone", ["/time_zone"]),
    ("POST", "/accounts", {"name": "a", "time_zone": "../../etc/passwd"}, 400, "unknown_time_zone", ["/time_zone"]),
    ("POST", "/accounts", {"name": "a", "time_zone": None}, 400, "invalid", ["/time_zone"]),
    ("POST", "/accounts", {"name": "a", "nam": "b"}, 400, "invalid", ["/nam"]),
    ("POST", "/accounts", {"name": "a", "a/b~c": 1}, 400, "invalid", ["/a~1b~0c"]),
    ("POST", "/accounts", {"name": "a", "plan": "no such plan"}, 404, "unknown_plan", []),
    ("POST", "/accounts", {"name": "acme"}, 409, "account_exists", []),
    ("PATCH", "/accounts/nobody", {}, 404, "unknown_account", []),
    ("PATCH", "/accounts/acme", {"name": "other"}, 400, "invalid", ["/name"]),
    ("PATCH", "/accounts/acme", {"time_zone": "Nowhere"}, 400, "unknown_time_zone", ["/time_zone"]),
    ("PATCH", "/accounts/acme", {"plan": "no such plan"}, 404, "unknown_plan", []),
    ("PATCH", "/accounts/acme", {"plan": "standard", "plan_from": "2025-13"}, 400, "invalid_month", ["/plan_from"]),
    ("PATCH", "/accounts/acme", {"plan_from": "2025-03"}, 400, "invalid", ["/plan_from"]),
    ("POST", "/accounts/nobody/keys", {"name": "k"}, 404, "unknown_account", []),
    ("POST", "/accounts/acme/keys", {"name": ""}, 400, "invalid", ["/name"]),
    ("POST", "/accounts/acme/keys", {"name": "k", "kind": "test"}, 400, "invalid", ["/kind"]),
    ("POST", "/accounts/acme/keys", {"name": "some api key"}, 409, "key_exists", []),
    ("PATCH", "/accounts/acme/keys/nokey", {"revoked": True}, 404, "unknown_key", []),
    ("PATCH", "/accounts/acme/keys/some api key", {"revoked": False}, 400, "invalid", ["/revoked"]),
    ("PATCH", "/accounts/acme/keys/some api key", {}, 400, "invalid", ["/revoked"]),
    ("POST", "/tokens", {}, 400, "invalid", ["/scope"]),
    ("POST", "/tokens", {"scope": "root"}, 400, "invalid", ["/scope"]),
    ("POST", "/tokens", {"scope": "usage"}, 400, "invalid", ["/account"]),
    ("POST", "/tokens", {"scope": "admin", "account": "acme"}, 400, "invalid", ["/account"]),
    ("POST", "/tokens", {"scope": "usage", "account": "nobody"}, 404, "unknown_account", []),
    ("POST", "/tokens", {"scope": "ingest", "expires_at": "2025-03-01"}, 400, "invalid", ["/expires_at"]),
    ("POST", "/tokens", {"scope": "ingest", "expires_at": "2025-01-01T00:00:00Z"}, 400, "invalid", ["/expires_at"]),
    ("POST", "/tokens", {"scope": "ingest", "label": "a\nb"}, 400, "invalid", ["/label"]),
    ("POST", "/tokens/nothing/rotate", {}, 404, "unknown_token", []),
    ("POST", "/tokens/nothing/rotate", {"overlap_seconds": -1}, 400, "invalid", ["/overlap_seconds"]),
    ("POST", "/tokens/nothing/rotate", {"overlap_seconds": 10**30}, 400, "invalid", ["/overlap_seconds"]),
    ("POST", "/tokens/nothing/rotate", {"overlap_seconds": 1.5}, 400, "invalid", ["/overlap_seconds"]),
    ("DELETE", "/tokens/nothing", None, 404, "unknown_token", []),
    ("GET", "/plans/nothing", None, 404, "unknown_plan", []),
    ("GET", "/accounts/nobody", None, 404, "unknown_account", []),
    ("GET", "/accounts/nobody/keys", None, 404, "unknown_account", []),
    ("PUT", "/plans/new", {}, 400, "invalid_plan", ["currency", "meters"]),
    ("PUT", "/plans/new", {"name": "other"}, 400, "invalid_plan", ["name"]),
    ("PUT", "/plans/new", [], 400, "invalid", [""]),
    ("POST", "/quarantine/replay", {"ids": "all"}, 400, "invalid", ["/ids"]),
    ("POST", "/quarantine/replay", {"ids": [1, "2"]}, 400, "invalid", ["/ids/1"]),
    ("POST", "/quarantine/replay", {"ids": [0]}, 400, "invalid", ["/ids/0"]),
    ("POST", "/quarantine/replay", {"ids": [10**30]}, 400, "invalid", ["/ids/0"]),
    ("POST", "/quarantine/replay", {"ids": [1] * 10_001}, 400, "invalid", ["/ids"]),
    ("POST", "/webhooks", {}, 400, "invalid", ["/url"]),
    ("POST", "/webhooks", {"url": 5}, 400, "invalid", ["/url"]),
    ("POST", "/webhooks", {"url": ""}, 400, "invalid", ["/url"]),
    ("POST", "/webhooks", {"url": "http://hooks.example/"}, 400, "invalid", ["/url"]),
    ("POST", "/webhooks", {"url": "https://127.0.0.1/"}, 400, "invalid", ["/url"]),
    ("POST", "/webhooks", {"url": "https://hooks.example/" + "x" * 2000}, 400, "invalid", ["/url"]),
    ("POST", "/webhooks", {"url": HOOK, "events": "all"}, 400, "invalid", ["/events"]),
    ("POST", "/webhooks", {"url": HOOK, "events": ["tier.reached", "x"]}, 400, "invalid", ["/events/1"]),
    ("POST", "/webhooks?account=acme", {"url": HOOK, "events": ["account.created"]}, 400, "invalid", ["/events"]),
    ("POST", "/webhooks", {"url": HOOK, "description": "a\tb"}, 400, "invalid", ["/description"]),
    ("POST", "/webhooks", {"url": HOOK, "secret": "whsec_x"}, 400, "invalid", ["/secret"]),
    ("PATCH", "/webhooks/whe_none", {"on": True}, 404, "unknown_webhook", []),
    ("PATCH", "/webhooks/whe_none", {"on": 1}, 400, "invalid", ["/on"]),
    ("POST", "/webhooks/whe_none/rotate", {"overlap_seconds": -1}, 400, "invalid", ["/overlap_seconds"]),
    ("POST", "/webhooks/whe_none/rotate", {"overlap_seconds": 10**9}, 400, "invalid", ["/overlap_seconds"]),
    ("POST", "/webhooks/whe_none/replay", {}, 400, "invalid", ["/since"]),
    ("POST", "/webhooks/whe_none/replay", {"since": "yesterday"}, 400, "invalid", ["/since"]),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code", "where"), BODIES)
def test_a_wrong_body_is_refused_with_the_place(
    shared: Service, method: str, path: str, body: Any, status: int, code: str, where: list[str]
) -> None:
    shared.token("admin")
    before = state(shared)
    response = shared.admin(method, path, content=json.dumps(body).encode())
    document = problem(response, status, code)
    assert places(document) == where, document
    assert state(shared) == before


def state(service: Service) -> object:
    """Everything that a wrong body must leave as it was."""
    ledger = service.ledger
    return (
        ledger.accounts.list().accounts,
        ledger.accounts.keys("acme"),
        ledger.plans.list(),
        len(ledger.tokens.list()),
        ledger.webhooks.list(),
    )


PLAN = {"currency": "USD", "meters": [{"id": "pages", "price": "0.5"}]}
PLANS: list[tuple[dict[str, Any], list[str]]] = [
    ({"currency": "usd"}, ["currency"]),
    ({"free_jobs": -1}, ["free_jobs"]),
    ({"free_jobs": 1.5}, ["free_jobs"]),
    ({"meters": [{"id": "pages", "price": 0.5}]}, ["meters[0].price"]),
    ({"meters": [{"id": "pages", "price": "0.01", "per": 60}]}, ["meters[0].price"]),
    ({"meters": [{"id": "Pages", "price": "0.5"}]}, ["meters[0].id"]),
    ({"tiers": [{"after_jobs": 5, "discount": "0"}]}, ["tiers[0].after_jobs"]),
    ({"tiers": [{"after_jobs": 0, "discount": "101"}]}, ["tiers[0].discount"]),
    ({"surprise": 1}, ["surprise"]),
]


@pytest.mark.parametrize(("change", "where"), PLANS)
def test_a_wrong_plan_is_refused_with_the_key(shared: Service, change: dict[str, Any], where: list[str]) -> None:
    document = problem(shared.admin("PUT", "/plans/wrong", json={**PLAN, **change}), 400, "invalid_plan")
    assert set(where) <= set(places(document))
    problem(shared.admin("GET", "/plans/wrong"), 404, "unknown_plan")


@pytest.mark.parametrize(
    ("toml", "word"),
    [
        (b"name = ", "TOML"),
        (b"\xff", "UTF-8"),
        (b"a = " + b"[" * 400 + b"\n" + b"[" * 400 + b"\n" + b"[" * 400, "deep"),
        (b"a" + b".a" * 50_000 + b" = 1", ""),
        (b"a" + b".a" * 20_000 + b" = 1", "line"),
    ],
    ids=["broken", "not UTF-8", "nested too deeply", "too large", "a key of many parts"],
)
def test_wrong_toml_is_refused(shared: Service, toml: bytes, word: str) -> None:
    response = shared.admin("PUT", "/plans/wrong", content=toml, headers={"Content-Type": "application/toml"})
    document = problem(response, 413, "too_large") if not word else problem(response, 400, "invalid_plan")
    assert word in document["detail"]


@pytest.mark.parametrize(("method", "path"), [("PUT", "/plans/wrong"), ("POST", "/plans/simulate")])
def test_a_plan_in_json_with_a_key_that_stands_twice_is_refused_with_the_key(
    shared: Service, method: str, path: str
) -> None:
    for body, where in (
        (b'{"currency": "USD", "meters": [], "currency": "EUR"}', ["currency"]),
        (
            b'{"currency": "USD", "free_jobs": 1, "free_j\\u006fbs": 2, "meters": [{"price": "1", "price": "0.1"}]}',
            ["free_jobs", "meters[0].price"],
        ),
    ):
        document = problem(shared.admin(method, path, content=body), 400, "invalid_plan")
        assert places(document) == where
        assert all("stands there again" in error["detail"] for error in document["errors"])
    problem(shared.admin("GET", "/plans/wrong"), 404, "unknown_plan")


def test_a_later_version_of_a_plan_needs_its_month(shared: Service) -> None:
    shared.admin("PUT", "/plans/twice", json=PLAN)
    assert places(problem(shared.admin("PUT", "/plans/twice", json=PLAN), 400, "invalid")) == ["effective_from"]
    response = shared.admin("PUT", "/plans/twice", json=PLAN, params={"effective_from": "2025-13"})
    assert places(problem(response, 400, "invalid_month")) == ["effective_from"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/accounts"), ("PATCH", "/accounts/acme"), ("POST", "/tokens"), ("PUT", "/plans/x"), ("POST", "/jobs")],
)
def test_broken_json_is_refused_by_every_call(shared: Service, method: str, path: str) -> None:
    token = shared.token("ingest" if path == "/jobs" else "admin")
    for body in (b"{", b"", b"\xff", b'{"\xff": 1}', b"nothing", b"}"):
        problem(shared.call(method, path, token=token, content=body), 400, "invalid_json")
    wrong = shared.call(method, path, token=token, content=b"{}", headers={"Content-Type": "text/plain"})
    problem(wrong, 415, "unsupported_media_type")


def test_json_that_is_nested_too_deeply_is_refused(shared: Service) -> None:
    problem(shared.admin("PUT", "/plans/x", content=b'{"x":' * 100_000), 400, "invalid_json")


def test_a_body_of_an_administrative_call_has_its_own_limit(shared: Service) -> None:
    body = json.dumps({"name": "x" * 2**20}).encode()
    problem(shared.admin("POST", "/accounts", content=body), 413, "too_large")
