"""Making a client: where its address and token come from, what is refused, and what it shows of them."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tallystick import AsyncClient, Client
from tallystick.errors import InvalidInput
from tests.client.scripted import BASE_URL, TOKEN, answer

TWINS = [Client, AsyncClient]
Kind = type[Client] | type[AsyncClient]


def close(client: Client | AsyncClient) -> None:
    if isinstance(client, Client):
        client.close()
    else:
        asyncio.run(client.aclose())


def refusal(kind: Kind, **arguments: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        kind(**{"base_url": BASE_URL, "token": TOKEN, **arguments})
    return caught.value


@pytest.mark.parametrize("kind", TWINS)
def test_the_environment_gives_what_is_left_out(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYSTICK_URL", "https://from.environment/")
    monkeypatch.setenv("TALLYSTICK_TOKEN", TOKEN)
    for arguments, shown in (
        ({}, "https://from.environment"),
        ({"base_url": "http://given.test"}, "http://given.test"),
        ({"token": "other"}, "https://from.environment"),
    ):
        client = kind(**arguments)  # type: ignore[arg-type]
        assert repr(client) == f"{kind.__name__}(base_url={shown!r})"
        close(client)


def test_the_token_given_comes_before_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYSTICK_TOKEN", "environment")
    seen = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return answer(body={"plans": []})

    for token in (None, "given"):
        with Client(base_url=BASE_URL, token=token, transport=httpx.MockTransport(server)) as client:
            client.plans.list()
    assert seen == ["Bearer environment", "Bearer given"]


@pytest.mark.parametrize("kind", TWINS)
@pytest.mark.parametrize(("parameter", "variable"), [("base_url", "TALLYSTICK_URL"), ("token", "TALLYSTICK_TOKEN")])
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_missing_is_named_with_its_variable(
    kind: Kind, parameter: str, variable: str, value: str | None
) -> None:
    error = refusal(kind, **{parameter: value})
    assert [e.parameter for e in error.errors] == [parameter]
    assert f"pass {parameter}=... or set {variable}" in error.detail


@pytest.mark.parametrize("kind", TWINS)
@pytest.mark.parametrize(
    ("base_url", "says"),
    [
        ("localhost:8000", "http:// or https://"),
        ("server.test", "http:// or https://"),
        ("ftp://server.test", "http:// or https://"),
        ("http://", "a host"),
        ("https:/server.test", "a host"),
        ("http://server.test:port", "is not a URL"),
        ("http://[::1", "is not a URL"),
        ("http://server.test\n", "is not a URL"),
        ("http://server.test:0", "port 0"),
        ("http://server.test:65536", "port 65536"),
        ("http://server.test?x=1", "no query"),
        ("http://server.test#part", "no query and no fragment"),
        (b"http://server.test", "must be text, not bytes"),
    ],
)
def test_a_malformed_address_is_refused(kind: Kind, base_url: Any, says: str) -> None:
    error = refusal(kind, base_url=base_url)
    assert [e.parameter for e in error.errors] == ["base_url"]
    assert says in error.detail


@pytest.mark.parametrize("kind", TWINS)
def test_an_address_with_a_password_is_refused_and_not_shown(kind: Kind) -> None:
    error = refusal(kind, base_url="http://me:hunter2@server.test")
    assert "no user name or password" in error.detail
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("kind", TWINS)
@pytest.mark.parametrize(
    ("token", "says"),
    [
        (TOKEN + "\n", "line break"),
        ("two words", "space"),
        ("tökën", "character"),
        ("\x00secret", "character"),
        (TOKEN[:-1], "damaged"),
        (TOKEN[:-1] + ("0" if TOKEN[-1] != "0" else "1"), "checksum"),
        (b"token", "must be text"),
    ],
)
def test_a_malformed_token_is_refused_and_not_shown(kind: Kind, token: Any, says: str) -> None:
    error = refusal(kind, token=token)
    assert [e.parameter for e in error.errors] == ["token"]
    assert says in error.detail
    assert str(token) not in f"{error} {error!r} {error.errors}"
    assert TOKEN[6:-2] not in str(error)


@pytest.mark.parametrize("kind", TWINS)
@pytest.mark.parametrize("timeout_seconds", [0, -1, float("nan"), float("inf"), "5", None, True])
def test_a_timeout_that_is_no_time_is_refused(kind: Kind, timeout_seconds: Any) -> None:
    assert refusal(kind, timeout_seconds=timeout_seconds).errors[0].parameter == "timeout_seconds"


@pytest.mark.parametrize("kind", TWINS)
def test_a_client_does_not_show_its_token(kind: Kind) -> None:
    client = kind(base_url=BASE_URL, token=TOKEN)
    parts = [client, *vars(client).values(), *vars(client.usage).values()]
    assert TOKEN not in " ".join(f"{part} {part!r}" for part in parts)
    close(client)


@pytest.mark.parametrize("kind", TWINS)
def test_arguments_go_by_name_alone(kind: Kind) -> None:
    with pytest.raises(TypeError, match="positional"):
        kind(BASE_URL, TOKEN)  # type: ignore[call-arg]


def test_a_closed_client_sends_nothing() -> None:
    script = httpx.MockTransport(lambda request: answer(body={"plans": []}))
    with Client(base_url=BASE_URL, token=TOKEN, transport=script) as client:
        assert client.plans.list() == ()
    with pytest.raises(RuntimeError, match="closed"):
        client.plans.list()


def test_a_closed_async_client_sends_nothing() -> None:
    async def use() -> None:
        script = httpx.MockTransport(lambda request: answer(body={"plans": []}))
        async with AsyncClient(base_url=BASE_URL, token=TOKEN, transport=script) as client:
            assert await client.plans.list() == ()
        with pytest.raises(RuntimeError, match="closed"):
            await client.plans.list()

    asyncio.run(use())
