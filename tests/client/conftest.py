"""Each test that takes `twin` runs for `Client` and for `AsyncClient`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from tests.client.scripted import Twin


@pytest.fixture(params=["Client", "AsyncClient"])
def twin(request: pytest.FixtureRequest) -> Callable[..., Twin]:
    return functools.partial(Twin, request.param)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TALLYSTICK_URL", "TALLYSTICK_TOKEN"):
        monkeypatch.delenv(name, raising=False)
