"""When a delivery is tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.instants import DAY, HOUR, MINUTE, SECOND
from tallystick.model.webhooks import Policy

WAITS = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]


def test_a_delivery_is_tried_nine_times_more_after_the_waits_of_the_specification() -> None:
    policy = Policy()
    assert [policy.retry_at(attempts, 0, 0.0) for attempts in range(1, 12)] == [*WAITS, None, None]
    assert (policy.timeout, policy.failing_for) == (15 * SECOND, 5 * DAY)


@given(st.integers(1, 9), st.integers(0, 2**50), st.floats(0, 1, exclude_max=True))
def test_jitter_lets_it_wait_longer_by_less_than_a_tenth_and_never_shorter(
    attempts: int, now: int, jitter: float
) -> None:
    wait = WAITS[attempts - 1]
    at = Policy().retry_at(attempts, now, jitter)
    assert at is not None
    assert now + wait <= at < now + wait + wait // 10 + 1


def test_a_process_has_a_delivery_for_longer_than_an_attempt_can_take() -> None:
    assert Policy().lease >= Policy().timeout + 5 * SECOND
