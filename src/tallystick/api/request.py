"""The request as handlers see it: with the ledger, who asks, and what was asked for, all checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import unquote

import anyio.to_thread
from litestar import Request
from litestar.datastructures import State

from tallystick.errors import InvalidInput
from tallystick.ledger import Authority, Ledger
from tallystick.settings import Settings

_Result = TypeVar("_Result")


class ApiRequest(Request[Any, Authority, State]):
    """A request that has passed the door."""

    @property
    def ledger(self) -> Ledger:
        ledger: Ledger = self.app.state.ledger
        return ledger

    @property
    def settings(self) -> Settings:
        settings: Settings = self.app.state.settings
        return settings

    @property
    def mount(self) -> str:
        """Where another application has mounted this one, percent-encoded; empty where none has."""
        mount: str = self.scope.get("root_path", "")
        return mount

    @property
    def values(self) -> dict[str, str]:
        """The query parameters that were given, all of them declared."""
        values: dict[str, str] = self.scope["state"]["values"]
        return values

    def path_name(self, parameter: str) -> str:
        """The name or id that stands in the path; it may hold slashes, percent-encoded.

        Raises `InvalidInput` (code ``invalid_path``) where it is not UTF-8.
        """
        try:
            return unquote(self.path_params[parameter], errors="strict")
        except UnicodeDecodeError:
            raise InvalidInput.parameter(parameter, "is not UTF-8, percent-encoded", code="invalid_path") from None


async def in_thread(work: Callable[..., _Result], *arguments: Any) -> _Result:
    """Runs what may block (the ledger, long encoding) beside the event loop."""
    return await anyio.to_thread.run_sync(work, *arguments)
