"""Time zones, from the pinned data of the PyPI package tzdata, never from the machine's own."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from tallystick.errors import InvalidInput
from tallystick.model.calendar import Calendar


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """Every IANA zone name that is known."""
    return frozenset((resources.files("tzdata") / "zones").read_text("utf-8").split())


@lru_cache(maxsize=1024)
def calendar(name: str) -> Calendar:
    """The days and months of a zone. Raises `InvalidInput` (code ``unknown_time_zone``) for a name that is none."""
    if name not in names():
        raise InvalidInput.parameter(
            "time_zone", "is not an IANA time zone, such as Europe/Berlin", code="unknown_time_zone"
        )
    with (resources.files("tzdata") / "zoneinfo" / name).open("rb") as file:
        return Calendar(ZoneInfo.from_file(file, key=name))
