"""How the server does: what it stores, how quickly, what waits, what went wrong."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from litestar.exceptions import NotFoundException
from litestar.response import Response

from tallystick import charts
from tallystick.charts import Series
from tallystick.model.csvtext import csv_text
from tallystick.version import __version__
from tallystick.web import figures
from tallystick.web.answers import show
from tallystick.web.charts import Figure, inline_json, styles
from tallystick.web.downloads import CSV, attachment
from tallystick.web.pages import page
from tallystick.web.pulse import BUCKET_SECONDS, Bucket, LastErrors, Pulse
from tallystick.web.request import PageRequest

_HEIGHT: Final = 150
_PICTURES: Final = {"ingest": ("Jobs stored", "jobs/s"), "commits": ("Time of a commit, on average", "ms")}
_UNITS: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


@page("/health", viewers="provider", summary="Ingest rate, commit time, queue, last errors, database size")
def show_health(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/health."""
    pulse: Pulse = request.app.state.pulse
    errors: LastErrors = request.app.state.errors
    buckets = [bucket for _, bucket in pulse.buckets()]
    recent = buckets[-6:]
    version = request.ledger.maintenance.version()
    quarantine = request.ledger.quarantine.list(limit=1)
    return show(
        request,
        "health.html",
        title="Health",
        rate=_rate(recent),
        average=_milliseconds(recent),
        longest=f"{max((bucket.longest_seconds for bucket in buckets), default=0.0) * 1000:,.1f}",
        queue=figures.count(request.ledger.queued_jobs),
        queue_most=figures.count(request.settings.queue_jobs),
        size=_size(request.ledger.database_bytes()),
        engine=version.engine,
        schema=version.schema,
        program=__version__,
        quarantined=figures.count(quarantine.total),
        dropped=figures.count(quarantine.dropped),
        errors=[(_moment(at), message) for at, message in errors.newest_first()],
        styles=styles(),
        pictures=[_figure(request, name, pulse) for name in _PICTURES],
        course=_course(pulse),
        one_of_several="PROMETHEUS_MULTIPROC_DIR" in os.environ,
        process=os.getpid(),
    )


@page("/health/{picture:str}", viewers="provider", summary="What a picture of the server's health shows, as CSV")
def download_health(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/health/NAME.csv."""
    name, _, form = request.path_name("picture").rpartition(".")
    if name not in _PICTURES or form != "csv":
        raise NotFoundException
    table = charts.table("course", _series(name, request.app.state.pulse))
    return attachment(csv_text(table.columns, table.rows), CSV, f"{name}.csv")


def _figure(request: PageRequest, name: str, pulse: Pulse) -> Figure:
    title, unit = _PICTURES[name]
    series = _series(name, pulse)
    drawn = inline_json(charts.fill("course", series))
    text = charts.describe("course", series)
    return Figure(name, title, unit, text, drawn, request.link(f"/health/{name}.csv"), "#course", _HEIGHT)


def _series(name: str, pulse: Pulse) -> Series:
    title, unit = _PICTURES[name]
    value = _per_second if name == "ingest" else _average
    return Series(title=title, unit=unit, points=[(_moment(at)[11:], value([each])) for at, each in pulse.buckets()])


def _course(pulse: Pulse) -> list[tuple[str, str, str, str]]:
    """The table of both pictures, the newest first: when, jobs a second, the average of a commit and the longest."""
    return [
        (
            _moment(at)[11:],
            f"{_per_second([each]):,}",
            f"{_average([each]):,}" if each.commits else "",
            f"{each.longest_seconds * 1000:,.1f}" if each.commits else "",
        )
        for at, each in reversed(pulse.buckets())
    ]


def _per_second(buckets: list[Bucket]) -> Decimal:
    seconds = max(1, len(buckets) * BUCKET_SECONDS)
    return Decimal(sum(bucket.accepted for bucket in buckets) * 10 // seconds).scaleb(-1)


def _average(buckets: list[Bucket]) -> Decimal:
    commits = sum(bucket.commits for bucket in buckets)
    tenths = sum(bucket.seconds for bucket in buckets) * 10_000 / commits if commits else 0
    return Decimal(round(tenths)).scaleb(-1)


def _rate(buckets: list[Bucket]) -> str:
    return f"{_per_second(buckets):,}"


def _milliseconds(buckets: list[Bucket]) -> str:
    return f"{_average(buckets):,}"


def _size(size_bytes: int) -> str:
    for unit, name in _UNITS:
        if size_bytes >= unit:
            return f"{size_bytes * 10 // unit / 10:,.1f} {name}"
    return f"{size_bytes:,} bytes"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")


ROUTES: Final = (show_health, download_health)
