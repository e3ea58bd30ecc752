"""How many requests each token may make: a bucket per token that fills again as time goes by.

The limit is a setting and off by default. Each server process counts for itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from tallystick.errors import TooManyRequests

WINDOW_SECONDS: Final = 60


class Allowance(NamedTuple):
    """What a token has left: requests at once, and the seconds until it has its full number again."""

    limit: int
    remaining: int
    reset_seconds: int

    def headers(self) -> dict[bytes, bytes]:
        """The headers ``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers)."""
        return {
            b"ratelimit-policy": f'"token";q={self.limit};w={WINDOW_SECONDS}'.encode(),
            b"ratelimit": f'"token";r={self.remaining};t={self.reset_seconds}'.encode(),
        }


class RateLimits:
    """The buckets of one application. `clock` gives seconds that never fall."""

    def __init__(self, requests_per_minute: int, clock: Callable[[], float]) -> None:
        self._limit = requests_per_minute
        self._clock = clock
        # A bucket is kept as the instant at which it will be full again: one number per token that is not full.
        self._full_at: dict[str, float] = {}

    def take(self, token_id: str) -> Allowance | None:
        """Takes one request from a token's bucket; `None` where no limit is set.

        Raises `TooManyRequests` where the bucket is empty, with the seconds until it holds a request again.
        """
        if not self._limit:
            return None
        now = self._clock()
        each = WINDOW_SECONDS / self._limit
        full_at = max(now, self._full_at.get(token_id, now)) + each
        missing = full_at - now - WINDOW_SECONDS
        if missing > each / 1000:
            raise TooManyRequests(
                f"This token may make {self._limit} requests a minute.", retry_after_seconds=math.ceil(missing)
            )
        self._full_at[token_id] = full_at
        return self.left(token_id)

    def left(self, token_id: str) -> Allowance | None:
        """What a token has left; `None` where no limit is set."""
        if not self._limit:
            return None
        seconds = max(0.0, self._full_at.get(token_id, 0.0) - self._clock())
        remaining = int((WINDOW_SECONDS - seconds) / (WINDOW_SECONDS / self._limit) + 0.001)
        return Allowance(self._limit, remaining, math.ceil(seconds))
