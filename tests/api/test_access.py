"""The one door: who gets through, who does not, and what each is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from litestar import HttpMethod, Litestar, get
from litestar.response import Response

from tallystick.api.access import admit
from tallystick.api.app import ROUTES, create_app
from tallystick.api.calls import METRICS, OPTION, PUBLIC, Call
from tallystick.api.edge import Edge
from tallystick.api.metrics import Metrics
from tallystick.api.problems import answer_error
from tallystick.model.tokens import Scope, make_token
from tests.api.service import JANUARY, NOW, Service, job, problem

PUBLIC_PATHS = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/{asset}",
    "/.well-known/tallystick.json",
}


def declared() -> list[tuple[str, Call]]:
    """Each path with the call that is declared for it."""
    return [(path, route.opt[OPTION]) for route in ROUTES for path in route.opt[OPTION].paths]


IN_PATHS = {
    "account": "acme",
    "key": "k",
    "id": "i",
    "plan": "standard",
    "month": "2025-01",
    "webhook": "w",
    "notice": "n",
}


def protected() -> list[Any]:
    return [
        pytest.param(call, path.replace(":str}", "}").format(**IN_PATHS), id=name)
        for _, call in declared()
        if call.allowed not in (PUBLIC, METRICS)
        for path, name in call.paths.items()
    ]


def send(service: Service, call: Call, path: str, **given: Any) -> httpx.Response:
    return service.call(str(call.method.value), path, **given)


# Every route, of the application as it runs.


def test_every_route_of_the_application_declares_who_may_use_it(shared: Service) -> None:
    app = create_app(shared.ledger, shared.ledger.settings).app
    handlers = [handler for route in app.routes for handler in getattr(route, "route_handlers", [])]
    assert len(handlers) > len(ROUTES)
    for route in app.routes:
        assert type(route).__name__ == "HTTPRoute", f"{route.path} bypasses the door"
    for handler in handlers:
        assert admit in handler.resolve_guards(), handler
        call = handler.opt.get(OPTION)
        assert isinstance(call, Call), f"{handler} declares nothing"
        assert call.allowed in (PUBLIC, METRICS) or (call.allowed and set(call.allowed) <= set(Scope))


def test_only_what_tells_nothing_of_anybody_is_public() -> None:
    public = {path.replace(":str}", "}") for path, call in declared() if isinstance(call.allowed, str)}
    assert public == PUBLIC_PATHS


def test_a_route_that_declares_nothing_is_closed_to_everybody(shared: Service) -> None:
    @get("/forgotten")
    async def forgotten() -> Response[bytes]:
        return Response(b"a secret")

    app = Litestar([forgotten], guards=[admit], exception_handlers={Exception: answer_error}, logging_config=None)
    app.state.ledger = shared.ledger

    async def ask() -> httpx.Response:
        transport: Any = httpx.ASGITransport(app=Edge(app, Metrics()))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/forgotten", headers={"X-Api-Key": shared.token("admin")})

    answer = asyncio.run(ask())
    assert answer.status_code == 403
    assert b"a secret" not in answer.content


@pytest.mark.parametrize(("call", "path"), protected())
def test_without_a_token_the_answer_is_401(shared: Service, call: Call, path: str) -> None:
    response = send(shared, call, path)
    problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("call", "path"), protected())
def test_every_scope_that_is_not_declared_is_refused(shared: Service, call: Call, path: str) -> None:
    for scope in set(Scope) - set(call.allowed):
        account = "acme" if scope in {Scope.USAGE, Scope.MANAGE} else None
        document = problem(send(shared, call, path, token=shared.token(scope, account)), 403, "forbidden")
        assert all(allowed in document["detail"] for allowed in call.allowed)


@pytest.mark.parametrize(("call", "path"), protected())
def test_every_scope_that_is_declared_gets_in(shared: Service, call: Call, path: str) -> None:
    # An unknown parameter is noticed behind the door, before anything happens.
    for scope in call.allowed:
        account = "acme" if scope in {Scope.USAGE, Scope.MANAGE} else None
        response = send(shared, call, path, token=shared.token(scope, account), params={"no_such": "1"})
        problem(response, 400, "invalid_parameter")


# Tokens.


def malformed() -> Iterator[Any]:
    good = make_token(bytes(32))
    yield pytest.param("x", id="short")
    yield pytest.param(good[:-1], id="cut off")
    yield pytest.param(good[:-1] + ("0" if good[-1] != "0" else "1"), id="checksum")
    yield pytest.param(good + "0", id="too long")
    yield pytest.param("tally_" + "é" * 49, id="not ASCII")
    yield pytest.param(good, id="unknown")


@pytest.mark.parametrize("token", list(malformed()))
@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key"])
def test_a_token_that_is_none_is_401_and_called_invalid(shared: Service, token: str, header: str) -> None:
    value = f"Bearer {token}" if header == "Authorization" else token
    response = shared.call("GET", "/usage", headers={header: value.encode("latin-1")})
    problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_a_token_ends_when_it_expires(fresh: Service) -> None:
    fresh.admin("POST", "/accounts", json={"name": "acme"})
    expires = (NOW + timedelta(hours=1)).isoformat()
    token = fresh.ledger.tokens.create("usage", account="acme", expires_at=expires).token
    assert fresh.call("GET", "/usage", token=token).status_code == 200
    fresh.clock.now = NOW + timedelta(hours=1)
    response = fresh.call("GET", "/usage", token=token)
    problem(response, 401, "unauthenticated")
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


def test_a_revoked_token_is_refused_and_posts_nothing(fresh: Service) -> None:
    made = fresh.ledger.tokens.create("ingest")
    assert fresh.call("POST", "/jobs", token=made.token, json=job()).status_code == 200
    fresh.ledger.tokens.revoke(made.info.id)
    problem(fresh.call("POST", "/jobs", token=made.token, json=job()), 401, "unauthenticated")
    assert fresh.jobs_of("acme") == 1


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_taken_in_any_case(shared: Service, scheme: str) -> None:
    headers = {"Authorization": f"{scheme}   {shared.token('usage', 'acme')}"}
    assert shared.call("GET", "/usage", headers=headers).status_code == 200


@pytest.mark.parametrize("value", ["Bearer", "Basic YWRtaW46YWRtaW4=", "", "tally_"])
def test_another_scheme_or_none_is_401(shared: Service, value: str) -> None:
    problem(shared.call("GET", "/usage", headers={"Authorization": value}), 401, "unauthenticated")


def test_x_api_key_is_taken_as_the_same(shared: Service) -> None:
    key = {"X-Api-Key": shared.token("usage", "acme")}
    assert shared.call("GET", "/usage", headers=key).status_code == 200
    assert shared.call("GET", "/usage", headers=key, token=shared.token("usage", "acme")).status_code == 200


def test_two_different_tokens_are_refused_whichever_is_good(shared: Service) -> None:
    other = shared.token("admin")
    headers = {"X-Api-Key": shared.token("usage", "acme"), "Authorization": f"Bearer {other}"}
    problem(shared.call("GET", "/usage", headers=headers), 401, "unauthenticated")
    twice = [("Authorization", f"Bearer {other}"), ("Authorization", f"Bearer {shared.token('ingest')}")]
    problem(shared.client.get("/usage", headers=twice), 401, "unauthenticated")


# Accounts.

ACCOUNT_READS = [
    pytest.param(path.replace("{month:str}", "2024-12"), id=path)
    for path, call in declared()
    if call.method is HttpMethod.GET and Scope.USAGE in call.allowed
]


def test_the_reads_of_an_account_are_known() -> None:
    assert {str(param.values[0]) for param in ACCOUNT_READS} == {
        "/usage",
        "/user/usage",
        "/usage/explain",
        "/usage/daily",
        "/usage/forecast",
        "/usage/budget",
        "/jobs",
        "/notices",
        "/statements",
        "/statements/2024-12",
    }


def account_with_statement(service: Service, key: str) -> str:
    """A new account with a job of January and one of December, which is closed."""
    name = service.account()
    december = job(name, api_key=key, completed_at="2024-12-24T12:00:00Z")
    assert service.post_jobs([job(name, api_key=key), december]).json()["accepted"] == 2
    service.ledger.statements.close("2024-12", name)
    return name


OF_ALL = {"/notices"}
"""Reads that an admin may make of all accounts together."""


@pytest.mark.parametrize("path", ACCOUNT_READS)
@pytest.mark.parametrize("scope", ["usage", "manage"])
def test_a_token_of_one_account_reads_its_own_and_never_anothers(shared: Service, path: str, scope: str) -> None:
    mine, other = account_with_statement(shared, "my key"), account_with_statement(shared, "their key")
    token = shared.token(scope, mine)
    own = shared.call("GET", path, token=token)
    named = shared.call("GET", path, token=token, params={"account": mine})
    assert own.status_code == named.status_code == 200
    assert own.text == named.text
    assert "their key" not in own.text
    there, not_there = (
        problem(shared.call("GET", path, token=token, params={"account": name}), 403, "forbidden")
        for name in (other, "no such account")
    )
    # Whether the other account exists is not to be told from the answer.
    assert {**there, "request_id": ""} == {**not_there, "request_id": ""}


@pytest.mark.parametrize("path", ACCOUNT_READS)
def test_an_admin_reads_any_account_but_must_say_which(shared: Service, path: str) -> None:
    account = account_with_statement(shared, "a key")
    assert shared.admin("GET", path, params={"account": account}).status_code == 200
    if path in OF_ALL:
        assert shared.admin("GET", path).status_code == 200
    else:
        document = problem(shared.admin("GET", path), 400, "invalid_parameter")
        assert document["errors"][0]["parameter"] == "account"
    problem(shared.admin("GET", path, params={"account": "no such account"}), 404, "unknown_account")


def test_the_door_is_asked_before_anything_else_is_looked_at(shared: Service) -> None:
    problem(shared.call("GET", "/usage", params={"start_month": "x"}), 401, "unauthenticated")
    problem(shared.call("POST", "/jobs", content=b"{", headers={"Content-Type": "text/plain"}), 401, "unauthenticated")
    problem(
        shared.call("GET", "/usage/accounts", token=shared.token("usage", "acme"), params={**JANUARY, "x": "y"}),
        403,
        "forbidden",
    )
