"""Jobs: reporting them, and reading the account's ledger."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from tallystick.client.call import (
    CSV,
    LINES,
    PARQUET,
    Answer,
    Call,
    body_of,
    check_media_type,
    json_body,
    named,
    nothing,
    one,
    path_of,
    query_of,
)
from tallystick.client.calls.usage import CURRENCY_HEADER
from tallystick.errors import InvalidInput
from tallystick.model import instants
from tallystick.model.jobs import IngestResult, Job, LedgerJob, LedgerLines, LedgerPage, Rejection, VoidedJob
from tallystick.model.names import check_id, check_reason
from tallystick.model.periods import check_months

BATCH_SIZE: Final = 1000
MAX_BATCH_SIZE: Final = 10_000
"""The most jobs that the server takes in one array, unless its settings say otherwise."""

BATCH_BYTES: Final = 4 * 2**20
"""A batch ends here too: well below the 16 MiB that the server takes, whatever the names' lengths."""

ITERATED_AT_ONCE: Final = 5_000

FORMS: Final = {"csv": CSV, "parquet": PARQUET, "ndjson": LINES}

_line_decoder: Final = msgspec.json.Decoder(LedgerJob)

CURSOR_HEADER: Final = "tallystick-next-cursor"

REQUIRED: Final = ("id", "account", "api_key", "completed_at", "tokens")


def record_job(
    job: Job | Mapping[str, Any] | None = None,
    /,
    *,
    id: str | None = None,  # noqa: A002 the design's word for it
    account: str | None = None,
    api_key: str | None = None,
    completed_at: str | datetime | None = None,
    tokens: Mapping[str, int] | None = None,
    sandbox: bool = False,
) -> Call[IngestResult]:
    """Reports one finished job: either a `Job` (or a mapping with its fields), or the fields themselves.

    `id`, unique in the account, makes a repeat harmless: a job that is there already counts as a duplicate, so
    this call is safe to retry, by the client and by you. `completed_at` is an aware `datetime` or an RFC 3339 text
    with an offset. `tokens` counts whole tokens per meter.

    A job that the server refuses does not raise: the result's `rejected` holds it with a code and the reason
    (``invalid``, ``conflict``, ``unknown_meter``, ...), and the server keeps it in quarantine. What could not be
    sent truthfully raises `InvalidInput` before any request: a naive `datetime`, a token count that is not a whole
    number, a value that JSON has no form for. Raises `RequestError` where there is no answer.
    """
    fields = {"id": id, "account": account, "api_key": api_key, "completed_at": completed_at, "tokens": tokens}
    given = [name for name, value in fields.items() if value is not None]
    if job is not None:
        if given or sandbox:
            raise TypeError("record() takes a job or its fields, not both")
        return Call("POST", "/jobs", one(IngestResult), body=_job_body(job, ""))
    if missing := [name for name in REQUIRED if name not in given]:
        raise TypeError(f"record() lacks {', '.join(missing)}")
    return Call("POST", "/jobs", one(IngestResult), body=_job_body({**fields, "sandbox": sandbox}, ""))


