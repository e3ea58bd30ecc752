"""The intake: sound jobs meet what is stored, in one transaction.

Nothing is rated here. Jobs that are new to their accounts are appended and added to the rollups; a job whose id
is there already is compared. So ingest commutes: any order, any batches, any worker.

The order of the steps matters where several processes write (PostgreSQL): accounts are registered in the order of
their names, then their state rows are locked in the order of their numbers, and only then keys are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from tallystick.ingest.checks import Candidate, Refusal, refuse, shown
from tallystick.model.accounts import KeyKind
from tallystick.model.instants import SECOND
from tallystick.model.jobs import IngestResult, RejectionCode
from tallystick.model.plans import Meter
from tallystick.model.tokens import holds_token
from tallystick.settings import Settings
from tallystick.store import accounts, boundaries, jobs, meters, plans, quarantine, states, sums
from tallystick.store.accounts import KeyRow
from tallystick.store.database import Connection
from tallystick.store.jobs import JobRow, Position
from tallystick.store.quarantine import RejectedItem
from tallystick.store.schema import LIVE, SANDBOX
from tallystick.store.states import Advance, StateRow
from tallystick.store.sums import by_day

MOST_REMEMBERED: Final = 200_000

_STATES: Final = {KeyKind.LIVE: LIVE, KeyKind.SANDBOX: SANDBOX}

Place = tuple[int, str]
"""An account's number and a job's id: what names a job for ever."""


class KeyRef(NamedTuple):
    """What a job needs of its key."""

    id: int
    kind: KeyKind
    state: int
    sandbox: bool

    @classmethod
    def of(cls, key_id: int, kind: KeyKind) -> KeyRef:
        """The key of that number and kind, with what its kind means for its jobs."""
        # Looked up once and not for each job: an enum is slow to hash.
        return cls(key_id, kind, _STATES[kind], kind is KeyKind.SANDBOX)


class Directory:
    """The numbers of accounts and keys that are stored for good.

    Names, kinds and numbers never change, so what one request has looked up serves the next. Only what is
    committed may be remembered.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, int] = {}
        self.keys: dict[tuple[int, str], KeyRef] = {}

    def remember(self, found_accounts: Mapping[str, int], found_keys: Mapping[tuple[int, str], KeyRef]) -> None:
        """Takes up what a committed transaction found or registered."""
        if len(self.accounts) + len(self.keys) > MOST_REMEMBERED:
            self.accounts, self.keys = {}, {}
        self.accounts.update(found_accounts)
        self.keys.update(found_keys)


class Batch:
    """The jobs of one request, parted by `tallystick.ingest.checks.check`."""

    def __init__(self, candidates: Sequence[Candidate], refusals: Sequence[Refusal]) -> None:
        self.candidates = candidates
        self.refusals = refusals
        # Known before the transaction begins, which is the one place where requests wait for each other.
        self.keys = {(candidate.job.account, candidate.job.api_key) for candidate in candidates}
        """Each account and API key that the jobs name."""
        self.latest = max([candidate.completed_at for candidate in candidates], default=0)
        """The last instant at which one of the jobs was completed."""


class _Tally:
    """What has become of one batch's jobs so far."""

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        self.accepted = 0
        self.duplicates = 0
        self.refusals = list(refusals)

    def refuse(self, candidate: Candidate, code: RejectionCode, detail: str) -> None:
        self.refusals.append(refuse(candidate.number, candidate.job, code, detail))

    def result(self) -> IngestResult:
        rejections = sorted((refusal.rejection for refusal in self.refusals), key=lambda rejection: rejection.index)
        return IngestResult(self.accepted, self.duplicates, tuple(rejections))


class _Book:
    """An account as this transaction sees it, and what is added to it."""

    def __init__(self, state: StateRow, now: int) -> None:
        self.id = state.account_id
        self.recorded_at = max(now, state.recorded_at)
        self.clock_moved = now > state.recorded_at
        self.open_from = state.open_from
        self.keys: dict[str, KeyRef] = {}
        self.calendar = state.calendar
        self.new: list[JobRow] = []
        """Live jobs that were stored."""

    def row(self, candidate: Candidate, key: KeyRef, tokens: tuple[int, ...]) -> JobRow:
        """The job as it would be stored: a job for a closed month is booked in the first open one (rule 7)."""
        booked_at = completed_at = candidate.completed_at
        if self.open_from is not None and completed_at < self.open_from:
            booked_at = max(self.recorded_at, self.open_from)
        return JobRow(self.id, key.state, booked_at, candidate.job.id, key.id, completed_at, self.recorded_at, tokens)

    @property
    def earliest(self) -> Position:
        """The place of the first of the new jobs, of which there are some."""
        booked_at = min([row.booked_at for row in self.new])
        return Position(booked_at, min([row.id for row in self.new if row.booked_at == booked_at], key=str.encode))


