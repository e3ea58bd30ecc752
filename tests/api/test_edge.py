"""What every request and answer goes through."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from litestar import HttpMethod

from tallystick.api.app import ROUTES
from tallystick.api.calls import OPTION
from tallystick.api.edge import canonical_path, mount_of
from tests.api.service import Records, Service, job, problem
from tests.api.test_routes import CASES

MADE = re.compile(r"[0-9a-f]{24}")


def kinds(service: Service) -> dict[int, httpx.Response]:
    """One answer of each status that can be had without breaking anything."""
    headers = {"If-None-Match": "*"}
    return {
        200: service.call("GET", "/healthz"),
        201: service.admin("POST", "/accounts", json={"name": service.account() + "!"}),
        204: service.call("OPTIONS", "/usage"),
        304: service.admin("GET", "/plans", headers=headers),
        400: service.admin("GET", "/usage", params={"x": "y"}),
        401: service.call("GET", "/usage"),
        403: service.call("GET", "/plans", token=service.token("ingest")),
        404: service.call("GET", "/nothing"),
        405: service.call("PUT", "/usage"),
        409: service.admin("POST", "/accounts", json={"name": "acme"}),
        413: service.admin("POST", "/accounts", content=b"x" * (2**20 + 1)),
        415: service.post_jobs(b"", kind="text/plain"),
    }


def test_every_answer_has_an_id_of_its_own_and_the_security_headers(shared: Service) -> None:
    answers = kinds(shared)
    assert {status: answer.status_code for status, answer in answers.items()} == {status: status for status in answers}
    ids = [answer.headers["x-request-id"] for answer in answers.values()]
    assert all(MADE.fullmatch(each) for each in ids)
    assert len(set(ids)) == len(ids)
    for answer in answers.values():
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] in {"no-store", "private, no-cache"}
        assert "server" not in answer.headers
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64])
def test_an_id_of_the_client_is_taken_over(shared: Service, log: Records, given: str) -> None:
    for path in ("/healthz", "/nothing", "/usage"):
        response = shared.call("GET", path, headers={"X-Request-Id": given})
        assert response.headers["x-request-id"] == given
    assert problem(shared.call("GET", "/usage", headers={"X-Request-Id": given}), 401, "unauthenticated")
    assert all(line.endswith(f" {given}") for line in access_lines(log, 4))


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a/b", "é", "a\tb", "<script>"])
def test_an_id_of_another_form_is_replaced(shared: Service, given: str) -> None:
    response = shared.call("GET", "/healthz", headers={"X-Request-Id": given.encode("latin-1")})
    assert MADE.fullmatch(response.headers["x-request-id"])


def test_of_several_ids_none_is_taken_and_of_several_encodings_each(shared: Service) -> None:
    headers = [("X-Request-Id", "a"), ("X-Request-Id", "b"), ("Accept-Encoding", "gzip"), ("Accept-Encoding", "br")]
    response = shared.client.get("/openapi.json", headers=headers)
    assert MADE.fullmatch(response.headers["x-request-id"])
    assert response.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("path", sorted({path for route in ROUTES for path in route.opt[OPTION].paths}))
def test_options_names_the_methods_of_every_path_without_a_token(shared: Service, path: str) -> None:
    methods = {route.opt[OPTION].method.value for route in ROUTES if path in route.opt[OPTION].paths}
    expected = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    response = shared.call("OPTIONS", re.sub(r"\{.*?\}", "x", path))
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["allow"] == ", ".join(sorted(expected))


def test_head_is_refused_where_there_is_nothing_to_get(shared: Service) -> None:
    response = shared.admin("HEAD", "/quarantine/replay")
    assert (response.status_code, response.content) == (405, b"")


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        (b"/usage", "/usage"),
        (b"/%75sage", "/usage"),
        (b"/accounts/a%2fb", "/accounts/a%2Fb"),
        (b"/accounts/a%252Fb", "/accounts/a%252Fb"),
        (b"/accounts/a+b c~", "/accounts/a%2Bb%20c~"),
        (b"/accounts/%E6%97%a5", "/accounts/%E6%97%A5"),
        (b"/accounts/%FF", "/accounts/%FF"),
        (b"/%", "/%25"),
    ],
)
def test_a_path_has_one_canonical_form(raw: bytes, canonical: str) -> None:
    assert canonical_path({"raw_path": raw, "path": unquote(raw.decode())}) == canonical
    assert canonical_path({"raw_path": canonical.encode(), "path": unquote(canonical)}) == canonical


@pytest.mark.parametrize(
    ("root_path", "path", "raw"),
    [
        ("/billing", "/billing/accounts/a/b", b"/billing/accounts/a%2Fb"),
        ("/billing", "/accounts/a/b", b"/billing/accounts/a%2Fb"),
        ("/billing", "/accounts/a/b", b"/accounts/a%2Fb"),
        ("", "/accounts/a/b", b"/billing/accounts/a%2Fb"),
        ("/our apps/billing/", "/our apps/billing/accounts/a/b", b"/our%20apps/billing/accounts/a%2fb"),
    ],
)
def test_a_mount_is_taken_off_whoever_left_it_where(root_path: str, path: str, raw: bytes) -> None:
    assert canonical_path({"root_path": root_path, "path": path, "raw_path": raw}) == "/accounts/a%2Fb"


def test_a_mount_itself_is_the_root_and_a_longer_name_is_not_it() -> None:
    assert canonical_path({"root_path": "/billing", "path": "/billing/", "raw_path": b"/billing/"}) == "/"
    longer = {"root_path": "/billing", "path": "/billings/usage", "raw_path": b"/billings/usage"}
    assert canonical_path(longer) == "/billings/usage"
    assert mount_of({"root_path": "/our apps/"}) == "/our%20apps"


def test_a_server_that_gives_no_raw_path_is_served_too() -> None:
    assert canonical_path({"path": "/accounts/a b"}) == "/accounts/a%20b"


def test_a_name_that_is_not_utf8_is_400(shared: Service) -> None:
    document = problem(shared.admin("GET", "/accounts/%FF"), 400, "invalid_path")
    assert document["errors"][0]["parameter"] == "account"


# The log.


def access_lines(log: Records, number: int) -> list[str]:
    """The lines of that many requests; a line is written just after its answer."""
    for _ in range(1000):
        lines = [
            line for record, line in zip(log.records, log.lines, strict=True) if record.name == "tallystick.access"
        ]
        if len(lines) >= number:
            return lines
        threading.Event().wait(0.01)
    raise AssertionError(f"{number} requests should have been logged by now: {log.lines}")


def test_each_request_is_one_line_without_query_and_names(shared: Service, log: Records) -> None:
    account = shared.account()
    shared.admin("GET", f"/accounts/{account}")
    shared.admin("GET", "/usage", params={"account": account, "start_month": "2025-01"})
    shared.call("GET", "/nothing/here%0Ato%20see?secret=1")
    form = r"(\w+) (\S+) (\d+) \d+\.\d ms [0-9a-f]{24}"
    parsed = [re.fullmatch(form, line) for line in access_lines(log, 3)]
    assert [match and match.groups() for match in parsed] == [
        ("GET", "/accounts/{account}", "200"),
        ("GET", "/usage", "200"),
        ("GET", "/nothing/here%0Ato%20see", "404"),
    ]
    assert account not in log.text
    assert not [line for line in log.lines if "secret" in line]
    assert not [record for record in log.records if record.name == "uvicorn.access"]


# Connections.


@contextmanager
def connected(service: Service) -> Iterator[socket.socket]:
    host, _, port = service.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        yield connection


def post_head(service: Service, length: int) -> bytes:
    token = service.token("ingest")
    return f"POST /jobs HTTP/1.1\r\nHost: x\r\nX-Api-Key: {token}\r\nContent-Length: {length}\r\n\r\n".encode()


def more(connection: socket.socket) -> bytes:
    """What arrives next; the end of the connection is a failure, not a reason to wait for ever."""
    piece = connection.recv(65536)
    assert piece, "the server hung up"
    return piece


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Reads one answer, which has a Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += more(connection)
    return int(status.split()[1]), headers, body


def test_a_connection_serves_many_requests(shared: Service) -> None:
    body = json.dumps(job(shared.account())).encode()
    with connected(shared) as connection:
        for _ in range(5):
            connection.sendall(post_head(shared, len(body)) + body)
            status, headers, result = answer(connection)
            assert (status, headers.get("connection")) == (200, None)
            assert sum(json.loads(result)[name] for name in ("accepted", "duplicates")) == 1


def test_a_connection_serves_on_after_a_body_was_refused_unread(shared: Service) -> None:
    body = b"x" * 200_000
    with connected(shared) as connection:
        connection.sendall(
            post_head(shared, len(body)).replace(b"\r\n\r\n", b"\r\nContent-Type: text/x\r\n\r\n") + body
        )
        assert answer(connection)[0] == 415
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(connection)[0] == 200


def test_pipelined_requests_are_answered_in_order(shared: Service) -> None:
    with connected(shared) as connection:
        connection.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while received.count(b"HTTP/1.1 ") < 2 or not received.endswith(b'{"status":"ok"}'):
            received += more(connection)
    assert received.index(b"404 Not Found") < received.index(b"200 OK")


def test_a_client_that_hangs_up_in_its_body_is_no_error_of_the_server(shared: Service, log: Records) -> None:
    account = shared.account()
    good = json.dumps(job(account)).encode()
    for headers in (b"", b"Content-Encoding: gzip\r\n", b"Content-Type: application/x-ndjson\r\n"):
        with connected(shared) as connection:
            head = post_head(shared, len(good) + 1000).removesuffix(b"\r\n")
            connection.sendall(head + headers + b"\r\n" + (good + b"\n" if b"gzip" not in headers else b"\x1f\x8b"))
    lines = access_lines(log, 3)
    assert log.errors() == []
    assert [line.split()[:3] for line in lines] == [["POST", "/jobs", "400"]] * 3
    assert shared.jobs_of(account) == 0
    assert shared.call("GET", "/healthz").status_code == 200


def test_two_identical_posts_at_the_same_time_store_each_job_once(shared: Service) -> None:
    account = shared.account()
    body = json.dumps([job(account) for _ in range(500)]).encode()
    start, results = threading.Barrier(4), []

    def post() -> None:
        with httpx.Client(base_url=shared.url, timeout=30) as client:
            start.wait()
            headers = {"X-Api-Key": shared.token("ingest")}
            results.append(client.post("/jobs", content=body, headers=headers).json())

    shared.token("ingest")
    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result["accepted"] for result in results) == 500
    assert sum(result["duplicates"] for result in results) == 1500
    assert shared.jobs_of(account) == 500


def test_reads_are_answered_while_a_slow_body_arrives(shared: Service) -> None:
    body = json.dumps(job(shared.account())).encode()
    with connected(shared) as connection:
        connection.sendall(post_head(shared, len(body)) + body[:10])
        for operation in ("getHealth", "getUsage", "listPlans"):
            assert CASES[operation][1](shared).status_code == 200
        connection.sendall(body[10:])
        status, _, result = answer(connection)
    assert (status, json.loads(result)["accepted"]) == (200, 1)


def test_the_loop_is_not_blocked_by_the_ledger(shared: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    held, released = threading.Event(), threading.Event()

    def wait(*_: Any) -> None:
        held.set()
        assert released.wait(10)

    monkeypatch.setattr(shared.ledger, "check_ready", wait)
    asking = threading.Thread(target=lambda: httpx.get(shared.url + "/readyz"))
    asking.start()
    try:
        assert held.wait(10)
        assert shared.call("GET", "/healthz").status_code == 200
    finally:
        released.set()
        asking.join()


def test_methods_of_the_routes_are_those_of_the_design() -> None:
    assert {route.opt[OPTION].method for route in ROUTES} == {
        HttpMethod.GET,
        HttpMethod.POST,
        HttpMethod.PATCH,
        HttpMethod.PUT,
        HttpMethod.DELETE,
    }
