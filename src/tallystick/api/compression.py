"""Gzip for answers: who accepts it, and which answers are worth it."""

from __future__ import annotations

import gzip
import re
import zlib
from typing import Final

LEAST_BYTES: Final = 1000
"""Below this an answer fits into one packet as it is."""

THREAD_BYTES: Final = 64 * 1024
"""From here on compressing takes so long that it must not run on the event loop."""

_POSITIVE_WEIGHT: Final = re.compile(r"(?!0(\.0*)?$)(0(\.\d{0,3})?|1(\.0{0,3})?)")
_LEVEL: Final = 5
_GZIP: Final = 16 + zlib.MAX_WBITS
"""How zlib is told to write gzip's header and trailer."""

_STREAM_LEVEL: Final = 1
"""Long answers are made about as fast as this compresses them; a higher level would hold them up."""

_TEXTS: Final = (
    "application/json",
    "application/problem+json",
    "application/x-ndjson",
    "text/",
    "application/javascript",
)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client takes gzip (RFC 9110, section 12.5.3): by name, or by ``*``, with a weight above 0."""
    takes = dict(_preference(entry) for entry in accept_encoding.lower().split(",") if entry.strip())
    return takes.get("gzip", takes.get("x-gzip", takes.get("*", False)))


def _preference(entry: str) -> tuple[str, bool]:
    """A coding, and whether it is taken at all; how much it is liked does not matter with one coding on offer."""
    coding, *parameters = (part.strip() for part in entry.split(";"))
    weights = [value.strip() for name, _, value in (each.partition("=") for each in parameters) if name.strip() == "q"]
    return coding, not weights or _POSITIVE_WEIGHT.fullmatch(weights[0]) is not None


def is_worth_it(content_type: str, size_bytes: int) -> bool:
    """Whether an answer gets smaller by enough."""
    return size_bytes >= LEAST_BYTES and is_compressible(content_type)


def is_compressible(content_type: str) -> bool:
    """Whether a body of that type gets smaller."""
    return content_type.startswith(_TEXTS)


def compress(body: bytes) -> bytes:
    """The body as gzip; equal bodies give equal bytes."""
    return gzip.compress(body, _LEVEL, mtime=0)


class Compressor:
    """Compresses a body that comes in parts as one gzip."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(_STREAM_LEVEL, zlib.DEFLATED, _GZIP)

    def compress(self, part: bytes) -> bytes:
        """What of the compressed body can be sent now."""
        # Flushed, so that who reads lines gets every line that is there.
        return self._deflate.compress(part) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        """The end of the compressed body."""
        return self._deflate.flush()
