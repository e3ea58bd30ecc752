"""Time zones come from the pinned package and from nowhere else."""

from __future__ import annotations

import pytest

from tallystick.errors import InvalidInput
from tallystick.model.instants import DAY, parse_instant
from tallystick.store import zones

NOON = parse_instant("2025-06-15T12:00:00Z")


def test_every_zone_of_the_package_can_be_used() -> None:
    assert len(zones.names()) > 400
    for name in zones.names():
        calendar = zones.calendar(name)
        day = calendar.day_of(NOON)
        assert abs(day - NOON // DAY) <= 1
        assert calendar.day_start(day) <= NOON < calendar.day_start(day + 1)


def test_the_machines_own_zone_data_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a search path nor an empty one changes what a name means."""
    zones.calendar.cache_clear()
    monkeypatch.setattr("zoneinfo.TZPATH", ("/nowhere",))
    monkeypatch.setenv("PYTHONTZPATH", "/nowhere")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert zones.calendar("Asia/Kolkata").day_start(20_000) == 20_000 * DAY - (5 * 60 + 30) * 60_000_000
    zones.calendar.cache_clear()


@pytest.mark.parametrize(
    "name",
    ["", "utc", "Nowhere/City", "../zones", "zones", "Europe", "Europe/", "/Europe/Berlin", "Europe/Berlin\0", "é"],
)
def test_a_name_that_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        zones.calendar(name)
    assert (caught.value.code, caught.value.errors[0].parameter) == ("unknown_time_zone", "time_zone")


def test_a_calendar_is_made_once() -> None:
    assert zones.calendar("Europe/Berlin") is zones.calendar("Europe/Berlin")
