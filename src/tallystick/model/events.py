"""What webhooks carry, as those who receive them see it: a typed event for each notice.

::

    match client.webhooks.unwrap(body, headers, secret).data:
        case TierReached(account=account, discount=discount):
            ...
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from tallystick.model.notices import Event
from tallystick.model.webhooks import OffReason
from tallystick.model.wire import Wire


class FreeJobsLow(Wire, frozen=True, kw_only=True):
    """A tenth of an account's free jobs, or less, is left. `jobs` is how many it has done."""

    account: str
    free_jobs: int
    free_jobs_left: int
    jobs: int


class FreeJobsExhausted(Wire, frozen=True, kw_only=True):
    """An account has used up its free jobs: what comes costs."""

    account: str
    free_jobs: int
    free_jobs_left: int
    jobs: int


class TierReached(Wire, frozen=True, kw_only=True):
    """An account has done the `after_jobs` jobs after which the next ones have a discount, in percent."""

    account: str
    tier: int
    after_jobs: int
    discount: Decimal
    jobs: int


class BudgetThreshold(Wire, frozen=True, kw_only=True):
    """A month's cost has reached a share of a budget, `threshold` percent of its `amount`.

    `api_key` is the key whose budget it is, `None` for the whole account's. Money is in the account's `currency`.
    """

    account: str
    api_key: str | None
    month: str
    threshold: int
    amount: Decimal
    cost: Decimal
    used_percentage: Decimal
    currency: str


class MonthClosed(Wire, frozen=True, kw_only=True):
    """A month (``YYYY-MM``) is closed, and its statement there."""

    account: str
    month: str
    jobs: int
    final_cost: Decimal
    currency: str
    closed_at: str


class JobLate(Wire, frozen=True, kw_only=True):
    """Jobs of a closed `month` came late: they are booked in the month `booked_in`, so many so far."""

    account: str
    month: str
    booked_in: str
    jobs: int


class AccountCreated(Wire, frozen=True, kw_only=True):
    """`count` accounts are new; `accounts` names the first hundred of them. For the provider."""

    count: int
    accounts: tuple[str, ...]


class QuarantineAdded(Wire, frozen=True, kw_only=True):
    """`count` jobs were rejected that were not before; `codes` counts them by their code. For the provider."""

    count: int
    codes: Mapping[str, int]


class WebhookOff(Wire, frozen=True, kw_only=True):
    """An endpoint (of the provider, where `account` is `None`) was switched off, and why."""

    account: str | None
    webhook: str
    url: str
    reason: OffReason


class WebhookTest(Wire, frozen=True, kw_only=True):
    """Somebody tries an endpoint."""

    account: str | None
    webhook: str


Data = (
    FreeJobsLow
    | FreeJobsExhausted
    | TierReached
    | BudgetThreshold
    | MonthClosed
    | JobLate
    | AccountCreated
    | QuarantineAdded
    | WebhookOff
    | WebhookTest
)

SHAPES: Final[Mapping[str, type[Data]]] = {
    Event.FREE_JOBS_LOW: FreeJobsLow,
    Event.FREE_JOBS_EXHAUSTED: FreeJobsExhausted,
    Event.TIER_REACHED: TierReached,
    Event.BUDGET_THRESHOLD: BudgetThreshold,
    Event.MONTH_CLOSED: MonthClosed,
    Event.JOB_LATE: JobLate,
    Event.ACCOUNT_CREATED: AccountCreated,
    Event.QUARANTINE_ADDED: QuarantineAdded,
    Event.WEBHOOK_OFF: WebhookOff,
    Event.WEBHOOK_TEST: WebhookTest,
}
"""What the data of each event are."""


class WebhookEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that was received, and comes from whom it says.

    `id` is that of the notice: the same for every attempt, so that a receiver can tell what it has seen already.
    `timestamp` is when the notice was said. `data` is a plain dict where this version does not know the `type` yet.
    """

    id: str
    type: str
    timestamp: str
    data: Data | dict[str, Any]


def event_from(id: str, document: Any) -> WebhookEvent:  # noqa: A002 the field's own name
    """The event that a webhook's body holds, decoded. Raises `msgspec.ValidationError` where it has another shape."""
    envelope = msgspec.convert(document, _Envelope)
    shape = SHAPES.get(envelope.type)
    data: Data | dict[str, Any] = envelope.data if shape is None else msgspec.convert(envelope.data, shape)
    return WebhookEvent(id=id, type=envelope.type, timestamp=envelope.timestamp, data=data)


class _Envelope(msgspec.Struct, frozen=True):
    type: str
    timestamp: str
    data: dict[str, Any]
