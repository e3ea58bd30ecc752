"""What is sent while things break: jobs that follow from a seed, and clients that note down every answer.

The jobs come in parcels, each a request's worth, and no job is in two of them: so a parcel that nobody acknowledged
must be stored whole or not at all. Replays repeat parcels, and mix jobs of those that were acknowledged.
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from tallystick.client import Client
from tallystick.errors import RequestError, ServerFailed

Document = dict[str, Any]

ZONES: Final = {"acme": "UTC", "Łódź GmbH": "Asia/Kolkata", "b/2": "America/St_Johns", "zz": "Pacific/Chatham"}
"""The accounts and their zones; each following one has fewer jobs."""

FIRST_MONTH: Final = "2024-12"
LAST_MONTH: Final = "2025-04"
_START: Final = datetime(2025, 1, 1, tzinfo=UTC)
_MINUTES: Final = 90 * 24 * 60

ANSWER_SECONDS: Final = 60
_PAUSE_SECONDS: Final = 0.02


@dataclass(frozen=True)
class Size:
    """How much a scenario does: parcels of at most so many jobs, from so many clients, and how often things break."""

    parcels: int
    jobs: int
    clients: int
    faults: int


SHORT: Final = Size(parcels=40, jobs=60, clients=3, faults=2)
LONG: Final = Size(parcels=400, jobs=120, clients=6, faults=8)


class Workload:
    """The parcels of a seed."""

    def __init__(self, seed: int, size: Size) -> None:
        self.seed = seed
        numbers = random.Random(f"{seed} jobs")
        count = iter(range(10**9))
        self.parcels: list[list[Document]] = [
            [_job(numbers, next(count)) for _ in range(1 if numbers.random() < 0.4 else numbers.randint(2, size.jobs))]
            for _ in range(size.parcels)
        ]
        self.by_place = {place(job): job for parcel in self.parcels for job in parcel}

    @property
    def jobs(self) -> list[Document]:
        """Every job, in an order of its own."""
        return list(self.by_place.values())


def place(job: Document) -> tuple[str, str]:
    """What names a job for ever: its account and its id."""
    return job["account"], job["id"]


def _job(numbers: random.Random, count: int) -> Document:
    accounts = list(ZONES)
    (account,) = numbers.choices(accounts, weights=[8, 4, 2, 1])
    sandbox = numbers.random() < 0.1
    # Minutes meet often enough that jobs of one instant are ordered by their ids.
    completed_at = _START + timedelta(minutes=numbers.randrange(_MINUTES))
    return {
        "id": f"{count:06d}" if numbers.random() < 0.5 else f"{numbers.getrandbits(64):016x} {count}",
        "account": account,
        "api_key": f"{'sandbox' if sandbox else 'key'} {numbers.randrange(5)}",
        "completed_at": f"{completed_at:%Y-%m-%dT%H:%M:%SZ}",
        "tokens": {"transcription": numbers.randrange(5000), "note_generation": numbers.randrange(5000)},
        "sandbox": sandbox,
    }


@dataclass
class Notes:
    """What the clients saw, together. Only what a complete answer said counts as acknowledged."""

    acknowledged: set[int] = field(default_factory=set)
    unanswered: set[int] = field(default_factory=set)
    """Parcels of which some request got no answer; another one may have got it."""
    accepted: int = 0
    unavailable: int = 0
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Crowd:
    """Clients on threads, which send the parcels, repeat what got no answer, and replay what did.

    `url` is asked before each request, since a server that was restarted may be elsewhere. Once so large a share of the
    parcels as `pause_at` is acknowledged, nothing new is sent until `resume`.
    """

    def __init__(
        self,
        workload: Workload,
        size: Size,
        url: Callable[[], str],
        token: str,
        *,
        retries: bool = True,
        pause_at: float | None = None,
    ) -> None:
        self.notes = Notes()
        self._workload = workload
        self._url = url
        self._token = token
        self._retries = retries
        self._stopped = threading.Event()
        self._pause_at = pause_at
        self._resumed = threading.Event()
        order = list(range(len(workload.parcels)))
        random.Random(f"{workload.seed} order").shuffle(order)
        self._threads = [
            threading.Thread(target=self._work, args=(number, order[number :: size.clients]), name=f"client {number}")
            for number in range(size.clients)
        ]

    def __enter__(self) -> Crowd:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.join()

    def stop(self) -> None:
        """From here on nothing more is sent, not even a repeat."""
        self._stopped.set()
        self.resume()

    def resume(self) -> None:
        """Lets the clients go on that wait at `pause_at`."""
        self._resumed.set()

    def join(self) -> None:
        """Waits until every client has sent all that it had to."""
        for thread in self._threads:
            thread.join()

    def wait_for(self, share: float) -> None:
        """Waits until so large a share of the parcels is acknowledged."""
        self.wait_until(lambda: self._has_acknowledged(share))

    def _has_acknowledged(self, share: float) -> bool:
        return len(self.notes.acknowledged) >= share * len(self._workload.parcels)

    def wait_for_refusals(self, count: int) -> None:
        """Waits until so many requests were turned away with 503."""
        self.wait_until(lambda: self.notes.unavailable >= count)

    def wait_until(self, reached: Callable[[], bool]) -> None:
        """Waits until something holds, or there is nobody left to bring it about."""
        end = time.monotonic() + ANSWER_SECONDS
        while not reached() and any(thread.is_alive() for thread in self._threads):
            assert time.monotonic() < end, f"the clients did not get on: {self.notes}"
            time.sleep(0.005)

    def _work(self, number: int, parcels: Sequence[int]) -> None:
        numbers = random.Random(f"{self._workload.seed} client {number}")
        try:
            with _Post(self._token, by_sdk=number % 2 == 1) as post:
                for index in parcels:
                    if self._pause_at is not None and self._has_acknowledged(self._pause_at):
                        self._resumed.wait()
                    self._deliver(post, index, numbers)
                    if self._retries and numbers.random() < 0.3:
                        self._replay(post, numbers)
        except Exception as error:  # noqa: BLE001 - a client that fails is a finding, whatever it fails of
            self._note(f"client {number} failed: {error!r}")

    def _deliver(self, post: _Post, index: int, numbers: random.Random) -> None:
        parcel = self._workload.parcels[index]
        if numbers.random() < 0.5:
            parcel = numbers.sample(parcel, len(parcel))
        while not self._stopped.is_set():
            answer = self._exchange(post, parcel)
            if answer is None:
                with self.notes.lock:
                    self.notes.unanswered.add(index)
            elif answer["accepted"] + answer["duplicates"] != len(parcel):
                self._note(f"parcel {index} of {len(parcel)} jobs was answered {answer}")
            else:
                with self.notes.lock:
                    self.notes.acknowledged.add(index)
                    self.notes.accepted += answer["accepted"]
                return
            if not self._retries:
                return
            time.sleep(_PAUSE_SECONDS)

    def _replay(self, post: _Post, numbers: random.Random) -> None:
        """Sends jobs of acknowledged parcels again, sometimes changed; whatever happened, none may be new."""
        with self.notes.lock:
            acknowledged = sorted(self.notes.acknowledged)
        chosen = numbers.sample(acknowledged, min(3, len(acknowledged)))
        jobs = [job for index in chosen for job in self._workload.parcels[index]]
        jobs = numbers.sample(jobs, len(jobs))[:100]
        changed = numbers.random() < 0.2
        if changed:
            jobs = [{**job, "tokens": {"transcription": 5001}} for job in jobs[:2]]
        if not jobs or self._stopped.is_set():
            return
        answer = self._exchange(post, jobs)
        if answer is None:
            return
        refused = [rejection["code"] for rejection in answer["rejected"]]
        expected = (0, 0, ["conflict"] * len(jobs)) if changed else (0, len(jobs), [])
        if (answer["accepted"], answer["duplicates"], refused) != expected:
            self._note(f"a replay of {len(jobs)} acknowledged jobs was answered {answer}")

    def _exchange(self, post: _Post, jobs: Sequence[Document]) -> Document | None:
        """The answer to a request; nothing where there was none, or where it says to come again."""
        status, retry_after, document = post.send(self._url(), jobs)
        if status == 503:
            with self.notes.lock:
                self.notes.unavailable += 1
            if not retry_after:
                self._note(f"a 503 came without Retry-After: {document}")
        elif status not in (0, 200):
            self._note(f"{len(jobs)} jobs were answered {status}: {document}")
            time.sleep(_PAUSE_SECONDS)
        return document if status == 200 else None

    def _note(self, finding: str) -> None:
        with self.notes.lock:
            # The first ones tell it; a server that answers 500 would fill the memory.
            if len(self.notes.wrong) < 20:
                self.notes.wrong.append(finding)


class _Post:
    """Sends jobs through the SDK, or plainly over HTTP; gives the status (0: no answer), Retry-After and the answer."""

    def __init__(self, token: str, *, by_sdk: bool) -> None:
        self._token = token
        self._by_sdk = by_sdk
        self._http = httpx.Client(timeout=ANSWER_SECONDS, headers={"X-Api-Key": token})
        self._sdks: dict[str, Client] = {}

    def __enter__(self) -> _Post:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        for sdk in self._sdks.values():
            sdk.close()

    def send(self, url: str, jobs: Sequence[Document]) -> tuple[int, str | None, Document]:
        return self._through_sdk(url, jobs) if self._by_sdk else self._plainly(url, jobs)

    def _plainly(self, url: str, jobs: Sequence[Document]) -> tuple[int, str | None, Document]:
        body = json.dumps(jobs[0] if len(jobs) == 1 else jobs)
        try:
            answer = self._http.post(f"{url}/jobs", content=body, headers={"Content-Type": "application/json"})
        except httpx.TransportError:
            return 0, None, {}
        return answer.status_code, answer.headers.get("Retry-After"), answer.json()

    def _through_sdk(self, url: str, jobs: Sequence[Document]) -> tuple[int, str | None, Document]:
        if url not in self._sdks:
            self._sdks[url] = Client(
                base_url=url, token=self._token, timeout_seconds=ANSWER_SECONDS, max_retries=2, sleep=_hurry
            )
        try:
            result = self._sdks[url].jobs.record(jobs[0]) if len(jobs) == 1 else self._sdks[url].jobs.record_many(jobs)
        except ServerFailed as error:
            return error.status or 0, "hidden by the SDK", {"code": error.code}
        except RequestError:
            return 0, None, {}
        return 200, None, result.to_dict()


def _hurry(_seconds: float) -> None:
    # What the server asks for is kept in earnest use; here it would only make the tests wait.
    time.sleep(_PAUSE_SECONDS)


@contextlib.contextmanager
def reading(url: Callable[[], str], token: str) -> Iterator[list[str]]:
    """Reads reports all the while, so that boundaries are kept while jobs come in; gives what went wrong."""
    stopped, wrong = threading.Event(), list[str]()

    def read() -> None:
        with httpx.Client(timeout=ANSWER_SECONDS, headers={"X-Api-Key": token}) as client:
            while not stopped.wait(0.05):
                for account in ZONES:
                    with contextlib.suppress(httpx.TransportError):
                        query = {"account": account, "start_month": FIRST_MONTH, "end_month": LAST_MONTH}
                        answer = client.get(f"{url()}/usage", params=query)
                        if answer.status_code not in (200, 503) and len(wrong) < 20:
                            wrong.append(f"a report was answered {answer.status_code}: {answer.text}")

    reader = threading.Thread(target=read, name="reader")
    reader.start()
    try:
        yield wrong
    finally:
        stopped.set()
        reader.join()
