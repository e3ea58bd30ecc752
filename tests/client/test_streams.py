"""Reading many jobs: in steps from cursor to cursor, or as one file in chunks; the same for both twins."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tallystick import AsyncClient, Client
from tallystick.errors import (
    ConnectionFailed,
    InvalidInput,
    RequestTimeout,
    ResourceConflict,
    ResponseError,
    ServerFailed,
)
from tests.client.scripted import BASE_URL, TOKEN, Script, problem

LINES = {"content-type": "application/x-ndjson"}
CSV = {"content-type": "text/csv; charset=utf-8"}


def line(rank: int, cost: str = "0.10") -> bytes:
    return (
        f'{{"rank":{rank},"id":"j{rank}","api_key":"k","completed_at":"2025-01-01T00:00:00Z",'
        f'"booked_at":"2025-01-01T00:00:00Z","late":false,"tokens":{{"t":1}},"tier":1,"free":false,"discount":0.0,'
        f'"base_cost":{cost},"final_cost":{cost}}}\n'
    ).encode()


def lines(*ranks: int, cursor: str | None = None) -> httpx.Response:
    headers = {**LINES, **({"tallystick-next-cursor": cursor} if cursor else {})}
    return httpx.Response(200, content=b"".join(map(line, ranks)), headers=headers)


@pytest.fixture(params=["Client", "AsyncClient"])
def read(request: pytest.FixtureRequest) -> Callable[..., list[Any]]:
    """Everything that a method of a client before a script yields."""

    def run(script: Callable[[httpx.Request], httpx.Response], method: str, *args: Any, **kwargs: Any) -> list[Any]:
        transport, sleep = httpx.MockTransport(script), getattr(script, "sleep", lambda _: None)
        if request.param == "Client":
            with Client(base_url=BASE_URL, token=TOKEN, transport=transport, sleep=sleep) as client:
                return list(getattr(client.jobs, method)(*args, **kwargs))
        return asyncio.run(run_async(transport, sleep, method, args, kwargs))

    async def run_async(transport: Any, sleep: Any, method: str, args: Any, kwargs: Any) -> list[Any]:
        async def nap(seconds: float) -> None:
            sleep(seconds)

        async with AsyncClient(base_url=BASE_URL, token=TOKEN, transport=transport, sleep=nap) as client:
            return [each async for each in getattr(client.jobs, method)(*args, **kwargs)]

    return run


Read = Callable[..., list[Any]]


def test_an_iteration_goes_from_cursor_to_cursor(read: Read) -> None:
    script = Script([lines(1, 2, cursor="c+/"), lines(3)])
    jobs = read(script, "iter", "2025-01", "2025-02", account="acme")
    assert [job.rank for job in jobs] == [1, 2, 3]
    asked = [dict(request.url.params) for request in script.requests]
    period = {"format": "ndjson", "start_month": "2025-01", "end_month": "2025-02", "account": "acme", "limit": "5000"}
    assert asked == [period, {**period, "cursor": "c+/"}]


def test_costs_keep_every_digit(read: Read) -> None:
    body = line(1, cost="12345678901234567890.123456789012345678")
    (job,) = read(Script([httpx.Response(200, content=body, headers=LINES)]), "iter")
    assert job.final_cost == Decimal("12345678901234567890.123456789012345678")


def test_each_step_of_an_iteration_is_repeated_where_that_helps(read: Read) -> None:
    script = Script([lines(1, cursor="c"), httpx.ConnectError("gone"), problem(503, "overloaded"), lines(2)])
    assert [job.rank for job in read(script, "iter")] == [1, 2]
    assert len(script.slept_seconds) == 2


def test_ranks_that_moved_end_an_iteration_with_the_reason(read: Read) -> None:
    with pytest.raises(ResourceConflict) as caught:
        read(Script([lines(1, cursor="c"), problem(409, "ledger_changed")]), "iter")
    assert caught.value.code == "ledger_changed"


@pytest.mark.parametrize(
    "broken",
    [
        httpx.Response(200, content=b'{"rank":1}\n', headers=LINES),
        httpx.Response(200, content=b"<html>", headers={"content-type": "text/html"}),
        httpx.Response(200, content=b"{", headers=LINES),
    ],
)
def test_what_is_no_line_is_no_job(read: Read, broken: httpx.Response) -> None:
    with pytest.raises(ResponseError) as caught:
        read(Script([broken]), "iter")
    assert caught.value.code == "bad_response"


def test_a_download_gives_the_body_and_asks_for_its_form(read: Read) -> None:
    script = Script([httpx.Response(200, content=b"a,b\r\n1,2\r\n", headers=CSV)])
    assert b"".join(read(script, "download", "2025-01", form="csv", account="acme")) == b"a,b\r\n1,2\r\n"
    assert dict(script.request.url.params) == {"format": "csv", "start_month": "2025-01", "account": "acme"}


def test_a_download_is_repeated_until_its_answer_begins(read: Read) -> None:
    script = Script([httpx.ConnectError("gone"), problem(503, "overloaded"), httpx.Response(200, headers=CSV)])
    assert read(script, "download") == []
    assert len(script.slept_seconds) == 2


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (problem(501, "missing_extra", "no pyarrow"), ServerFailed, "missing_extra"),
        (problem(409, "conflict"), ResourceConflict, "conflict"),
        (httpx.Response(200, content=b"<html>", headers={"content-type": "text/html"}), ResponseError, "bad_response"),
        (
            httpx.Response(200, content=b"{}", headers={"content-type": "application/json"}),
            ResponseError,
            "bad_response",
        ),
    ],
)
def test_what_is_not_the_file_is_an_error(
    read: Read, answer: httpx.Response, error: type[ResponseError], code: str
) -> None:
    with pytest.raises(error) as caught:
        read(Script([answer]), "download")
    assert caught.value.code == code


class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body of which only the first part comes."""

    def __init__(self, error: httpx.RequestError) -> None:
        self.error = error
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield b"a,b\r\n"
        raise self.error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"a,b\r\n"
        raise self.error

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("lost", "error", "told"),
    [
        (httpx.RemoteProtocolError(f"incomplete chunk {TOKEN}"), ConnectionFailed, "broke off: incomplete chunk"),
        (httpx.ReadTimeout(""), RequestTimeout, "sent no more within 30 seconds"),
    ],
)
def test_a_file_that_breaks_off_is_never_taken_for_the_whole(
    read: Read, lost: httpx.RequestError, error: type[ConnectionFailed], told: str
) -> None:
    body = Broken(lost)
    with pytest.raises(error, match=told) as caught:
        read(lambda _: httpx.Response(200, stream=body, headers=CSV), "download")
    assert body.closed
    assert TOKEN not in str(caught.value)


def test_a_form_or_month_that_is_none_is_told_at_once() -> None:
    with Client(base_url=BASE_URL, token=TOKEN) as client:
        with pytest.raises(InvalidInput, match="form"):
            client.jobs.download(form="xlsx")
        with pytest.raises(InvalidInput, match="start_month"):
            client.jobs.download("2025-13")


def test_the_twins_yield_alike() -> None:
    with Client(base_url=BASE_URL, token=TOKEN) as client:
        assert inspect.isgenerator(client.jobs.iter())
    assert inspect.isasyncgen(AsyncClient(base_url=BASE_URL, token=TOKEN).jobs.iter())
