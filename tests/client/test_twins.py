"""`Client` and `AsyncClient` offer the same, and differ in awaiting alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

import pytest

from tallystick import AsyncClient, Client
from tests.client.scripted import BASE_URL, TOKEN

RENAMED: Final = {"close": "aclose"}
YIELDING: Final = {"jobs.iter", "jobs.download"}
"""What gives something to iterate over, asynchronously or not, instead of a result."""

LOCAL: Final = {"webhooks.unwrap"}
"""What asks no server, and so waits for nothing."""

RESOURCES: Final = {
    "usage": {"get", "csv", "explain", "daily", "forecast", "accounts"},
    "budgets": {"list", "set", "remove"},
    "jobs": {"record", "record_lines", "record_many", "list", "lines", "void", "iter", "download"},
    "statements": {"list", "get", "signing_keys"},
    "accounts": {"create", "list", "change", "create_key", "keys", "revoke_key"},
    "tokens": {"create", "list", "revoke", "rotate"},
    "plans": {"list", "put", "simulate"},
    "quarantine": {"list", "replay"},
    "notices": {"list"},
    "webhooks": {
        *("create", "list", "get", "change", "remove", "rotate", "test"),
        *("deliveries", "delivery", "replay", "replay_missed", "unwrap"),
    },
}


def public(thing: object) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in dir(thing) if not name.startswith("_")}


def methods(client: Client | AsyncClient) -> dict[str, Callable[..., Any]]:
    """Every public method of a client and of its resources, by its dotted name."""
    found = {}
    for name, value in public(client).items():
        if isinstance(value, str):
            continue
        if callable(value):
            found[name] = value
        else:
            found |= {f"{name}.{method}": function for method, function in public(value).items()}
    return found


@pytest.fixture(scope="module")
def twins() -> tuple[dict[str, Callable[..., Any]], dict[str, Callable[..., Any]]]:
    with Client(base_url=BASE_URL, token=TOKEN) as client:
        return methods(client), methods(AsyncClient(base_url=BASE_URL, token=TOKEN))


Twins = tuple[dict[str, Callable[..., Any]], dict[str, Callable[..., Any]]]


def test_the_twins_have_the_same_methods(twins: Twins) -> None:
    ours, theirs = twins
    named = {f"{resource}.{method}" for resource, of in RESOURCES.items() for method in of}
    assert set(ours) == named | {"close"}
    assert {RENAMED.get(name, name) for name in ours} == set(theirs)


def test_the_methods_have_equal_signatures(twins: Twins) -> None:
    ours, theirs = twins
    for name, method in ours.items():
        ours_shown, theirs_shown = (
            str(inspect.signature(method)),
            str(inspect.signature(theirs[RENAMED.get(name, name)])),
        )
        assert ours_shown == theirs_shown.replace("AsyncIterator", "Iterator"), name
        assert ("AsyncIterator" in theirs_shown) == (name in YIELDING)


def test_the_methods_have_equal_docstrings_of_some_length(twins: Twins) -> None:
    ours, theirs = twins
    for name, method in ours.items():
        said = inspect.getdoc(method)
        assert said == inspect.getdoc(theirs[RENAMED.get(name, name)]), name
        assert said, name
        assert len(said) > 30, name


def test_the_methods_of_one_twin_are_coroutines_and_those_of_the_other_are_not(twins: Twins) -> None:
    ours, theirs = twins
    assert not any(inspect.iscoroutinefunction(method) for method in ours.values())
    awaited = {name for name, method in theirs.items() if inspect.iscoroutinefunction(method)}
    assert awaited == set(theirs) - YIELDING - LOCAL


def test_signatures_show_what_a_caller_gives_and_gets() -> None:
    with Client(base_url=BASE_URL, token=TOKEN) as client:
        shown = str(inspect.signature(client.usage.get))
        unbound = inspect.signature(type(client.usage).get)
    assert shown == (
        "(start_month: str | None = None, end_month: str | None = None, *, account: str | None = None)"
        " -> tallystick.model.report.UsageReport"
    )
    assert next(iter(unbound.parameters)) == "self"


def test_the_constructors_have_equal_parameters_by_name_alone() -> None:
    ours, theirs = inspect.signature(Client).parameters, inspect.signature(AsyncClient).parameters
    assert list(ours) == list(theirs)
    different = {"transport", "sleep"}  # what sends and what waits
    for name, parameter in ours.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        if name not in different:
            assert parameter == theirs[name]
    assert ours["transport"].default is theirs["transport"].default is None


def test_both_are_context_managers_of_their_kind() -> None:
    for suffix, kind in (("", Client), ("a", AsyncClient)):
        assert {f"__{suffix}enter__", f"__{suffix}exit__"} <= set(dir(kind))
    for method in ("enter", "exit"):
        ours, theirs = (
            inspect.signature(vars(Client)[f"__{method}__"]),
            inspect.signature(vars(AsyncClient)[f"__a{method}__"]),
        )
        assert ours == theirs
