"""What came of a call, as its result or as an error of the tree in `tallystick.errors`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import msgspec

from tallystick.client.call import Answer, Call, Result, is_of
from tallystick.client.connection import Connection
from tallystick.client.retries import Outcome
from tallystick.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionFailed,
    FieldError,
    PermissionDenied,
    RateLimited,
    RequestError,
    RequestTimeout,
    ResourceConflict,
    ResourceNotFound,
    ResponseError,
    ServerFailed,
)
from tallystick.model.wire import decode

BY_STATUS: Final[Mapping[int, type[ResponseError]]] = {
    status: kind
    for kind in (AuthenticationFailed, PermissionDenied, ResourceNotFound, ResourceConflict, RateLimited)
    for status in kind.statuses
}

_UNREADABLE: Final = (
    ArithmeticError,  # a number with an impossible exponent
    AttributeError,
    LookupError,
    RecursionError,  # thousands of nested brackets
    TypeError,
    ValueError,  # not UTF-8, not JSON; msgspec.ValidationError is one too
)
"""How reading an answer fails when it is not what the API says."""


def result_of(call: Call[Result], outcome: Outcome, connection: Connection, attempts: int) -> Result:
    """The result of a call after its last attempt. Raises `RequestError`."""
    if isinstance(outcome, httpx.RequestError):
        raise _no_answer(outcome, connection, attempts) from outcome
    answer = _answer(outcome, outcome.content)
    if not outcome.is_success:
        raise _refusal(answer, outcome.reason_phrase, connection)
    try:
        return call.parse(answer)
    except _UNREADABLE as error:
        raise _unreadable(call, answer, error) from error


def is_begun(call: Call[Any], response: httpx.Response) -> bool:
    """Whether this is the answer that the call wants to read in chunks; any other is short and read at once."""
    return response.is_success and is_of(response.headers, call.accept)


def begun(call: Call[None], outcome: Outcome, connection: Connection, attempts: int) -> httpx.Response:
    """The response whose body can now be read in chunks. Raises `RequestError` where there is none, or another."""
    if isinstance(outcome, httpx.Response) and is_begun(call, outcome):
        return outcome
    result_of(call, outcome, connection, attempts)
    assert isinstance(outcome, httpx.Response), "without a response there is no result"
    raise _unreadable(call, _answer(outcome, b""), ValueError())


def broken_off(error: httpx.RequestError, connection: Connection) -> RequestError:
    """The error for an answer that ended before its end."""
    if isinstance(error, httpx.TimeoutException):
        return RequestTimeout(f"{connection.base_url} sent no more within {connection.timeout_seconds:g} seconds")
    reason = connection.without_token(str(error)) or type(error).__name__
    return ConnectionFailed(f"the answer of {connection.base_url} broke off: {reason}")


def _answer(response: httpx.Response, body: bytes) -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def _unreadable(call: Call[Any], answer: Answer, error: Exception) -> ResponseError:
    reason = str(error) if isinstance(error, msgspec.ValidationError) else type(error).__name__
    return ResponseError(
        f"the answer to {call.method} {call.path} is not what Tallystick answers ({reason}); "
        "does base_url lead to a Tallystick server?",
        status=answer.status,
        code="bad_response",
        request_id=answer.headers.get("x-request-id"),
    )


def _no_answer(error: httpx.RequestError, connection: Connection, attempts: int) -> RequestError:
    reason = connection.without_token(str(error)) or type(error).__name__
    tries = f" (tried {attempts} times)" if attempts > 1 else ""
    where, seconds = connection.base_url, f"{connection.timeout_seconds:g} seconds"
    if isinstance(error, (httpx.ConnectTimeout, httpx.PoolTimeout)):
        return ConnectionFailed(f"no connection to {where} within {seconds}{tries}")
    if isinstance(error, httpx.TimeoutException):
        return RequestTimeout(f"{where} did not answer within {seconds}{tries}")
    if isinstance(error, httpx.TransportError):
        return ConnectionFailed(f"cannot reach {where}: {reason}{tries}")
    return ResponseError(f"the answer of {where} cannot be decoded: {reason}", code="bad_response")


def _refusal(answer: Answer, phrase: str, connection: Connection) -> ResponseError:
    """The error for an answer that is no success: read from its problem document, if it has one."""
    status, problem = answer.status, _problem(answer)
    detail, code = _text(problem, "detail") or _text(problem, "title"), _text(problem, "code")
    if 300 <= status < 400:
        code, detail = "redirect", _redirect(answer)
    error = _kind(status)(
        connection.without_token(detail or _without_problem(answer, phrase)),
        status=status,
        code=code or f"http_{status}",
        request_id=_text(problem, "request_id") or answer.headers.get("x-request-id"),
    )
    error.errors = tuple(_field_errors(problem))
    return error


def _kind(status: int) -> type[ResponseError]:
    if status >= 500:
        return ServerFailed
    return BY_STATUS.get(status, BadRequest) if status >= 400 else ResponseError


def _problem(answer: Answer) -> Mapping[str, Any]:
    try:
        document = decode(answer.body)
    except _UNREADABLE:
        return {}
    return document if isinstance(document, dict) else {}


def _text(problem: Mapping[str, Any], member: str) -> str | None:
    value = problem.get(member)
    return value if isinstance(value, str) and value else None


def _field_errors(problem: Mapping[str, Any]) -> Iterator[FieldError]:
    entries = problem.get("errors")
    for entry in entries if isinstance(entries, list) else ():
        try:
            yield msgspec.convert(entry, FieldError)
        except msgspec.ValidationError:
            continue


def _redirect(answer: Answer) -> str:
    location = answer.headers.get("location")
    where = f"to {location}" if location else "without saying where to"
    return f"the server redirects {where}; the token is not sent there: set base_url to the server's own address"


def _without_problem(answer: Answer, phrase: str) -> str:
    media = answer.headers.get("content-type", "").partition(";")[0] or "no media type"
    return (
        f"the answer is {answer.status} {phrase}".rstrip()
        + f" with {media} and no problem document; something between here and Tallystick may have given it"
    )
