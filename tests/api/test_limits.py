"""Each token has its own bucket of requests, answers say what is left, and an empty bucket is 429."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallystick.api.limits import RateLimits
from tallystick.errors import TooManyRequests
from tallystick.model.tokens import Scope
from tallystick.settings import Settings
from tests.api.service import JANUARY, JANUARY_JOBS, LINES, problem, service


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_full_bucket_gives_its_number_at_once_and_then_one_at_a_time_as_it_fills() -> None:
    clock = Seconds()
    limits = RateLimits(60, clock)
    taken = [limits.take("a") for _ in range(60)]
    assert [allowance.remaining for allowance in taken if allowance] == list(range(59, -1, -1))
    with pytest.raises(TooManyRequests) as refused:
        limits.take("a")
    assert refused.value.retry_after_seconds == 1
    clock.now += 1
    assert limits.take("a") is not None
    with pytest.raises(TooManyRequests):
        limits.take("a")
    clock.now += 3600
    full = limits.take("a")
    assert full is not None
    assert full.remaining == 59


def test_tokens_do_not_share_a_bucket_and_without_a_limit_there_is_none() -> None:
    limits = RateLimits(1, Seconds())
    assert limits.take("a") is not None
    assert limits.take("b") is not None
    with pytest.raises(TooManyRequests):
        limits.take("a")
    unlimited = RateLimits(0, Seconds())
    assert [unlimited.take("a") for _ in range(1000)] == [None] * 1000


def test_answers_tell_what_is_left_and_an_empty_bucket_answers_429_with_retry_after(tmp_path: Path) -> None:
    with service(tmp_path, Settings(requests_per_minute=2)) as serving:
        assert serving.post_jobs(JANUARY_JOBS, kind=LINES).headers["ratelimit"].startswith('"token";r=1;t=')
        token = serving.token(Scope.USAGE, "acme")
        first = serving.call("GET", "/usage", token=token, params=JANUARY)
        assert first.headers["ratelimit-policy"] == '"token";q=2;w=60'
        assert serving.call("GET", "/usage", token=token, params=JANUARY).headers["ratelimit"].startswith('"token";r=0')
        refused = serving.call("GET", "/usage", token=token, params=JANUARY)
        problem(refused, 429, "rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["ratelimit"].startswith('"token";r=0;t=')
        assert serving.call("GET", "/healthz").status_code == 200
        assert "ratelimit" not in serving.call("GET", "/healthz").headers
