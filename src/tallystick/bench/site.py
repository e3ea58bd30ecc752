"""An engine that is measured: its two databases, the server that runs over one of them, and what to send to it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from tallystick.bench.orders import Sent
from tallystick.bench.places import Place
from tallystick.bench.processes import Server, serving
from tallystick.bench.workload import Jobs, Workload
from tallystick.errors import TallystickError
from tallystick.ledger import Ledger
from tallystick.model.instants import DAY
from tallystick.model.plans import Meter
from tallystick.model.tokens import Scope
from tallystick.store import measuring, meters
from tallystick.store.database import Store

_SEED: Final = 20250111
_LABEL: Final = "benchmark"


class Progress(Protocol):
    """Hears how far the benchmark is."""

    def expect(self, steps: int) -> None:
        """So many steps there will be."""
        ...

    def begin(self, step: str) -> None:
        """A step begins, the one before is done."""
        ...


class Site(NamedTuple):
    """What every measurement needs. `floor` is the database without a server, `subject` the server's."""

    engine: str
    version: str
    subject: Store
    floor: Store
    meters: tuple[Meter, ...]
    server: Server
    ingest_token: str
    admin_token: str
    workload: Workload
    progress: Progress
    now: int

    def begin(self, step: str) -> None:
        """Tells that a step begins."""
        self.progress.begin(f"{self.engine}: {step}")

    def post(self, path: str, body: bytes) -> bytes:
        """A request with a body, as it goes over the wire."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self.server.host}\r\nAuthorization: Bearer {self.ingest_token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def get(self, path: str) -> bytes:
        """A request to read something, as it goes over the wire."""
        return (
            f"GET {path} HTTP/1.1\r\nHost: {self.server.host}\r\nAuthorization: Bearer {self.admin_token}\r\n\r\n"
        ).encode()

    def post_jobs(self, jobs: Jobs, bodies: Sequence[bytes], *, connections: int) -> Sent:
        """Reports jobs. Raises `TallystickError` where the server does not store each of them."""
        sent = self.server.send([self.post("/jobs", body) for body in bodies], connections=connections)
        if sent.accepted != len(jobs.wire):
            raise TallystickError(f"of {len(jobs.wire)} jobs the server accepted {sent.accepted}")
        return sent


@contextmanager
def open_site(place: Place, progress: Progress, *, now: int) -> Iterator[Site]:
    """A server over new databases that knows every account and key of the workload."""
    Ledger(place.floor).close()
    with Ledger(place.subject) as ledger:
        ingest_token = ledger.tokens.create(Scope.INGEST, label=_LABEL).token
        admin_token = ledger.tokens.create(Scope.ADMIN, label=_LABEL).token
    with (
        tempfile.TemporaryDirectory(prefix="tallystick-bench-") as folder,
        closing(Store(place.subject)) as subject,
        closing(Store(place.floor)) as floor,
        serving(place.subject, place.workers, Path(folder)) as server,
    ):
        with floor.snapshot() as connection:
            known = meters.all_meters(connection)
            version = measuring.version(connection)
        site = Site(
            *(place.engine, version, subject, floor, known, server, ingest_token, admin_token),
            *(Workload(_SEED, now - 2 * DAY), progress, now),
        )
        jobs = site.workload.one_of_each()
        site.post_jobs(jobs, list(jobs.bodies(len(jobs.wire))), connections=1)
        yield site
