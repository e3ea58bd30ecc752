"""Spans of time and expiries, as they are written on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import typer

from tallystick.cli.durations import parse_expiry, parse_seconds, span_until

NOW = datetime(2025, 1, 31, 12, 0, 0, 999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("45", 45), ("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800)]
)
def test_a_span_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_seconds(text, "--overlap") == seconds


@pytest.mark.parametrize("text", ["", "-1", "1.5h", "1w", "h", "٣h", "1 h 2"])
def test_another_text_is_no_span_and_the_option_is_named(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a span such as 90s") as raised:
        parse_seconds(text, "--overlap")
    assert raised.value.param_hint == "--overlap"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        (None, None),
        ("90d", "2025-05-01T12:00:00Z"),
        ("1s", "2025-01-31T12:00:01Z"),
        ("2030-01-31T00:00:00+01:00", "2030-01-30T23:00:00Z"),
    ],
)
def test_an_expiry_is_a_span_from_now_or_a_time(text: str | None, instant: str | None) -> None:
    assert parse_expiry(text, NOW) == instant


@pytest.mark.parametrize(
    ("instant", "span"),
    [
        ("2025-01-31T11:00:00Z", "now"),
        ("2025-01-31T12:00:00Z", "now"),
        ("2025-01-31T12:00:02Z", "1s"),
        ("2025-01-31T12:01:00Z", "59s"),
        ("2025-01-31T12:05:01Z", "5m"),
        ("2025-01-31T13:00:00Z", "59m"),
        ("2025-02-01T14:24:01Z", "26h"),
        ("2025-03-01T12:00:01Z", "29d"),
    ],
)
def test_how_long_it_is_until_a_time_is_told_in_one_unit(instant: str, span: str) -> None:
    assert span_until(instant, NOW) == span


@pytest.mark.parametrize("text", ["soon", "2030-01-31", "2030-01-31T00:00:00", "90"])
def test_an_expiry_without_a_unit_or_a_zone_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="neither a span such as 90d nor a time"):
        parse_expiry(text, NOW)


def test_an_expiry_beyond_the_end_of_time_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="beyond the year 9999"):
        parse_expiry("9999999d", NOW)
