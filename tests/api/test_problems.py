"""Errors on the wire: one table, one shape."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import sqlite3
from typing import Any

import httpx
import pytest
from litestar import Litestar, get
from litestar.exceptions import InternalServerException
from litestar.response import Response

from tallystick import errors
from tallystick.api.edge import Edge
from tallystick.api.metrics import Metrics
from tallystick.api.problems import STATUSES, answer_error, problem
from tallystick.errors import FieldError, RequestError, StoreError, StoreUnavailable, TallystickError
from tallystick.ledger import Ledger
from tallystick.model.tokens import make_token
from tests.api.service import JANUARY, Records, Service
from tests.api.service import problem as checked

TOKEN = make_token(bytes(range(32)))


def core_errors() -> set[type[TallystickError]]:
    return {
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, TallystickError) and kind is not TallystickError and not issubclass(kind, RequestError)
    }


def test_the_table_has_every_error_of_the_core_and_no_other() -> None:
    assert set(STATUSES) == core_errors()


def test_every_status_of_the_table_is_one_of_an_error() -> None:
    assert all(400 <= status < 600 for status in STATUSES.values())


def test_a_problem_document_has_its_members_and_none_called_error() -> None:
    body = problem(400, "invalid", "start: no", request_id="r", errors=[FieldError("no", parameter="start")])
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "code": "invalid",
        "detail": "start: no",
        "request_id": "r",
        "errors": [{"detail": "no", "parameter": "start"}],
    }


def test_a_problem_document_is_struck_of_tokens_everywhere() -> None:
    places = [FieldError(TOKEN, parameter=TOKEN), FieldError(TOKEN, pointer=f"/{TOKEN}"), FieldError("x", key=TOKEN)]
    body = problem(400, "invalid", f"{TOKEN}: no", request_id="r", errors=places).decode()
    assert TOKEN.removeprefix("tally_") not in body
    assert body.count("tally_…") == 6


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("GET", "/accounts/a/b/c"), ("POST", "/jobs/1")])
def test_an_unknown_path_is_404(shared: Service, method: str, path: str) -> None:
    assert path not in checked(shared.admin(method, path), 404, "not_found")["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/usage", "GET, HEAD, OPTIONS"),
        ("DELETE", "/jobs", "GET, HEAD, OPTIONS, POST"),
        ("GET", "/tokens/x", "DELETE, OPTIONS"),
        ("HEAD", "/tokens/x", "DELETE, OPTIONS"),
        ("PUT", "/accounts/x", "GET, HEAD, OPTIONS, PATCH"),
    ],
)
def test_a_wrong_method_is_405_with_those_allowed(shared: Service, method: str, path: str, allow: str) -> None:
    response = shared.admin(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allow)
    if method != "HEAD":
        checked(response, 405, "method_not_allowed")


def test_a_host_that_is_none_is_400(shared: Service) -> None:
    checked(shared.call("GET", "/healthz", headers={"Host": "a\\b"}), 400, "invalid")


def fail_with(error: Exception) -> object:
    def fail(*_: object, **__: object) -> object:
        raise error

    return fail


def test_an_unexpected_error_is_500_and_tells_nothing_but_its_id(
    fresh: Service, log: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "usage", fail_with(ValueError(f"inner workings of {TOKEN}")))
    response = fresh.admin("GET", "/usage", params={**JANUARY, "account": "acme"})
    document = checked(response, 500, "internal")
    assert "inner" not in response.text
    assert "ValueError" not in response.text
    (line,) = log.errors()
    assert document["request_id"] in line
    assert "ValueError: inner workings of tally_…" in line
    assert fresh.call("GET", "/healthz").status_code == 200


@pytest.mark.parametrize(
    "error", [StoreUnavailable("disk /secret/place is full"), StoreError("schema of /secret/place")]
)
def test_a_database_that_fails_tells_nothing_of_itself(
    fresh: Service, log: Records, monkeypatch: pytest.MonkeyPatch, error: StoreError
) -> None:
    monkeypatch.setattr(Ledger, "record_body_async", fail_with(error))
    monkeypatch.setattr(Ledger, "check_ready", fail_with(error))
    ready, posted = fresh.call("GET", "/readyz"), fresh.post_jobs([])
    assert "secret" not in ready.text + posted.text
    assert "/secret/place" in log.text
    checked(ready, 503, "store_unavailable")
    assert ready.headers["retry-after"] == "1"
    if isinstance(error, StoreUnavailable):
        checked(posted, 503, "store_unavailable")
        assert posted.headers["retry-after"] == "1"
    else:
        checked(posted, 500, "internal")
    assert fresh.call("GET", "/healthz").status_code == 200


def test_a_request_that_is_turned_away_hears_why_and_when_to_come_back(
    fresh: Service, log: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = StoreUnavailable("too many jobs wait", code="overloaded")
    monkeypatch.setattr(Ledger, "record_body_async", fail_with(error))
    response = fresh.post_jobs([])
    assert checked(response, 503, "overloaded")["detail"] == "too many jobs wait"
    assert response.headers["retry-after"] == "1"
    assert log.errors() == []
    assert "was turned away: overloaded" in log.text


def test_a_locked_database_is_not_ready_while_health_is_well(fresh: Service) -> None:
    assert fresh.call("GET", "/readyz").json() == {"status": "ok"}
    holder = sqlite3.connect(fresh.folder / "tallystick.db", isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        assert fresh.call("GET", "/healthz").status_code == 200
    finally:
        holder.close()
    assert fresh.call("GET", "/readyz").status_code == 200


def ask(app: Any) -> httpx.Response:
    async def get() -> httpx.Response:
        transport: Any = httpx.ASGITransport(app=Edge(app, Metrics()))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/anything")

    return asyncio.run(get())


def test_what_goes_wrong_around_the_routes_is_a_problem_too(log: Records) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError(TOKEN)

    document = checked(ask(broken), 500, "internal")
    assert TOKEN.removeprefix("tally_") not in log.text
    assert "RuntimeError: tally_…" in log.text
    assert re.search(rf"GET /anything 500 \d+\.\d ms {document['request_id']}", log.text)


def test_an_error_after_the_answer_is_left_to_the_server() -> None:
    async def late(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"whole"})
        raise RuntimeError("too late")

    with pytest.raises(RuntimeError, match="too late"):
        ask(late)


def test_an_error_of_the_framework_tells_nothing_of_itself(log: Records) -> None:
    @get("/anything")
    async def fails() -> Response[bytes]:
        raise InternalServerException("inner workings")

    response = ask(Litestar([fails], exception_handlers={Exception: answer_error}, logging_config=None))
    checked(response, 500, "internal")
    assert "inner workings" not in response.text
    assert "inner workings" in log.text
