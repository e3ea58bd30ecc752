"""GET /jobs as NDJSON: chosen by the parameter or by Accept, sent while it is made, gone on with from a cursor."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from typing import Any

import httpx
import pytest

from tallystick import Client
from tallystick.model.wire import encode
from tests.api.service import JANUARY, LINES, Records, Service, job, places, problem

ACCEPTS = [
    (LINES, True),
    ("application/json, application/x-ndjson;q=0.9", False),
    ("application/json;q=0.5, application/x-ndjson", True),
    ("application/*;q=0.2, application/x-ndjson;q=0.8", True),
    ("*/*", False),
    ("text/html", False),
    ("application/x-ndjson;q=0", False),
    ("application/x-ndjson;q=x", False),
    ("", False),
]


def get(service: Service, headers: dict[str, str] | None = None, **query: str) -> httpx.Response:
    token = service.token("usage", "acme")
    return service.call("GET", "/jobs", token=token, params={**JANUARY, **query}, headers=headers or {})


@pytest.mark.parametrize(("accept", "as_lines"), ACCEPTS)
def test_accept_chooses_the_format(shared: Service, accept: str, as_lines: bool) -> None:
    response = get(shared, {"Accept": accept}, limit="5")
    assert response.headers["content-type"] == (LINES if as_lines else "application/json")
    assert "Accept" in response.headers["vary"]


def test_the_parameter_beats_accept(shared: Service) -> None:
    assert get(shared, {"Accept": "application/json"}, format="ndjson").headers["content-type"] == LINES
    assert get(shared, {"Accept": LINES}, format="json").json()["jobs"]
    assert places(problem(get(shared, format="csw"), 400, "invalid_parameter")) == ["format"]


def test_the_lines_are_the_jobs_of_the_pages(shared: Service) -> None:
    response = get(shared, format="ndjson")
    expected = shared.ledger.jobs("acme", "2025-01", "2025-01", limit=1000).jobs
    assert response.content.splitlines() == [encode(entry.to_dict()) for entry in expected]
    assert response.headers["tallystick-currency"] == "USD"
    assert response.headers["cache-control"] == "private, no-cache"
    assert "content-length" not in response.headers


def test_a_download_goes_on_from_the_cursor_in_the_header(shared: Service) -> None:
    whole = get(shared, format="ndjson").content
    first = get(shared, format="ndjson", limit="100")
    rest = get(shared, format="ndjson", limit="100", cursor=first.headers["tallystick-next-cursor"])
    assert first.content + rest.content == whole
    assert "tallystick-next-cursor" not in rest.headers


def test_the_sdk_reads_lines_from_cursor_to_cursor(shared: Service) -> None:
    with Client(base_url=shared.url, token=shared.token("usage", "acme")) as client:
        page = client.jobs.lines("2025-01", "2025-01", limit=60)
        rest = client.jobs.lines("2025-01", "2025-01", limit=60, cursor=page.next_cursor)
    assert page.body + rest.body == get(shared, format="ndjson").content
    assert (page.currency, rest.next_cursor) == ("USD", None)


@pytest.mark.parametrize(("query", "place"), [({"limit": "50001"}, "limit"), ({"cursor": "!"}, "cursor")])
def test_what_is_wrong_is_a_problem_document(shared: Service, query: dict[str, str], place: str) -> None:
    response = shared.call("GET", "/jobs", token=shared.token("usage", "acme"), params={**query, "format": "ndjson"})
    assert response.status_code == 400
    assert places(response.json()) == [place]


def test_pages_of_json_keep_their_limit(shared: Service) -> None:
    assert places(problem(get(shared, limit="1001"), 400, "invalid_parameter")) == ["limit"]


def test_another_accounts_lines_are_refused(shared: Service) -> None:
    response = shared.call("GET", "/jobs?format=ndjson&account=acme", token=shared.token("usage", shared.account()))
    problem(response, 403, "forbidden")


def test_lines_are_compressed_for_who_takes_it_and_head_has_no_body(shared: Service) -> None:
    plain = get(shared, {"Accept-Encoding": "identity"}, format="ndjson")
    assert "content-encoding" not in plain.headers
    zipped = raw(shared, "GET", {"Accept-Encoding": "gzip"})
    assert zipped.headers["content-encoding"] == "gzip"
    body = b"".join(zipped.iter_raw())
    zipped.close()
    assert gzip.decompress(body) == plain.content
    assert len(body) < len(plain.content) / 5
    head = raw(shared, "HEAD", {"Accept-Encoding": "identity"})
    assert (head.read(), head.status_code) == (b"", 200)
    head.close()


def raw(service: Service, method: str, headers: dict[str, str]) -> httpx.Response:
    token = service.token("usage", "acme")
    query = {**JANUARY, "format": "ndjson"}
    headers = {"Authorization": f"Bearer {token}", **headers}
    return service.client.send(
        service.client.build_request(method, "/jobs", params=query, headers=headers), stream=True
    )


class Broken:
    """A ledger that is lost after its first chunk."""

    next_cursor = None
    currency = "USD"

    def __init__(self) -> None:
        self.closed = threading.Event()
        self._chunks = iter([b'{"rank":1}\n'])

    def __iter__(self) -> Broken:
        return self

    def __next__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        raise RuntimeError("the database is gone")

    def close(self) -> None:
        self.closed.set()


class Endless(Broken):
    """A ledger that does not end."""

    def __next__(self) -> bytes:
        return b'{"rank":1}\n' * 5000


def instead(monkeypatch: pytest.MonkeyPatch, service: Service, lines: Any) -> None:
    monkeypatch.setattr(service.ledger, "job_lines", lambda *_, **__: lines)


def test_an_error_on_the_way_breaks_the_connection_off(
    shared: Service, monkeypatch: pytest.MonkeyPatch, log: Records
) -> None:
    broken = Broken()
    instead(monkeypatch, shared, broken)
    with pytest.raises(httpx.RemoteProtocolError):
        get(shared, {"Accept-Encoding": "identity"}, format="ndjson")
    assert broken.closed.wait(10)
    assert "the database is gone" in log.text


def test_a_client_that_leaves_ends_the_reading(shared: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Endless()
    instead(monkeypatch, shared, endless)
    host, port = shared.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        token = shared.token("usage", "acme")
        connection.sendall(f"GET /jobs?format=ndjson HTTP/1.1\r\nHost: x\r\nX-Api-Key: {token}\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    assert endless.closed.wait(30)


def test_a_slow_client_holds_the_reading_back(shared: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not taken is not made: the server does not fill its memory."""
    made = 0

    class Counted(Endless):
        def __next__(self) -> bytes:
            nonlocal made
            made += 1
            return super().__next__()

    counted = Counted()
    instead(monkeypatch, shared, counted)
    host, port = shared.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        token = shared.token("usage", "acme")
        connection.sendall(f"GET /jobs?format=ndjson HTTP/1.1\r\nHost: x\r\nX-Api-Key: {token}\r\n\r\n".encode())
        connection.recv(100)
        seen = -1
        while seen != made:
            seen = made
            threading.Event().wait(0.3)
        assert made < 500
    assert counted.closed.wait(30)


def test_lines_come_while_jobs_are_taken(shared: Service) -> None:
    account = shared.account()
    shared.post_jobs([job(account) for _ in range(300)])
    response = shared.admin("GET", "/jobs", params={**JANUARY, "account": account, "format": "ndjson"})
    assert [json.loads(line)["rank"] for line in response.iter_lines()] == list(range(1, 301))