class Intake:
    """Takes the jobs of one or several requests within one transaction. Made for one use."""

    def __init__(self, connection: Connection, directory: Directory, *, settings: Settings, now: int) -> None:
        self._connection = connection
        self._settings = settings
        self._now = now
        self._latest = now + settings.future_seconds * SECOND
        self._directory = directory
        self._accounts: dict[str, int] = {}
        self._books: dict[str, _Book] = {}
        self._new_keys: set[tuple[str, str]] = set()
        self._met: dict[tuple[int, str], KeyRef] = {}
        self._meters: tuple[Meter, ...] = ()
        self._meter_ids: tuple[str, ...] = ()
        self._known_meters: frozenset[str] = frozenset()
        self._every_count: Callable[[Mapping[str, int]], tuple[int, ...]]
        self._tallies: list[_Tally] = []
        self.changed: tuple[int, ...] = ()
        """The numbers of the accounts for which something was stored."""

    def take(self, batches: Sequence[Batch]) -> list[IngestResult]:
        """Stores what is new of the batches and gives the result of each, in their order.

        Of several jobs with one id the first counts, across batches too. Refused jobs go to the quarantine.
        """
        self._tallies = [_Tally(batch.refusals) for batch in batches]
        if any(batch.candidates for batch in batches):
            self._meters = meters.all_meters(self._connection)
            self._meter_ids = tuple(meter.id for meter in self._meters)
            self._known_meters = frozenset(self._meter_ids)
            if len(self._meter_ids) > 1:
                self._every_count = itemgetter(*self._meter_ids)
            self._open_books(batches)
            self._settle(*self._admit(batches, self._stored_suspects(batches)))
        self._keep_refusals()
        return [tally.result() for tally in self._tallies]

    def commit(self) -> None:
        """To be called once the transaction is durable."""
        self._directory.remember(self._accounts, self._met)

    # Names

    def _open_books(self, batches: Sequence[Batch]) -> None:
        wanted = set[tuple[str, str]]().union(*[batch.keys for batch in batches])
        self._find_accounts({account for account, _ in wanted}, batches)
        locked = states.lock(self._connection, set(self._accounts.values()))
        self._books = {name: _Book(locked[number], self._now) for name, number in self._accounts.items()}
        unknown: dict[tuple[int, str], tuple[str, str]] = {}
        for account, name in wanted:
            book = self._books.get(account)
            if book is not None:
                key = self._directory.keys.get((book.id, name))
                if key is None:
                    unknown[book.id, name] = (account, name)
                else:
                    book.keys[name] = key
        if unknown:
            for place, row in accounts.keys_named(self._connection, unknown).items():
                account, _ = unknown.pop(place)
                self._meet(self._books[account], row)
        self._new_keys = set(unknown.values())

    def _find_accounts(self, names: set[str], batches: Sequence[Batch]) -> None:
        # Another thread may put an empty mapping in its place at any time.
        remembered = self._directory.accounts
        known = {name: remembered[name] for name in names if name in remembered}
        strangers = names - known.keys()
        if strangers:
            known.update(accounts.account_ids(self._connection, strangers))
        self._accounts = known
        if self._settings.register and strangers - known.keys():
            # Nothing of a new account is stored, so its first timely job of known meters will be accepted.
            welcome = {
                candidate.job.account
                for candidate in _candidates(batches)
                if candidate.job.account not in known
                and candidate.completed_at <= self._latest
                and candidate.job.tokens.keys() <= self._known_meters
            }
            self._register_accounts(sorted(welcome))

    def _register_accounts(self, names: Sequence[str]) -> None:
        if not names:
            return
        plan = plans.plan_named(self._connection, self._settings.default_plan)
        for name in names:
            accounts.add_account(
                self._connection, name, time_zone=self._settings.default_time_zone, plan=plan, now=self._now
            )
        # Another process may have registered one of them meanwhile.
        self._accounts.update(accounts.account_ids(self._connection, names))

    def _register_key(self, book: _Book, candidate: Candidate) -> KeyRef:
        kind = KeyKind.SANDBOX if candidate.job.sandbox else KeyKind.LIVE
        row = accounts.add_key(self._connection, book.id, candidate.job.api_key, kind=kind, now=self._now)
        return self._meet(book, row)

    def _meet(self, book: _Book, row: KeyRow) -> KeyRef:
        """Takes up a key that the directory does not know."""
        key = book.keys[row.name] = self._met[book.id, row.name] = KeyRef.of(row.id, row.kind)
        return key

    # Admission

    def _stored_suspects(self, batches: Sequence[Batch]) -> dict[Place, JobRow]:
        """What is stored under the ids of those jobs that would be refused, or name a new key, if they were new.

        A repeat of a stored job is a duplicate even when the clock has stepped back, and must register nothing.
        """
        suspects = {
            (book.id, candidate.job.id)
            for batch in batches
            # Of most batches nothing is suspect, and none of their jobs need be looked at.
            if batch.latest > self._latest or not batch.keys.isdisjoint(self._new_keys)
            for candidate in batch.candidates
            if (book := self._books.get(candidate.job.account)) is not None
            and (candidate.job.api_key not in book.keys or candidate.completed_at > self._latest)
        }
        return jobs.find(self._connection, suspects, self._meters) if suspects else {}

    def _admit(
        self, batches: Sequence[Batch], stored: Mapping[Place, JobRow]
    ) -> tuple[dict[Place, tuple[JobRow, int, Candidate]], list[tuple[JobRow, int, Candidate]]]:
        """The jobs to be stored, the first of each id, and the repeats of those; each with its batch's number."""
        admitted: dict[Place, tuple[JobRow, int, Candidate]] = {}
        repeats: list[tuple[JobRow, int, Candidate]] = []
        for number, batch in enumerate(batches):
            for candidate in batch.candidates:
                row = self._row(number, candidate, admitted, stored)
                if row is None:
                    continue
                place = (row.account_id, row.id)
                if place in stored:
                    self._compare(number, candidate, row, stored[place])
                elif place in admitted:
                    repeats.append((row, number, candidate))
                else:
                    admitted[place] = (row, number, candidate)
        return admitted, repeats

    def _row(
        self,
        number: int,
        candidate: Candidate,
        admitted: Mapping[Place, object],
        stored: Mapping[Place, JobRow],
    ) -> JobRow | None:
        """The job as it would be stored, or nothing where it is refused."""
        job = candidate.job
        tokens = self._tokens(job.tokens)
        book = self._books.get(job.account)
        key = None if book is None else book.keys.get(job.api_key)
        if key is None or tokens is None or candidate.completed_at > self._latest or job.sandbox is not key.sandbox:
            key = self._key_of_unusual(number, candidate, admitted, stored)
        if book is None or key is None or tokens is None:
            return None
        return book.row(candidate, key, tokens)

    def _tokens(self, counts: Mapping[str, int]) -> tuple[int, ...] | None:
        """The counts in the order of the meters; nothing where one of them is no meter."""
        if len(counts) == len(self._meter_ids) > 1:
            # Most jobs carry every meter, and one look-up gives all. Where one is absent, another is unknown.
            try:
                return self._every_count(counts)
            except KeyError:
                return None
        if not counts.keys() <= self._known_meters:
            return None
        return tuple([counts.get(meter, 0) for meter in self._meter_ids])

    def _key_of_unusual(
        self,
        number: int,
        candidate: Candidate,
        admitted: Mapping[Place, object],
        stored: Mapping[Place, JobRow],
    ) -> KeyRef | None:
        """The key of a job that is not simply stored, registered where it is new; nothing where the job is refused."""
        job, tally = candidate.job, self._tallies[number]
        if not job.tokens.keys() <= self._known_meters:
            self._refuse_meter(tally, candidate)
            return None
        book = self._books.get(job.account)
        if book is None:
            self._refuse_stranger(tally, candidate)
            return None
        place = (book.id, job.id)
        known = place in stored or place in admitted
        key = book.keys.get(job.api_key)
        if key is None:
            return self._welcome_key(tally, candidate, book, known=known)
        if job.sandbox is not key.sandbox:
            detail = f"{shown(job.api_key)} is a {key.kind.value} key and stays one; the job says otherwise"
            tally.refuse(candidate, "key_kind", detail)
            return None
        if candidate.completed_at > self._latest and not known:
            self._refuse_future(tally, candidate)
            return None
        return key

    def _welcome_key(self, tally: _Tally, candidate: Candidate, book: _Book, *, known: bool) -> KeyRef | None:
        """The key, new to its account, of a job that will be stored; nothing where the job is refused."""
        if known:
            tally.refuse(candidate, "conflict", "another job with this id is stored; api_key differs")
        elif candidate.completed_at > self._latest:
            self._refuse_future(tally, candidate)
        elif not self._settings.register:
            tally.refuse(candidate, "unknown_key", f"the account has no API key {shown(candidate.job.api_key)}")
        else:
            return self._register_key(book, candidate)
        return None

    def _refuse_stranger(self, tally: _Tally, candidate: Candidate) -> None:
        if self._settings.register:
            self._refuse_future(tally, candidate)
        else:
            tally.refuse(candidate, "unknown_account", f"there is no account {shown(candidate.job.account)}")

    def _refuse_future(self, tally: _Tally, candidate: Candidate) -> None:
        limit = self._settings.future_seconds
        tally.refuse(candidate, "future", f"completed_at lies more than {limit} seconds ahead of the server's clock")

    def _refuse_meter(self, tally: _Tally, candidate: Candidate) -> None:
        unknown = next(name for name in candidate.job.tokens if name not in self._known_meters)
        code: RejectionCode = "secret" if any(map(holds_token, candidate.job.tokens)) else "unknown_meter"
        known = ", ".join(self._meter_ids)
        tally.refuse(candidate, code, f"tokens.{shown(unknown)[1:-1]} is not a meter here; known are {known}")

    # Storing

    def _settle(
        self,
        admitted: Mapping[Place, tuple[JobRow, int, Candidate]],
        repeats: Sequence[tuple[JobRow, int, Candidate]],
    ) -> None:
        known = jobs.append(
            self._connection,
            [row for row, _, _ in admitted.values()],
            self._meters,
            clock_moved=all(book.clock_moved for book in self._books.values()),
        )
        books = {book.id: book for book in self._books.values()}
        touched: dict[int, _Book] = {}
        for place, (row, number, candidate) in admitted.items():
            if known and place in known:
                self._compare(number, candidate, row, known[place])
                continue
            self._tallies[number].accepted += 1
            book = touched[row.account_id] = books[row.account_id]
            if row.state == LIVE:
                book.new.append(row)
        for row, number, candidate in repeats:
            place = (row.account_id, row.id)
            self._compare(number, candidate, row, known.get(place, admitted[place][0]))
        self.changed = tuple(sorted(touched))
        self._write_books([touched[account_id] for account_id in self.changed])

    def _compare(self, number: int, candidate: Candidate, row: JobRow, stored: JobRow) -> None:
        """Counts a repeat of a stored job as a duplicate where it is equal (rule 11), and refuses it otherwise."""
        differing = [
            name
            for name, ours, theirs in (
                ("api_key", row.key_id, stored.key_id),
                ("completed_at", row.completed_at, stored.completed_at),
                ("tokens", row.tokens, stored.tokens),
            )
            if ours != theirs
        ]
        if not differing:
            self._tallies[number].duplicates += 1
            return
        verb = "differ" if len(differing) > 1 or differing == ["tokens"] else "differs"
        detail = f"another job with this id is stored; {' and '.join(differing)} {verb}"
        self._tallies[number].refuse(candidate, "conflict", detail)

    def _write_books(self, books: Sequence[_Book]) -> None:
        """Adds new jobs to rollups and states, and throws away the boundaries that they move."""
        if not books:
            return
        live = [book for book in books if book.new]
        if live:
            sums.write(self._connection, {book.id: by_day(book.new, book.calendar) for book in live}, self._meters)
            boundaries.discard(self._connection, [(book.id, book.earliest) for book in live])
        states.advance(self._connection, [Advance(len(book.new), book.recorded_at, book.id) for book in books])

    def _keep_refusals(self) -> None:
        items = [
            RejectedItem(refusal.digest, refusal.rejection.code, refusal.rejection.detail, refusal.text)
            for tally in self._tallies
            for refusal in tally.refusals
        ]
        if items:
            quarantine.add(self._connection, items, settings=self._settings, now=self._now)


def _candidates(batches: Sequence[Batch]) -> Iterator[Candidate]:
    for batch in batches:
        yield from batch.candidates
