"""How schemathesis writes the media types that it does not know; named in SCHEMATHESIS_HOOKS by `test_fuzzing`."""

from __future__ import annotations

from typing import Any

import schemathesis


def _text(context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


for _media_type in (
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/toml",
):
    schemathesis.serializer(_media_type)(_text)
