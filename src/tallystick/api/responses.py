"""Answers of calls that change something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar.response import Response

from tallystick.api.calls import JSON
from tallystick.model.wire import encode


def answer_json(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """`value` (plain data or structs) as JSON."""
    return Response(encode(value), status_code=status, media_type=JSON, headers=dict(headers or {}))


def answer_nothing() -> Response[bytes]:
    """204."""
    return Response(b"", status_code=204)
