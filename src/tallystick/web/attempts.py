"""Failed sign-ins, counted by where they come from, so that nobody can try tokens without end."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable
from typing import Final

from tallystick.errors import TooManyRequests

WINDOW_SECONDS: Final = 60
_MOST_ORIGINS: Final = 10_000
_ALL_OTHERS: Final = "others"
_SHARED_BITS: Final = 64
"""Somebody with IPv6 has at least this many bits' worth of addresses of their own."""


class Attempts:
    """The failures of one process. `clock` gives seconds that never fall."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._each = WINDOW_SECONDS / per_minute
        self._clock = clock
        # A bucket is kept as the instant at which it will be full again, as the API keeps those of tokens.
        self._full_at: dict[str, float] = {}

    def check(self, address: str) -> None:
        """Raises `TooManyRequests` where an address has failed too often of late."""
        wait = self._full_at.get(self._bucket(address), 0.0) + self._each - self._clock() - WINDOW_SECONDS
        if wait > self._each / 1000:
            raise TooManyRequests(
                "Too many failed sign-ins from your address; wait a moment.", retry_after_seconds=math.ceil(wait)
            )

    def failed(self, address: str) -> None:
        """Counts a failure."""
        now = self._clock()
        if len(self._full_at) >= _MOST_ORIGINS:
            self._full_at = {origin: full_at for origin, full_at in self._full_at.items() if full_at > now}
        bucket = self._bucket(address)
        self._full_at[bucket] = max(now, self._full_at.get(bucket, now)) + self._each

    def _bucket(self, address: str) -> str:
        origin = _origin(address)
        return origin if origin in self._full_at or len(self._full_at) < _MOST_ORIGINS else _ALL_OTHERS


def _origin(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, _SHARED_BITS), strict=False))
