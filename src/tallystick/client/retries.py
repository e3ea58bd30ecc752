"""When a call is sent again, and after how long.

=======================================  =======================  =========================
what came of it                          a call that may repeat   one that may not
=======================================  =======================  =========================
no connection was made                   again                    again
connection lost, no answer in time       again                    fails: it may have happened
429, 503                                 again                    again: it was turned away
408, other 5xx                           again                    fails: it may have happened
anything else                            fails                    fails
=======================================  =======================  =========================

The wait is what ``Retry-After`` asks for, at most `LONGEST_WAIT_SECONDS`. Without it, it is drawn evenly between
nothing and a bound that doubles with each attempt ("full jitter"), so that clients which failed together do not
come back together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from tallystick.client.call import Call
from tallystick.errors import InvalidInput

Outcome = httpx.Response | httpx.RequestError
"""What came of one request: an answer of whatever status, or the reason why there is none."""

MAX_RETRIES: Final = 2
LONGEST_WAIT_SECONDS: Final = 30.0
FIRST_BOUND_SECONDS: Final = 0.5
LAST_BOUND_SECONDS: Final = 8.0

_TURNED_AWAY: Final = frozenset({429, 503})
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_SECONDS: Final = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True)
class Retries:
    """At most `most` repeats of one call. `random` draws from [0, 1); `clock` tells seconds since 1970."""

    most: int
    random: Callable[[], float]
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        if isinstance(self.most, bool) or not isinstance(self.most, int) or self.most < 0:
            raise InvalidInput.parameter("max_retries", "must be a whole number from 0")

    def delay_seconds(self, call: Call[Any], outcome: Outcome, attempt: int) -> float | None:
        """How long to wait before the next attempt, the first being 1; `None` where there shall be none."""
        if attempt > self.most or not _may_repeat(call, outcome):
            return None
        asked = None if isinstance(outcome, httpx.RequestError) else self._asked_seconds(outcome)
        if asked is None:
            return self.random() * min(LAST_BOUND_SECONDS, FIRST_BOUND_SECONDS * 2.0 ** (attempt - 1))
        return min(max(asked, 0.0), LONGEST_WAIT_SECONDS)

    def _asked_seconds(self, response: httpx.Response) -> float | None:
        """What ``Retry-After`` asks for, in seconds or as a date (RFC 9110, 10.2.3); `None` without a sound one."""
        text = response.headers.get("Retry-After", "").strip()
        if _SECONDS.fullmatch(text):
            return int(text)
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - self.clock()


def _may_repeat(call: Call[Any], outcome: Outcome) -> bool:
    if isinstance(outcome, httpx.RequestError):
        return isinstance(outcome, httpx.TransportError if call.repeatable else _NEVER_SENT)
    if call.repeatable:
        return outcome.status_code in {408, 429} or outcome.is_server_error
    return outcome.status_code in _TURNED_AWAY
