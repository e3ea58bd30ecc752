"""What `tallystick` itself offers."""

from __future__ import annotations

import importlib.abc
import subprocess
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

import tallystick
from tallystick import errors


def test_the_public_names_are_these() -> None:
    assert sorted(tallystick.__all__) == tallystick.__all__
    assert {"Client", "AsyncClient", "Job", "UsageReport", "__version__"} <= set(tallystick.__all__)
    for name in tallystick.__all__:
        assert getattr(tallystick, name) is not None


def test_every_error_of_the_sdk_is_public() -> None:
    raised = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    of_requests = {name for name in raised if issubclass(getattr(errors, name), errors.RequestError)}
    assert of_requests | {"TallystickError", "InvalidInput"} <= set(tallystick.__all__)


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'tallystick' has no attribute 'Legder'"):
        tallystick.Legder  # noqa: B018 the look-up is the point


def test_the_ledger_is_listed_and_comes_when_it_is_asked_for() -> None:
    from tallystick.ledger import Ledger
    from tallystick.serve.app import create_app

    assert {"Ledger", "create_app"} <= set(dir(tallystick))
    assert tallystick.Ledger is Ledger
    assert tallystick.create_app is create_app


class Missing(importlib.abc.MetaPathFinder):
    """Makes importing the ledger fail as a missing module of the given name does."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "tallystick.ledger":
            raise ModuleNotFoundError(f"No module named {self.name!r}", name=self.name)
        return None


def test_without_the_servers_parts_the_ledger_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tallystick.ledger", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing("sqlalchemy.engine"), *sys.meta_path])
    with pytest.raises(ImportError, match=r"Ledger needs sqlalchemy, which is not.*pip install 'tallystick\[server\]'"):
        from tallystick import Ledger  # noqa: F401 the import is the test


def test_a_module_of_our_own_that_is_missing_is_not_blamed_on_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tallystick.ledger", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing("tallystick.ledger"), *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match=r"tallystick\.ledger"):
        tallystick.Ledger  # noqa: B018 the look-up is the point


def test_importing_the_package_loads_none_of_the_servers_parts() -> None:
    program = (
        "import sys, tallystick\n"
        "from tallystick import *\n"
        "assert Client\n"
        "print([name for name in sys.modules if name.partition('.')[0] in"
        " {'sqlalchemy', 'alembic', 'litestar', 'uvicorn'} or name == 'tallystick.ledger'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
