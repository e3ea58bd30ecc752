"""Answers of reads: a weak ETag, and 304 where the client has that state already."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.response import Response

from tallystick.api.calls import CURRENCY, JSON

PRIVATE: Final = "private, no-cache"
SHARED: Final = "no-cache"
"""What is the same for everybody: the API's description and the pages about it."""

VARY: Final = "Authorization, X-Api-Key, Accept, Accept-Encoding"


class Content(msgspec.Struct, frozen=True):
    """The body of an answer, encoded, and the currency of its amounts where it tells of costs."""

    body: bytes
    currency: str = ""


def answer_read(
    request: Request[Any, Any, Any], content: Content, *, media_type: str = JSON, cache_control: str = PRIVATE
) -> Response[bytes]:
    """200 with the content, or 304 without it where If-None-Match names its ETag."""
    tag = entity_tag(content)
    headers = {"ETag": tag, "Cache-Control": cache_control, "Vary": VARY}
    if content.currency:
        headers[CURRENCY] = content.currency
    if _names(request.headers.getall("if-none-match", []), tag):
        return Response(b"", status_code=304, headers=headers)
    return Response(content.body, status_code=200, media_type=media_type, headers=headers)


def entity_tag(content: Content) -> str:
    """A weak tag: the same for the body as it is and compressed. It covers the currency, which is not in the body."""
    return f'W/"{hashlib.blake2b(content.body, digest_size=16, key=content.currency.encode()).hexdigest()}"'


def _names(conditions: list[str], tag: str) -> bool:
    """Whether If-None-Match holds for `tag`, by weak comparison (RFC 9110, section 13.1.2)."""
    # Our tags have no comma in them, so one in a foreign tag at worst splits what would not match anyway.
    given = [entry.strip() for condition in conditions for entry in condition.split(",")]
    return "*" in given or any(entry.removeprefix("W/") == tag.removeprefix("W/") for entry in given)
