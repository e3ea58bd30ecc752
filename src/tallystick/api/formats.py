"""Which of several formats an answer has: as the parameter `format` says, otherwise as Accept prefers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tallystick.api.calls import Parameter
from tallystick.api.parameters import CODE
from tallystick.api.request import ApiRequest
from tallystick.errors import InvalidInput

LINES: Final = "application/x-ndjson"
PARQUET: Final = "application/vnd.apache.parquet"
CSV: Final = "text/csv"
CSV_SENT: Final = f"{CSV}; header=present"
"""The media type of an answer in CSV, as RFC 4180 has it; the charset is added as to every text."""


def format_parameter(offered: Mapping[str, str]) -> Parameter:
    """The parameter of a call that offers these formats: media types by name, the first one being the default."""
    default = next(iter(offered))
    return Parameter(
        name="format",
        description=f"Format of the answer; without it what Accept prefers, {default} by default.",
        schema={"type": "string", "enum": list(offered)},
        example=default,
    )


def format_of(request: ApiRequest, offered: Mapping[str, str]) -> str:
    """The name of the format to answer in. Raises `InvalidInput` for a `format` that is not offered."""
    asked = request.values.get("format")
    if asked is None:
        return _preferred(", ".join(request.headers.getall("accept", [])), offered)
    if asked not in offered:
        raise InvalidInput.parameter("format", f"must be one of {', '.join(offered)}", code=CODE)
    return asked


def _preferred(accept: str, offered: Mapping[str, str]) -> str:
    """The first of the formats that Accept likes best (RFC 9110, section 12.5.1); the default where it likes none."""
    ranges = [_range(entry) for entry in accept.lower().split(",") if entry.strip()]
    liked = {name: _quality(media_type, ranges) for name, media_type in offered.items()}
    return max(liked, key=lambda name: liked[name])


def _range(entry: str) -> tuple[str, int]:
    """A media range and how much it is liked, in thousandths."""
    media_range, *parameters = (part.strip() for part in entry.split(";"))
    weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    whole, _, decimals = weight.partition(".")
    digits = f"{whole}{decimals[:3]:0<3}"
    return media_range, min(int(digits), 1000) if digits.isascii() and digits.isdigit() else 0


def _quality(media_type: str, ranges: list[tuple[str, int]]) -> int:
    """How much a media type is liked: what the most specific range that covers it says."""
    kind = media_type.partition("/")[0]
    for covering in (media_type, f"{kind}/*", "*/*"):
        qualities = [quality for media_range, quality in ranges if media_range == covering]
        if qualities:
            return max(qualities)
    return 0
