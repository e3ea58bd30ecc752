"""Streamed answers of calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from litestar.response import Response

from tallystick.api.conditional import PRIVATE, VARY
from tallystick.streams import Chunks, Streamed

NEXT_CURSOR: Final = "Tallystick-Next-Cursor"


def answer_stream(chunks: Chunks, media_type: str, headers: Mapping[str, str]) -> Response[bytes]:
    """200 with chunks that are made one after the other, each on a thread, as fast as the client takes them."""
    return Streamed(chunks, media_type, {"Cache-Control": PRIVATE, "Vary": VARY, **headers})
