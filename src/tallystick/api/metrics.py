"""What the server counts and times, for Prometheus.

Each application has its own registry. Where several processes serve one address, they share their figures through
files (prometheus-client's multiprocess mode, switched on by ``PROMETHEUS_MULTIPROC_DIR``) and each answers for all.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from litestar import HttpMethod, Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from tallystick.api.calls import METRICS, Answer, Call, Media, route
from tallystick.api.request import ApiRequest, in_thread
from tallystick.errors import NotFound
from tallystick.ledger import CommitReport

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable of the environment that names the folder of the figures which several processes share."""

QUEUE_TOLD_AFTER_SECONDS: Final = 0.5
"""How old what a process says of its queue may be when another answers for it."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_JOBS: Final = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
_UNROUTED: Final = "unrouted"
"""Stands for every path that is no route's: a path that anybody can make up must not become a label."""


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "tallystick_requests", "Answered requests.", ["method", "route", "status"], registry=self._registry
        )
        self._latency = Histogram(
            "tallystick_request_seconds",
            "Time from a request's head to its answer.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._jobs = Counter(
            "tallystick_jobs", "Reported jobs, by what became of them.", ["outcome"], registry=self._registry
        )
        self._commit_jobs = Histogram(
            "tallystick_commit_jobs", "Jobs of one commit.", buckets=_JOBS, registry=self._registry
        )
        self._commit_seconds = Histogram(
            "tallystick_commit_seconds",
            "Time of one commit, until it was durable.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._queue = Gauge(
            "tallystick_queue_jobs",
            "Jobs that wait to be stored.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._size = Gauge(
            "tallystick_database_bytes",
            "Size of the database.",
            registry=self._registry,
            multiprocess_mode="livemostrecent",
        )

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Counts an answered request; `route` is a template, `None` where none matched."""
        name = route or _UNROUTED
        known = method if method in set(HttpMethod) else "other"
        self._requests.labels(known, name, str(status)).inc()
        self._latency.labels(known, name).observe(seconds)

    def committed(self, report: CommitReport) -> None:
        """Counts what a commit stored."""
        self._commit_jobs.observe(report.jobs)
        self._commit_seconds.observe(report.seconds)
        self._jobs.labels("accepted").inc(report.accepted)
        self._jobs.labels("duplicate").inc(report.duplicates)
        self._jobs.labels("rejected").inc(report.rejected)

    def queued(self, jobs: int) -> None:
        """Tells how many jobs wait in this process."""
        self._queue.set(jobs)

    def render(self, *, database_bytes: int) -> bytes:
        """The figures as Prometheus reads them."""
        self._size.set(database_bytes)
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        multiprocess.MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)


@asynccontextmanager
async def telling_queue(app: Litestar) -> AsyncIterator[None]:
    """While the application runs, what waits in its queue is known to the processes beside it."""
    telling = asyncio.create_task(_tell_queue(app)) if SHARED_FOLDER in os.environ else None
    try:
        yield
    finally:
        if telling is not None:
            telling.cancel()


async def _tell_queue(app: Litestar) -> None:
    while True:
        app.state.metrics.queued(app.state.ledger.queued_jobs)
        await asyncio.sleep(QUEUE_TOLD_AFTER_SECONDS)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/metrics": "getMetrics"},
        tag="operation",
        summary="Counters and timings for Prometheus",
        description=(
            "Requests and latency by route, jobs by outcome, size and time of commits, queue depth, database size. "
            "The setting `metrics` says whether everybody may read it, only admin tokens, or nobody."
        ),
        allowed=METRICS,
        answer=Answer(
            status=200,
            description="The text format of Prometheus.",
            media={"text/plain": Media(schema={"type": "string"}, example="tallystick_queue_jobs 0.0\n")},
        ),
        problems=(404, 503),
    )
)
async def get_metrics(request: ApiRequest) -> Response[bytes]:
    """GET /metrics."""
    if request.settings.metrics == "off":
        raise NotFound("The setting `metrics` is off.")
    ledger = request.ledger
    metrics: Metrics = request.app.state.metrics
    size = await in_thread(ledger.database_bytes)
    metrics.queued(ledger.queued_jobs)
    text = metrics.render(database_bytes=size)
    # The framework would name the charset once more.
    return Response(text, media_type=CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8"))


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (get_metrics,)