def record_jobs(jobs: Iterable[Job | Mapping[str, Any]], batch_size: int) -> Iterator[Call[IngestResult]]:
    """One call per batch of jobs. The rejections of each come with their place in `jobs`.

    A batch ends after `batch_size` jobs or about `BATCH_BYTES` bytes, and is made when it is asked for, so that
    any number of jobs needs the memory of one batch.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or not 1 <= batch_size <= MAX_BATCH_SIZE:
        raise InvalidInput.parameter("batch_size", f"must be a whole number from 1 to {MAX_BATCH_SIZE}")
    batch: list[bytes] = []
    size_bytes = first = 0
    for index, job in enumerate(jobs):
        body = _job_body(job, f"/{index}")
        if batch and (len(batch) == batch_size or size_bytes + len(body) > BATCH_BYTES):
            yield _batch_call(batch, first)
            batch, size_bytes, first = [], 0, index
        batch.append(body)
        size_bytes += len(body)
    if batch:
        yield _batch_call(batch, first)


def record_lines(body: bytes, /) -> Call[IngestResult]:
    """Reports jobs that are written already: NDJSON, one job a line, sent as it is.

    A line that is broken or no job does not raise: the result's `rejected` holds it, with the number of its line from
    0 as `index`, and the server keeps it in quarantine. Ids make a repeat harmless. Raises `BadRequest` (413) where
    the body has more bytes than the server takes, and `RequestError`.
    """
    return Call("POST", "/jobs", one(IngestResult), body=bytes(body), media_type=LINES)


def list_jobs(
    start_month: str | None = None,
    end_month: str | None = None,
    *,
    account: str | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> Call[LedgerPage]:
    """The account's live jobs in rank order, each with its rank, tier and cost.

    Months as in `usage.get`; `account` is for admin tokens. `limit` bounds the jobs of one answer; its
    `next_cursor`, given as `cursor` together with the same months, yields the next ones. Raises `InvalidInput`
    before any request for months that `usage.get` refuses, `ResourceConflict` (code ``ledger_changed``) where an
    earlier job came in since the cursor was made (begin again without one), and `RequestError`.
    """
    check_months(start_month, end_month)
    query = query_of(
        start_month=start_month,
        end_month=end_month,
        account=None if account is None else named("account", account),
        cursor=cursor,
        limit=limit,
    )
    return Call("GET", "/jobs", one(LedgerPage), query)


def list_job_lines(
    start_month: str | None = None,
    end_month: str | None = None,
    *,
    account: str | None = None,
    voided: bool = False,
    cursor: str | None = None,
    limit: int | None = None,
) -> Call[LedgerLines]:
    """The account's live jobs as lines (NDJSON), as `list` gives them page by page; best for many of them.

    With `voided`, the voided jobs follow, each with ``voided_at`` and ``void_reason`` and without a rank or costs.
    `limit` bounds the lines of one answer, to 50,000 at most; its `next_cursor`, given as `cursor` together with the
    same months, yields the next ones, also in another process. Without a limit the answer holds all of the period.
    Raises as `list` does.
    """
    check_months(start_month, end_month)
    query = query_of(
        format="ndjson",
        start_month=start_month,
        end_month=end_month,
        account=None if account is None else named("account", account),
        voided="true" if voided else None,
        cursor=cursor,
        limit=limit,
    )
    return Call("GET", "/jobs", _lines, query)


def void_job(job_id: str, *, account: str, reason: str) -> Call[VoidedJob]:
    """Takes a job out of reports, ranks and tiers, as if it had never come. Needs an admin token.

    The job stays in the ledger, with the `reason` (1 to 200 characters), and its repeats stay duplicates. A repeat of
    the void changes nothing. Raises `InvalidInput` for an id, name or reason that can be none before any request,
    `ResourceConflict` (code ``month_closed``) where the job's month is closed, and `RequestError`.
    """
    try:
        check_id(job_id)
    except InvalidInput as error:
        raise InvalidInput.parameter("job_id", error.detail, code=error.code) from None
    body = body_of(reason=check_reason(reason))
    return Call(
        "POST", path_of("jobs", job_id, "void"), one(VoidedJob), query_of(account=named("account", account)), body
    )


def iterate_jobs(
    start_month: str | None, end_month: str | None, account: str | None, cursor: str | None
) -> Call[LedgerPage]:
    """One step of an iteration over the account's live jobs: as many as go well into one answer."""
    call = list_job_lines(start_month, end_month, account=account, cursor=cursor, limit=ITERATED_AT_ONCE)
    return Call(call.method, call.path, _page_of_lines, call.query)


def _page_of_lines(answer: Answer) -> LedgerPage:
    lines = _lines(answer)
    jobs = tuple(map(_line_decoder.decode, lines.body.splitlines()))
    return LedgerPage(jobs=jobs, next_cursor=lines.next_cursor)


