"""Blocking work beside the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import anyio.to_thread

_Result = TypeVar("_Result")


async def in_thread(work: Callable[..., _Result], *arguments: Any) -> _Result:
    """Runs what may block (the ledger, filling a template) beside the event loop."""
    return await anyio.to_thread.run_sync(work, *arguments)
