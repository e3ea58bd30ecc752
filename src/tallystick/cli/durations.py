"""Spans of time as people write them: ``90s``, ``30m``, ``24h``, ``90d``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

from tallystick.errors import InvalidInput
from tallystick.model.instants import SECOND, format_instant, from_datetime, parse_instant

_SPAN: Final = re.compile(r"(\d{1,9})([smhd]?)", re.ASCII)
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_seconds(text: str, option: str) -> int:
    """The seconds of a span; a bare number counts seconds. Raises a usage error naming `option`."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a span such as 90s, 30m, 24h or 90d", param_hint=option)
    return int(match[1]) * _SECONDS[match[2]]


def span_until(instant: str, now: datetime | None = None) -> str:
    """How long it is until a time, in the largest unit of which there is one, rounded down: ``90s`` is ``1m``."""
    moment = now or datetime.now(UTC)
    seconds = (parse_instant(instant) - from_datetime(moment)) // SECOND
    # Hours up to two days: the longest wait of a delivery is a little more than one.
    for unit, most in (("s", 60), ("m", 60), ("h", 48)):
        if seconds < most * _SECONDS[unit]:
            return f"{seconds // _SECONDS[unit]}{unit}" if seconds > 0 else "now"
    return f"{seconds // _SECONDS['d']}d"


def parse_expiry(text: str | None, now: datetime | None = None) -> str | None:
    """The RFC 3339 time at which something ends that lasts for a span from `now`, or until a time given outright."""
    if text is None:
        return None
    if _SPAN.fullmatch(text.strip()) and not text.strip().isdecimal():
        try:
            moment = (now or datetime.now(UTC)) + timedelta(seconds=parse_seconds(text, "--expires"))
        except OverflowError:
            raise typer.BadParameter(f"{text!r} from now lies beyond the year 9999", param_hint="--expires") from None
        return format_instant(from_datetime(moment.replace(microsecond=0)))
    try:
        return format_instant(parse_instant(text))
    except InvalidInput:
        raise typer.BadParameter(
            f"{text!r} is neither a span such as 90d nor a time such as 2030-01-31T00:00:00Z", param_hint="--expires"
        ) from None


def parse_past(text: str, option: str, now: datetime | None = None) -> str:
    """The RFC 3339 time that lies a span before `now`, or that is given outright. Raises a usage error."""
    try:
        if _SPAN.fullmatch(text.strip()) and not text.strip().isdecimal():
            moment = (now or datetime.now(UTC)) - timedelta(seconds=parse_seconds(text, option))
            return format_instant(from_datetime(moment))
        return format_instant(parse_instant(text))
    except (InvalidInput, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is neither a span such as 2d nor a time such as 2025-01-31T00:00:00Z", param_hint=option
        ) from None