def _lines(answer: Answer) -> LedgerLines:
    check_media_type(answer, LINES)
    return LedgerLines(
        body=answer.body,
        next_cursor=answer.headers.get(CURSOR_HEADER),
        currency=answer.headers.get(CURRENCY_HEADER, ""),
    )


def download_jobs(
    start_month: str | None = None, end_month: str | None = None, *, form: str = "csv", account: str | None = None
) -> Call[None]:
    """The account's live jobs of the period as one file, in chunks of bytes: ``csv``, ``parquet`` or ``ndjson``.

    Iterate over the chunks and write each: any number of jobs needs the memory of one. The file is of one moment.
    The server needs pyarrow for Parquet. Months and `account` as in `usage.get`. The request is repeated like every
    other until its answer begins; where the answer breaks off, `ConnectionFailed` is raised, and what came is not
    whole. Raises `InvalidInput` before any request, and `RequestError`.
    """
    check_months(start_month, end_month)
    if form not in FORMS:
        raise InvalidInput.parameter("form", f"must be one of {', '.join(FORMS)}")
    query = query_of(
        format=form,
        start_month=start_month,
        end_month=end_month,
        account=None if account is None else named("account", account),
    )
    return Call("GET", "/jobs", nothing, query, accept=FORMS[form])


class Tally:
    """Adds up what became of many batches."""

    def __init__(self) -> None:
        self._accepted = 0
        self._duplicates = 0
        self._rejected: list[Rejection] = []

    def add(self, result: IngestResult) -> None:
        """Take in the result of one batch."""
        self._accepted += result.accepted
        self._duplicates += result.duplicates
        self._rejected += result.rejected

    def result(self) -> IngestResult:
        """The result of all of them."""
        return IngestResult(self._accepted, self._duplicates, tuple(self._rejected))


def _batch_call(batch: list[bytes], first: int) -> Call[IngestResult]:
    return Call("POST", "/jobs", _result_from(first), body=b"[" + b",".join(batch) + b"]")


def _result_from(first: int) -> Callable[[Answer], IngestResult]:
    read = one(IngestResult)

    def parse(answer: Answer) -> IngestResult:
        result = read(answer)
        moved = tuple(Rejection(first + item.index, item.id, item.code, item.detail) for item in result.rejected)
        return IngestResult(result.accepted, result.duplicates, moved)

    return parse


def _job_body(job: Job | Mapping[str, Any], pointer: str) -> bytes:
    """A job as JSON. What JSON can say is the server's to judge; raises `InvalidInput` for the rest."""
    if isinstance(job, Job):
        members = msgspec.structs.asdict(job)
    elif isinstance(job, Mapping):
        members = dict(job)
    else:
        raise InvalidInput.pointer(pointer, f"must be a Job or a mapping, not {type(job).__name__}")
    if members.get("sandbox") is False:
        del members["sandbox"]
    if isinstance(moment := members.get("completed_at"), datetime):
        members["completed_at"] = _instant(moment, f"{pointer}/completed_at")
    if isinstance(tokens := members.get("tokens"), Mapping):
        members["tokens"] = {meter: _count(count, pointer, meter) for meter, count in tokens.items()}
    try:
        return json_body(members)
    except InvalidInput as error:
        raise InvalidInput.pointer(pointer, error.detail) from None


def _instant(moment: datetime, pointer: str) -> str:
    try:
        return instants.format_instant(instants.from_datetime(moment))
    except InvalidInput as error:
        raise InvalidInput.pointer(pointer, error.detail) from None


def _count(count: Any, pointer: str, meter: object) -> int:
    # Anything with an index is a whole number, numpy's integers too; a float is not, not even 5.0.
    if not isinstance(count, bool):
        try:
            return operator.index(count)
        except TypeError:
            pass
    escaped = str(meter).replace("~", "~0").replace("/", "~1")
    raise InvalidInput.pointer(
        f"{pointer}/tokens/{escaped}", f"must be a whole number of tokens, not {type(count).__name__}"
    )
