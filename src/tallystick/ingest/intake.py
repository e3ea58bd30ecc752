"""The intake: sound jobs meet what is stored, in one transaction.

Nothing is rated here. Jobs that are new to their accounts are appended and added to the rollups; a job whose id
is there already is compared. So ingest commutes: any order, any batches, any worker.

The order of the steps matters where several processes write (PostgreSQL): accounts are registered in the order of
their names, then their state rows are locked in the order of their numbers, and only then keys are looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from tallystick.ingest.checks import Candidate, Refusal, refuse, shown
from tallystick.model.accounts import KeyKind
from tallystick.model.instants import SECOND
from tallystick.model.jobs import IngestResult, RejectionCode
from tallystick.model.plans import Meter
from tallystick.settings import Settings
from tallystick.store import accounts, boundaries, jobs, meters, plans, quarantine, states
from tallystick.store.jobs import JobRow, Position
from tallystick.store.quarantine import RejectedItem
from tallystick.store.schema import LIVE, SANDBOX
from tallystick.store.states import Advance, StateRow
from tallystick.store.sums import Sums

MOST_REMEMBERED: Final = 200_000

_STATES: Final = {KeyKind.LIVE: LIVE, KeyKind.SANDBOX: SANDBOX}


class KeyRef(NamedTuple):
    """What a job needs of its key."""

    id: int
    kind: KeyKind


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


class Batch(NamedTuple):
    """The jobs of one request, parted by `tallystick.ingest.checks.check`."""

    candidates: Sequence[Candidate]
    refusals: Sequence[Refusal]


class _Arrival(NamedTuple):
    """A candidate with what its names stand for."""

    batch: int
    candidate: Candidate
    tokens: tuple[int, ...]
    account_id: int
    key: KeyRef

    @property
    def place(self) -> tuple[int, str]:
        return self.account_id, self.candidate.job.id

    @property
    def content(self) -> tuple[int, int, tuple[int, ...]]:
        """What must be equal for a repeat to be one (design rule 11)."""
        return self.key.id, self.candidate.completed_at, self.tokens


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


class Intake:
    """Takes the jobs of one or several requests within one transaction. Made for one use."""

    def __init__(self, connection: Connection, directory: Directory, *, settings: Settings, now: int) -> None:
        self._connection = connection
        self._settings = settings
        self._now = now
        self._directory = directory
        self._accounts: dict[str, int] = {}
        self._keys: dict[tuple[int, str], KeyRef] = {}
        self._states: dict[int, StateRow] = {}
        self._meters: tuple[Meter, ...] = ()
        self._meter_ids: frozenset[str] = frozenset()
        self._tallies: list[_Tally] = []

    def take(self, batches: Sequence[Batch]) -> list[IngestResult]:
        """Stores what is new of the batches and gives the result of each, in their order.

        Of several jobs with one id the first counts, across batches too. Refused jobs go to the quarantine.
        """
        self._tallies = [_Tally(batch.refusals) for batch in batches]
        candidates = [(number, candidate) for number, batch in enumerate(batches) for candidate in batch.candidates]
        if candidates:
            self._meters = meters.all_meters(self._connection)
            self._meter_ids = frozenset(meter.id for meter in self._meters)
            self._find_accounts(candidates)
            self._states = states.lock(self._connection, set(self._accounts.values()))
            self._find_keys(candidates)
            self._settle(self._admit(candidates))
        self._keep_refusals()
        return [tally.result() for tally in self._tallies]

    def commit(self) -> None:
        """To be called once the transaction is durable."""
        self._directory.remember(self._accounts, self._keys)

    # Names

    def _find_accounts(self, candidates: Sequence[tuple[int, Candidate]]) -> None:
        names = {candidate.job.account for _, candidate in candidates}
        known = {name: self._directory.accounts[name] for name in names if name in self._directory.accounts}
        missing = names - known.keys()
        if missing:
            known.update(accounts.account_ids(self._connection, missing))
        self._accounts = known
        if self._settings.register:
            # Nothing of a new account is stored, so the first timely job of known meters will be accepted.
            welcome = {
                candidate.job.account
                for _, candidate in candidates
                if candidate.job.account not in known
                and not self._is_future(candidate)
                and self._token_counts(candidate) is not None
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

    def _find_keys(self, candidates: Sequence[tuple[int, Candidate]]) -> None:
        wanted = {
            (self._accounts[candidate.job.account], candidate.job.api_key)
            for _, candidate in candidates
            if candidate.job.account in self._accounts
        }
        remembered = self._directory.keys
        self._keys = {place: remembered[place] for place in wanted if place in remembered}
        missing = wanted - self._keys.keys()
        if missing:
            found = accounts.keys_named(self._connection, missing)
            self._keys.update((place, KeyRef(row.id, row.kind)) for place, row in found.items())

    def _register_key(self, account_id: int, candidate: Candidate) -> KeyRef:
        kind = KeyKind.SANDBOX if candidate.job.sandbox else KeyKind.LIVE
        row = accounts.add_key(self._connection, account_id, candidate.job.api_key, kind=kind, now=self._now)
        key = self._keys[account_id, candidate.job.api_key] = KeyRef(row.id, kind)
        return key

    # Admission

    def _admit(self, candidates: Sequence[tuple[int, Candidate]]) -> dict[tuple[int, str], list[_Arrival]]:
        """The jobs that may be stored, by account and id; of several with one id the first leads its list."""
        stored = self._stored_suspects(candidates)
        admitted: dict[tuple[int, str], list[_Arrival]] = {}
        for number, candidate in candidates:
            arrival = self._arrival(number, candidate, admitted, stored)
            if arrival is None:
                continue
            if arrival.place in stored:
                self._compare(arrival, _content(stored[arrival.place]))
            else:
                admitted.setdefault(arrival.place, []).append(arrival)
        return admitted

    def _stored_suspects(self, candidates: Sequence[tuple[int, Candidate]]) -> dict[tuple[int, str], JobRow]:
        """What is stored under the ids of those jobs that would be refused, or name a new key, if they were new.

        A repeat of a stored job is a duplicate even when the clock has stepped back, and must register nothing.
        """
        suspects = {
            (account_id, candidate.job.id)
            for _, candidate in candidates
            if (account_id := self._accounts.get(candidate.job.account)) is not None
            and ((account_id, candidate.job.api_key) not in self._keys or self._is_future(candidate))
        }
        return jobs.find(self._connection, suspects, self._meters) if suspects else {}

    def _arrival(
        self,
        number: int,
        candidate: Candidate,
        admitted: Mapping[tuple[int, str], list[_Arrival]],
        stored: Mapping[tuple[int, str], JobRow],
    ) -> _Arrival | None:
        """The candidate with its names resolved, or nothing where it is refused (or compared) right here."""
        tally, job = self._tallies[number], candidate.job
        tokens = self._token_counts(candidate)
        if tokens is None:
            tally.refuse(candidate, "unknown_meter", self._unknown_meter(candidate))
            return None
        account_id = self._accounts.get(job.account)
        if account_id is None:
            self._refuse_stranger(tally, candidate)
            return None
        place = (account_id, job.id)
        key = self._keys.get((account_id, job.api_key))
        if key is None:
            if place in stored or place in admitted:
                tally.refuse(candidate, "conflict", "another job with this id is stored; api_key differs")
                return None
            if self._is_future(candidate):
                self._refuse_future(tally, candidate)
                return None
            if not self._settings.register:
                tally.refuse(candidate, "unknown_key", f"the account has no API key {shown(job.api_key)}")
                return None
            key = self._register_key(account_id, candidate)
        elif job.sandbox != (key.kind is KeyKind.SANDBOX):
            detail = f"{shown(job.api_key)} is a {key.kind.value} key and stays one; the job says otherwise"
            tally.refuse(candidate, "key_kind", detail)
            return None
        if self._is_future(candidate) and place not in stored:
            self._refuse_future(tally, candidate)
            return None
        return _Arrival(number, candidate, tokens, account_id, key)

    def _refuse_stranger(self, tally: _Tally, candidate: Candidate) -> None:
        if self._settings.register:
            self._refuse_future(tally, candidate)
        else:
            tally.refuse(candidate, "unknown_account", f"there is no account {shown(candidate.job.account)}")

    def _refuse_future(self, tally: _Tally, candidate: Candidate) -> None:
        limit = self._settings.future_seconds
        tally.refuse(candidate, "future", f"completed_at lies more than {limit} seconds ahead of the server's clock")

    def _is_future(self, candidate: Candidate) -> bool:
        return candidate.completed_at > self._now + self._settings.future_seconds * SECOND

    def _token_counts(self, candidate: Candidate) -> tuple[int, ...] | None:
        tokens = candidate.job.tokens
        counts = tuple([tokens.get(meter.id, 0) for meter in self._meters])
        return counts if self._meter_ids.issuperset(tokens) else None

    def _unknown_meter(self, candidate: Candidate) -> str:
        unknown = next(name for name in candidate.job.tokens if name not in self._meter_ids)
        known = ", ".join(meter.id for meter in self._meters)
        return f"tokens.{shown(unknown)[1:-1]} is not a meter here; known are {known}"

    # Storing

    def _settle(self, admitted: Mapping[tuple[int, str], list[_Arrival]]) -> None:
        rows = [self._row(group[0]) for group in admitted.values()]
        known = jobs.append(self._connection, rows, self._meters)
        for row in rows:
            group = admitted[row.account_id, row.id]
            stored = known.get((row.account_id, row.id))
            if stored is None:
                self._tallies[group[0].batch].accepted += 1
                group = group[1:]
            for arrival in group:
                self._compare(arrival, _content(stored or row))
        self._count([row for row in rows if (row.account_id, row.id) not in known])

    def _row(self, arrival: _Arrival) -> JobRow:
        state = self._states[arrival.account_id]
        recorded_at = max(self._now, state.recorded_at)
        booked_at = completed_at = arrival.candidate.completed_at
        if state.open_from is not None and completed_at < state.open_from:
            booked_at = max(recorded_at, state.open_from)
        return JobRow(
            arrival.account_id,
            _STATES[arrival.key.kind],
            booked_at,
            arrival.candidate.job.id,
            arrival.key.id,
            completed_at,
            recorded_at,
            arrival.tokens,
        )

    def _compare(self, arrival: _Arrival, stored: tuple[int, int, tuple[int, ...]]) -> None:
        tally = self._tallies[arrival.batch]
        if arrival.content == stored:
            tally.duplicates += 1
            return
        fields = zip(("api_key", "completed_at", "tokens"), arrival.content, stored, strict=True)
        differing = " and ".join(name for name, ours, theirs in fields if ours != theirs)
        tally.refuse(arrival.candidate, "conflict", f"another job with this id is stored; {differing} differ")

    def _count(self, new: Sequence[JobRow]) -> None:
        """Adds new jobs to rollups and states, and throws away the boundaries that they move."""
        live = [row for row in new if row.state == LIVE]
        sums = Sums()
        earliest: dict[int, Position] = {}
        counts: dict[int, int] = defaultdict(int)
        calendars = {account_id: state.calendar for account_id, state in self._states.items()}
        for row in live:
            sums.count(row, calendars[row.account_id])
            counts[row.account_id] += 1
            position = Position(row.booked_at, row.id)
            known = earliest.get(row.account_id)
            if known is None or _bytewise(position) < _bytewise(known):
                earliest[row.account_id] = position
        if live:
            sums.write(self._connection, self._meters)
            boundaries.discard(self._connection, sorted(earliest.items()))
        recorded = {row.account_id: row.recorded_at for row in new}
        if recorded:
            states.advance(
                self._connection,
                [Advance(counts[account_id], recorded[account_id], account_id) for account_id in sorted(recorded)],
            )

    def _keep_refusals(self) -> None:
        items = [
            RejectedItem(refusal.digest, refusal.rejection.code, refusal.rejection.detail, refusal.text)
            for tally in self._tallies
            for refusal in tally.refusals
        ]
        if items:
            quarantine.add(self._connection, items, settings=self._settings, now=self._now)


def _content(row: JobRow) -> tuple[int, int, tuple[int, ...]]:
    return row.key_id, row.completed_at, row.tokens


def _bytewise(position: Position) -> tuple[int, bytes]:
    return position.booked_at, position.id.encode()
