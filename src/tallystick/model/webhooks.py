"""Webhooks: where notices are sent, when a delivery is tried again, and when an endpoint is switched off.

The form of what is sent follows the Standard Webhooks specification (https://www.standardwebhooks.com).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tallystick.model.instants import DAY, HOUR, MINUTE, SECOND
from tallystick.model.notices import Event
from tallystick.model.wire import Wire
from tallystick.version import __version__

SECRET_PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
SECRET_STRUCK_OUT: Final = SECRET_PREFIX + "…"


CONTENT_TYPE: Final = "application/json"
USER_AGENT: Final = f"tallystick-webhooks/{__version__}"


def headers_of(notice_id: str) -> dict[str, str]:
    """The headers that every attempt to deliver a notice has; each has its time and its signature besides."""
    return {"content-type": CONTENT_TYPE, "user-agent": USER_AGENT, "webhook-id": notice_id}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How deliveries are tried. Times are microseconds.

    After its n-th failed attempt a delivery waits for the n-th of `retries`, and up to a tenth longer, so that what
    failed together does not come back together; after the last one it has failed. An endpoint at which everything
    failed for `failing_for` is switched off. `timeout` is that of an attempt from its first look-up to the answer.
    """

    retries: tuple[int, ...] = (
        *(5 * SECOND, 5 * MINUTE, 30 * MINUTE),
        *(2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR),
    )
    timeout: int = 15 * SECOND
    failing_for: int = 5 * DAY

    @property
    def lease(self) -> int:
        """For how long a delivery is one process's alone; then that process is taken to have died."""
        return 2 * self.timeout

    def retry_at(self, attempts: int, now: int, jitter: float) -> int | None:
        """When a delivery of that many failed attempts is tried again, `jitter` from [0, 1); `None` for never."""
        if attempts > len(self.retries):
            return None
        wait = self.retries[attempts - 1]
        return now + wait + int(wait * jitter) // 10


STANDARD: Final = Policy()
"""The waits that the specification suggests."""


class DeliveryState(enum.StrEnum):
    """What has become of a delivery. Dropped is what waited at an endpoint that was switched off."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


class OffReason(enum.StrEnum):
    """Why an endpoint is switched off: by hand, because it answered 410, or because it failed for days."""

    BY_HAND = "by_hand"
    GONE = "gone"
    FAILING = "failing"


WHY_OFF: Final[Mapping[OffReason, str]] = {
    OffReason.BY_HAND: "by hand",
    OffReason.GONE: "it answered 410 Gone",
    OffReason.FAILING: "it failed for five days",
}
"""The reasons for people."""


class Endpoint(Wire, frozen=True, kw_only=True):
    """Where notices are sent. `account` is `None` for the provider's, which hears of all accounts and of its own.

    `events` are those that it hears of, `None` for all. `off_since` and `off_reason` are set while it is switched off,
    `failing_since` while its last attempt failed, `old_secret_until` while an earlier secret still signs.
    """

    id: str
    account: str | None
    url: str
    events: tuple[Event, ...] | None
    description: str
    created_at: str
    failing_since: str | None
    off_since: str | None
    off_reason: OffReason | None
    old_secret_until: str | None


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with a secret just made. `secret` is shown this once."""

    secret: str
    endpoint: Endpoint

    def to_dict(self) -> dict[str, Any]:
        """The wire shape: the secret beside the fields of `endpoint`."""
        return {"secret": self.secret, **self.endpoint.to_dict()}

    def __repr__(self) -> str:
        # A secret that is logged by accident is a secret no more.
        return f"{type(self).__name__}(secret={SECRET_STRUCK_OUT!r}, endpoint={self.endpoint!r})"


class Delivery(Wire, frozen=True, kw_only=True):
    """A notice on its way to an endpoint. `next_attempt_at` is set while it waits.

    `last_status` is that of the answer to the last attempt, `None` where there was none, and `last_milliseconds` how
    long that attempt took.
    """

    notice: str
    event: Event
    account: str | None
    state: DeliveryState
    created_at: str
    attempts: int
    last_status: int | None = None
    last_milliseconds: int | None = None
    next_attempt_at: str | None


class Attempt(Wire, frozen=True, kw_only=True):
    """One request: `status` is that of the answer, and `error` says why there was none or why it did not do."""

    number: int
    at: str
    url: str
    status: int | None
    milliseconds: int
    error: str | None


class DeliveryLog(Wire, frozen=True, kw_only=True):
    """A delivery with what was sent and each attempt, the first one first.

    Every request has the body and the headers that stand here, and a ``webhook-timestamp`` and ``webhook-signature`` of
    its own.
    """

    delivery: Delivery
    headers: Mapping[str, str]
    body: str
    attempts: tuple[Attempt, ...]


class DeliveryPage(Wire, frozen=True, kw_only=True):
    """Some deliveries, the newest first, and the cursor of the older ones (`None` at the end)."""

    deliveries: tuple[Delivery, ...]
    next_cursor: str | None = None


class Replayed(Wire, frozen=True, kw_only=True):
    """How many deliveries are on their way again."""

    replayed: int
