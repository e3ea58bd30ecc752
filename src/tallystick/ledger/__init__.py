"""The ledger: the door for programs that embed Tallystick, and the one that the HTTP edge goes through.

::

    from tallystick import Ledger

    with Ledger("sqlite:///tallystick.db") as ledger:
        ledger.record([{"id": "1", "account": "acme", "api_key": "k", "completed_at": "2025-01-11T20:12:01Z",
                        "tokens": {"transcription": 5}}])
        print(ledger.usage("acme", "2025-01", "2025-03"))
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Final

from tallystick.errors import InvalidInput, StoreError
from tallystick.ingest import Batch, BodyForm, CommitReport, Directory, GroupCommit, check, read_body, read_jobs
from tallystick.ingest.bodies import Item
from tallystick.ingest.group import MOST_AT_ONCE
from tallystick.ledger.accounts import Accounts
from tallystick.ledger.audit import Actor, Audit, act_as, acting
from tallystick.ledger.budgets import Budgets
from tallystick.ledger.clock import now_in_microseconds
from tallystick.ledger.deliveries import Deliveries
from tallystick.ledger.joblines import MOST_LINES, JobLines, open_lines, open_table
from tallystick.ledger.maintenance import Maintenance
from tallystick.ledger.notices import Notices
from tallystick.ledger.plans import Plans
from tallystick.ledger.quarantine import Quarantine
from tallystick.ledger.sealing import Seal
from tallystick.ledger.sessions import Session, Sessions
from tallystick.ledger.signing import Signing
from tallystick.ledger.statements import Statements
from tallystick.ledger.targets import Targets, networks_from
from tallystick.ledger.tokens import Authority, Tokens
from tallystick.ledger.voids import void_job
from tallystick.ledger.webhooks import Webhooks
from tallystick.model.explanation import Explanation
from tallystick.model.forecast import Forecast
from tallystick.model.jobs import IngestResult, Job, LedgerPage, LedgerSlice, TableForm, VoidedJob
from tallystick.model.months import Month
from tallystick.model.overview import AccountTrend, Overview
from tallystick.model.periods import check_range
from tallystick.model.report import AccountsReport, DailyReport, UsageReport
from tallystick.model.usagetable import UsageTable
from tallystick.report.entries import ledger_page
from tallystick.report.explain import explain
from tallystick.report.fleet import account_trends, accounts_report
from tallystick.report.forecast import forecast
from tallystick.report.overview import overview
from tallystick.report.slices import ledger_slice
from tallystick.report.usage import daily_report, open_account, usage_report, usage_table
from tallystick.settings import Settings
from tallystick.store import boundaries, rollups, zones
from tallystick.store.database import Store
from tallystick.store.rows import parts

__all__ = ["MOST_LINES", "Actor", "Authority", "CommitReport", "JobLines", "Ledger", "Session", "act_as", "acting"]

DEFAULT_DATABASE: Final = "sqlite:///tallystick.db"
SMALL_BODY_BYTES: Final = 16 * 1024
"""A body up to this size is read faster than handed to a thread."""

READERS: Final = 2
"""Threads that read large bodies. Only one can run at a time; the other keeps a slow one from holding up the rest."""

MOST_OF_A_PAGE: Final = 1000

KEPT_AT_ONCE: Final = 20
"""Accounts whose boundaries are kept in one transaction, which holds up their writers."""

_READY_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class Ledger:
    """An open ledger over a database, which is created and brought up to date where necessary.

    With `create=False` there must be one: otherwise `StoreError` (code ``no_database``) is raised, and none is made.
    Safe to share between threads. `clock` gives microseconds since 1970, `random_bytes` fresh secrets; both are
    arguments so that nothing below reads them by itself. Raises `StoreError` where the database cannot be opened,
    and each method only errors of `tallystick.errors`.
    """

    def __init__(
        self,
        database: str = DEFAULT_DATABASE,
        *,
        create: bool = True,
        settings: Settings | None = None,
        clock: Callable[[], int] = now_in_microseconds,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.settings = settings or Settings()
        self._clock = clock
        zones.calendar(self.settings.default_time_zone)
        self.targets = Targets(networks_from(self.settings.webhook_networks, "TALLYSTICK_WEBHOOK_NETWORKS"))
        seal = Seal(self.settings.webhook_key_file)
        self._store = Store(database, create=create)
        # SQLite works in this process. Threads that read bodies then only keep a commit from getting on, and it them:
        # each is done sooner when it does its piece alone. A commit that waits for the disk lets them read.
        self._turn: AbstractContextManager[Any] = threading.Lock() if self._store.is_sqlite else nullcontext()
        self._commits = GroupCommit(self._store, Directory(), settings=self.settings, clock=clock, turn=self._turn)
        self._ready_until = 0.0
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="tallystick-read")
        self.accounts = Accounts(self._store, self.settings, clock)
        self.tokens = Tokens(self._store, clock, random_bytes)
        self.sessions = Sessions(self._store, self.tokens, clock, random_bytes, lasts_hours=self.settings.session_hours)
        self.plans = Plans(self._store, self.settings, clock)
        self.audit = Audit(self._store)
        self.budgets = Budgets(self._store, clock, self._keep)
        self.notices = Notices(self._store, clock, random_bytes, self._keep_each)
        log_days = self.settings.webhook_log_days
        self.webhooks = Webhooks(self._store, clock, random_bytes, targets=self.targets, seal=seal, log_days=log_days)
        self.deliveries = Deliveries(self._store, clock, random_bytes, seal=seal, log_days=log_days)
        self.quarantine = Quarantine(self._store, clock, self._take)
        self.maintenance = Maintenance(self._store, clock)
        self.signing = Signing(self._store, self.settings, database, clock, random_bytes)
        self.statements = Statements(self._store, self.settings, clock, self.signing)
        try:
            self.plans.ensure_default(self.settings.default_plan)
        except BaseException:
            self._store.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stores what has been taken, then ends every connection to the database."""
        self._readers.shutdown()
        self._commits.close()
        self._store.close()

    def check_ready(self) -> None:
        """Raises `StoreError` where the store cannot be written now.

        Finding out is a commit, of which anybody could ask for as many as they like: what held holds for a second.
        """
        # Not the ledger's clock, which may stand still or step back.
        if time.monotonic() >= self._ready_until:
            self._store.check_writable()
            self._ready_until = time.monotonic() + _READY_SECONDS

    def now(self) -> int:
        """What the ledger's clock says: microseconds since 1970 in UTC."""
        return self._clock()

    def database_bytes(self) -> int:
        """The size of the database. Raises `StoreUnavailable`."""
        return self._store.size_bytes()

    @property
    def queued_jobs(self) -> int:
        """How many jobs wait for their commit."""
        return self._commits.queued_jobs

    def tell_commits(self, told: Callable[[CommitReport], None]) -> None:
        """From here on `told` hears of every commit, on the thread that made it; so do those that heard before."""
        self._commits.listeners += (told,)

    # Jobs

    def record(self, jobs: Iterable[Job | Mapping[str, Any]]) -> IngestResult:
        """Stores finished jobs; repeats are counted as duplicates and do no harm.

        Each job stands alone: the good ones are stored, the others come back in `rejected` and are kept in
        quarantine. Jobs are durable when this returns. More than 10,000 are stored in several transactions.
        """
        return self._take(read_jobs(jobs))

    def record_body(self, body: bytes, form: BodyForm = BodyForm.JSON) -> IngestResult:
        """Stores the jobs of a body as the HTTP call takes it: one JSON object, an array, or NDJSON.

        Raises `InvalidInput` where the body cannot be read as a whole, `TooLarge` for an array of too many jobs.
        """
        return self._take(read_body(body, form, max_jobs=self.settings.max_jobs))

    async def record_body_async(self, body: bytes, form: BodyForm = BodyForm.JSON) -> IngestResult:
        """As `record_body`, for an event loop: large bodies are read on a thread, small ones right here."""
        if len(body) > SMALL_BODY_BYTES:
            loop = asyncio.get_running_loop()
            batches = await loop.run_in_executor(self._readers, self._batches_in_turn, body, form)
        else:
            batches = self._batches(body, form)
        result = IngestResult(0, 0)
        for batch in batches:
            result += await self._commits.commit_async(batch)
        return result

    def _batches_in_turn(self, body: bytes, form: BodyForm) -> list[Batch]:
        with self._turn:
            return self._batches(body, form)

    def _batches(self, body: bytes, form: BodyForm) -> list[Batch]:
        items = read_body(body, form, max_jobs=self.settings.max_jobs)
        return [Batch(*check(part)) for part in parts(items, MOST_AT_ONCE)]

    def _take(self, items: Iterable[Item]) -> IngestResult:
        result = IngestResult(0, 0)
        for part in parts(items, MOST_AT_ONCE):
            result += self._commits.commit(Batch(*check(part)))
        return result

    def void(self, account: str, job_id: str, *, reason: str) -> VoidedJob:
        """Takes a job out of reports, ranks and tiers, as if it had never come; with the reason it stays in the ledger.

        A repeat of the job stays a duplicate, and a repeat of the void changes nothing. Raises `NotFound` (codes
        ``unknown_account``, ``unknown_job``), `Conflict` (code ``month_closed`` where the job's month is closed,
        ``sandbox_job`` for a job that is never rated) and `InvalidInput` for a reason that is none.
        """
        return void_job(self._store, account, job_id, reason=reason, now=self._clock())

    # Reads

    def usage(self, account: str, start_month: str | None = None, end_month: str | None = None) -> UsageReport:
        """What an account used and what it costs, by month and key.

        Months are ``YYYY-MM`` in the account's zone, both included. Without them the current month; with the first
        only up to the current month; with the last only from the account's first month. Raises `NotFound` (code
        ``unknown_account``), `InvalidInput` (codes ``invalid_month``, ``invalid_period``).
        """
        with self._store.snapshot() as connection:
            opened = open_account(connection, account)
            report = usage_report(connection, opened, start_month, end_month, now=self._clock())
        self._keep(opened.account.id, opened.reader.derived)
        return report

    def usage_table(self, account: str, start_month: str | None = None, end_month: str | None = None) -> UsageTable:
        """The report of the same months as one table, a row for each month and key; its `to_csv` is for spreadsheets.

        Raises `NotFound` and `InvalidInput` as `usage` does.
        """
        with self._store.snapshot() as connection:
            opened = open_account(connection, account)
            table = usage_table(connection, opened, start_month, end_month, now=self._clock())
        self._keep(opened.account.id, opened.reader.derived)
        return table

    def explain(self, account: str, start_month: str | None = None, end_month: str | None = None) -> Explanation:
        """Every cost of the report for the same months as lines: quantity, price per unit, discount, cost, ranks.

        Raises `NotFound` and `InvalidInput` as `usage` does.
        """
        with self._store.snapshot() as connection:
            opened = open_account(connection, account)
            explanation = explain(connection, opened, start_month, end_month, now=self._clock())
        self._keep(opened.account.id, opened.reader.derived)
        return explanation

    def daily(self, account: str, start: str | None = None, end: str | None = None) -> DailyReport:
        """The same by day (``YYYY-MM-DD`` in the account's zone) and key, for charts; the current month by default."""
        with self._store.snapshot() as connection:
            opened = open_account(connection, account)
            report = daily_report(connection, opened, start, end, now=self._clock())
        self._keep(opened.account.id, opened.reader.derived)
        return report

    def overview(self, account: str) -> Overview:
        """Where an account stands now in its plan, and which months have jobs. Raises `NotFound`."""
        with self._store.snapshot() as connection:
            opened = open_account(connection, account)
            shown = overview(connection, opened, now=self._clock())
        self._keep(opened.account.id, opened.reader.derived)
        return shown

    def months(self) -> tuple[str | None, str]:
        """The first month in which any account has a live job, and the current one, in the default time zone."""
        current = zones.calendar(self.settings.default_time_zone).month_of(self._clock())
        with self._store.snapshot() as connection:
            first = rollups.first_month(connection)
        return None if first is None else str(first), str(current)

    def forecast(self, account: str, *, of_keys: bool = True) -> Forecast:
        """What the current month comes to, with an interval, and when free jobs, next tier and budgets are reached.

        Where the history is too short, it says what is lacking instead. Each key with a budget is foreseen by itself,
        which takes a while where there are hundreds; `of_keys=False` leaves those out. Raises `NotFound` (code
        ``unknown_account``).
        """
        with self._store.snapshot() as connection:
            opened = open_account(connection, account)
            foreseen = forecast(connection, opened, now=self._clock(), of_keys=of_keys)
        self._keep(opened.account.id, opened.reader.derived)
        return foreseen

    def usage_of_accounts(
        self,
        start_month: str | None = None,
        end_month: str | None = None,
        *,
        cursor: str | None = None,
        limit: int = 100,
        search: str = "",
    ) -> AccountsReport:
        """Totals per account, most cost first, and of all by currency; the current month by default.

        `search` leaves out accounts whose names do not hold it, in whatever case; the totals are of all.
        """
        current = zones.calendar(self.settings.default_time_zone).month_of(self._clock())
        with self._store.snapshot() as connection:
            report, derived = accounts_report(
                connection,
                start_month,
                end_month,
                cursor=cursor,
                limit=_checked_limit(limit),
                current=current,
                search=search,
            )
        self._keep_each(derived)
        return report

    def trends(self, accounts: Collection[str], start_month: str, end_month: str) -> dict[str, AccountTrend]:
        """What each of some accounts cost in each month of a period. Raises `InvalidInput` as a report does."""
        first, last = Month.parse(start_month, "start_month"), Month.parse(end_month, "end_month")
        check_range(first, last)
        with self._store.snapshot() as connection:
            trends, derived = account_trends(connection, accounts, first, last)
        self._keep_each(derived)
        return trends

    def slice(
        self,
        account: str,
        start_month: str | None = None,
        end_month: str | None = None,
        *,
        api_key: str | None = None,
        tier: int | None = None,
        behind: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> LedgerSlice:
        """The account's live jobs in rank order, of one API key or tier where they are named.

        At most `limit` come, the first with ranks greater than `behind`, or the last with ranks less than `before`.
        Raises `NotFound` (codes ``unknown_account``, ``unknown_key``) and `InvalidInput` as `usage` does.
        """
        with self._store.snapshot() as connection:
            return ledger_slice(
                connection,
                open_account(connection, account),
                (start_month, end_month),
                api_key=api_key,
                tier=tier,
                behind=behind,
                before=before,
                limit=_checked_limit(limit),
                now=self._clock(),
            )

    def jobs(
        self,
        account: str,
        start_month: str | None = None,
        end_month: str | None = None,
        *,
        cursor: str | None = None,
        limit: int = 100,
    ) -> LedgerPage:
        """The account's live jobs in rank order, each with its rank, tier and cost; at most 1,000 at a time.

        Raises `Conflict` (code ``ledger_changed``) where a job was booked before the cursor since it was given.
        """
        with self._store.snapshot() as connection:
            return ledger_page(
                connection,
                open_account(connection, account),
                start_month,
                end_month,
                cursor=cursor,
                limit=_checked_limit(limit),
                now=self._clock(),
            )

    def job_lines(
        self,
        account: str,
        start_month: str | None = None,
        end_month: str | None = None,
        *,
        voided: bool = False,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> JobLines:
        """The same as lines of JSON, all of the period or at most `limit` (50,000), in memory that does not grow.

        With `voided`, the voided jobs follow, each with ``voided_at`` and ``void_reason`` and without a rank or costs.
        To be iterated to the end or closed. Raises as `jobs` does, before the first line.
        """
        most = None if limit is None else _checked_limit(limit, MOST_LINES)
        period = (account, start_month, end_month)
        return open_lines(self._store, *period, voided=voided, cursor=cursor, limit=most, now=self._clock())

    def job_table(
        self,
        account: str,
        start_month: str | None = None,
        end_month: str | None = None,
        *,
        form: TableForm | str = TableForm.CSV,
        hear: Callable[[int], None] = lambda _: None,
    ) -> JobLines:
        """The live jobs of the period as a table, ``csv`` or ``parquet``, in chunks and in memory that does not grow.

        Its columns are the members of `LedgerJob`, the tokens of each meter in a column ``<meter>_tokens``. In CSV,
        text that a spreadsheet would take for a formula has an apostrophe in front; in Parquet, costs are decimals.
        `hear` is told how many more jobs were read. To be iterated to the end or closed. Raises as `jobs` does, and
        `MissingExtra` for Parquet without pyarrow, before the first chunk.
        """
        period = (account, start_month, end_month)
        if form not in tuple(TableForm):
            raise InvalidInput.parameter("form", f"must be one of {', '.join(TableForm)}", code="invalid_parameter")
        return open_table(self._store, *period, TableForm(form), hear=hear, now=self._clock())

    def _keep(self, account_id: int, ranks: Collection[int]) -> None:
        """Keeps boundaries that a reader had to derive, so that the next one need not."""
        self._keep_each({account_id: ranks})

    def _keep_each(self, derived: Mapping[int, Collection[int]]) -> None:
        """As `_keep`, of several accounts, a few in each transaction."""
        for part in parts(sorted((account_id, ranks) for account_id, ranks in derived.items() if ranks), KEPT_AT_ONCE):
            try:
                with self._store.transaction() as connection:
                    boundaries.keep(connection, dict(part))
            except StoreError as error:
                # The report is complete without: on a replica or a full disk it is derived again next time.
                _log.info("boundaries of %d accounts were not kept: %s", len(part), error.detail)


def _checked_limit(limit: int, most: int = MOST_OF_A_PAGE) -> int:
    if not 1 <= limit <= most:
        raise InvalidInput.parameter("limit", f"must lie between 1 and {most}", code="invalid_parameter")
    return limit
