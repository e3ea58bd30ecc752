"""Answers that are no success, or none of Tallystick's, become errors of one tree, without the token."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tallystick import errors
from tallystick.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionFailed,
    FieldError,
    PermissionDenied,
    RateLimited,
    ResourceConflict,
    ResourceNotFound,
    ResponseError,
    ServerFailed,
)
from tests.client.scripted import TOKEN, Step, Twin, answer, problem

MakeTwin = Callable[..., Twin]


def failure(make: MakeTwin, *steps: Step, method: str = "usage.get", **arguments: Any) -> ResponseError:
    with pytest.raises(ResponseError) as caught:
        make(*steps, **{"max_retries": 0, **arguments}).call(method)
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, AuthenticationFailed),
        (403, PermissionDenied),
        (404, ResourceNotFound),
        (405, BadRequest),
        (408, BadRequest),
        (409, ResourceConflict),
        (413, BadRequest),
        (415, BadRequest),
        (422, BadRequest),
        (429, RateLimited),
        (499, BadRequest),
        (500, ServerFailed),
        (503, ServerFailed),
        (599, ServerFailed),
    ],
)
def test_each_status_has_its_error(twin: MakeTwin, status: int, kind: type[ResponseError]) -> None:
    error = failure(twin, problem(status, "some_code", "some detail", request_id="req-1"))
    assert type(error) is kind
    assert (error.status, error.code, error.detail, error.request_id) == (status, "some_code", "some detail", "req-1")
    assert str(error) == f"some detail ({status}, some_code, request req-1)"


def test_every_response_error_of_the_tree_can_be_raised() -> None:
    """The rows above name each class once at least."""
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ResponseError)}
    rows = {
        AuthenticationFailed,
        BadRequest,
        PermissionDenied,
        RateLimited,
        ResourceConflict,
        ResourceNotFound,
        ServerFailed,
    }
    assert kinds - {ResponseError} == rows


def test_the_places_that_a_problem_names_are_read(twin: MakeTwin) -> None:
    entries = [
        {"detail": "is no month", "parameter": "start_month"},
        {"detail": "is missing", "pointer": "/name", "hint": "unknown members are left out"},
        {"detail": "is dear", "key": "meters[0].price"},
        {"parameter": "has no detail"},
        "not an object",
    ]
    assert failure(twin, problem(400, "invalid", errors=entries)).errors == (
        FieldError("is no month", parameter="start_month"),
        FieldError("is missing", pointer="/name"),
        FieldError("is dear", key="meters[0].price"),
    )
    assert failure(twin, problem(400, "invalid", errors="many")).errors == ()


def test_the_request_id_of_the_header_stands_in(twin: MakeTwin) -> None:
    assert failure(twin, problem(500, "internal")).request_id == "req-header"


@pytest.mark.parametrize(
    "body",
    [
        b"<html><h1>Bad Gateway</h1></html>",
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"message": "from a gateway"}',
        b'{"code": 5, "detail": {}, "title": ""}',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_an_error_without_a_problem_document_says_so(twin: MakeTwin, body: bytes) -> None:
    headers = {"content-type": "text/html; charset=utf-8", "x-request-id": "proxy-7"}
    error = failure(twin, httpx.Response(502, content=body, headers=headers))
    assert type(error) is ServerFailed
    assert (error.status, error.code, error.request_id, error.errors) == (502, "http_502", "proxy-7", ())
    assert "502 Bad Gateway with text/html and no problem document" in error.detail
    assert "<h1>" not in str(error)


def test_an_error_with_nothing_at_all_still_says_something(twin: MakeTwin) -> None:
    error = failure(twin, httpx.Response(599))
    assert "the answer is 599 with no media type" in error.detail
    assert error.request_id is None


def test_a_problem_that_has_only_a_title_shows_it(twin: MakeTwin) -> None:
    error = failure(twin, answer(404, {"title": "No such page"}))
    assert (error.detail, error.code) == ("No such page", "http_404")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>welcome</html>",
        b"",
        b"null",
        b"[]",
        b"{}",
        b"5",
        b"\xff",
        b"[" * 100_000,
        b'{"period": 1}',
        b'{"jobs": 0.5}',
        b'{"jobs": NaN}',
        b'{"jobs": 1e99999999999999999999}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_success_that_cannot_be_read_is_a_bad_response(twin: MakeTwin, body: bytes) -> None:
    for method in (
        "usage.get",
        "usage.explain",
        "usage.daily",
        "usage.accounts",
        "jobs.list",
        "accounts.list",
        "plans.list",
    ):
        client = twin(answer(200, body, X_Request_Id="req-1"))
        with pytest.raises(ResponseError, match="base_url") as caught:
            client.call(method)
        error = caught.value
        assert type(error) is ResponseError
        assert (error.status, error.code, error.request_id) == (200, "bad_response", "req-1")
        assert len(client.script.requests) == 1


@pytest.mark.parametrize("jobs", [b"1.5", b"1e3", b"NaN", b"true", b'"1"', b"null", b"1e99999999999999999999"])
def test_a_number_of_another_kind_is_a_bad_response(twin: MakeTwin, jobs: bytes) -> None:
    """Beside the report that is read without complaint."""
    period = b'{"period":{"start_month":"2025-01","end_month":"2025-01"},"monthly_breakdown":[],"api_keys":{},"totals":'
    costs = b'"base_cost":1,"final_cost":1,"savings":0,"effective_discount_percentage":0,"free_jobs_left":0}}'
    assert twin(answer(200, period + b'{"jobs":2,' + costs)).call("usage.get").totals.jobs == 2
    error = failure(twin, answer(200, period + b'{"jobs":' + jobs + b"," + costs))
    assert (error.status, error.code) == (200, "bad_response")


def test_a_new_token_that_cannot_be_read_is_a_bad_response(twin: MakeTwin) -> None:
    with pytest.raises(ResponseError) as caught:
        twin(answer(201, {"token": 5})).call("tokens.create", "admin")
    assert (caught.value.status, caught.value.code) == (201, "bad_response")


def test_an_answer_that_cannot_be_decompressed_is_a_bad_response(twin: MakeTwin) -> None:
    error = failure(twin, httpx.DecodingError("incorrect header check"), max_retries=2)
    assert (error.status, error.code) == (None, "bad_response")
    assert "incorrect header check" in error.detail


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_that_names_the_location(twin: MakeTwin, status: int) -> None:
    client = twin(answer(status, location="https://elsewhere.test/usage"))
    with pytest.raises(ResponseError) as caught:
        client.call("usage.get")
    assert type(caught.value) is ResponseError
    assert (caught.value.status, caught.value.code) == (status, "redirect")
    assert "https://elsewhere.test/usage" in caught.value.detail
    assert client.script.request.url.host == "server.test"


def test_a_redirect_to_nowhere_is_an_error_too(twin: MakeTwin) -> None:
    assert "without saying where" in failure(twin, answer(304)).detail


@pytest.mark.parametrize("token", [TOKEN, "an-opaque-token"])
def test_the_token_is_in_no_error_and_in_no_log(twin: MakeTwin, token: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"you sent Bearer {token}"
    steps: list[Step] = [
        problem(401, "unauthenticated", echo),
        answer(404, {"title": echo}),
        answer(307, location=f"https://elsewhere.test/?token={token}"),
        answer(200, {"period": echo}),
        httpx.ConnectError(echo),
        httpx.ReadTimeout(echo),
        httpx.DecodingError(echo),
    ]
    for step in steps:
        with pytest.raises((ResponseError, ConnectionFailed)) as caught:
            twin(step, token=token, max_retries=0).call("usage.get")
        error = caught.value
        assert token not in f"{error} {error!r} {error.args} {vars(error)}"
        if isinstance(step, httpx.Response):
            assert token not in "".join(traceback.format_exception(error))
    assert caplog.messages
    assert token not in caplog.text


def test_another_token_in_an_answer_is_struck_out_too(twin: MakeTwin) -> None:
    error = failure(twin, problem(400, "invalid", f"{TOKEN} is no name"), token="short")
    assert error.detail == "tally_… is no name"
