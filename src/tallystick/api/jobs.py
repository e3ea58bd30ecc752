"""Jobs: reported by workers, read back by their account with what decided each one's price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.api import examples
from tallystick.api.access import account_of
from tallystick.api.bodies import media_type_of, read_body, read_document, submit
from tallystick.api.calls import (
    ADMINS,
    JSON,
    READERS,
    WORKERS,
    Answer,
    Body,
    Call,
    Media,
    Parameter,
    json_media,
    read_answer,
    ref,
    route,
)
from tallystick.api.conditional import Content, answer_read
from tallystick.api.formats import CSV, CSV_SENT, LINES, PARQUET, format_of, format_parameter
from tallystick.api.parameters import (
    ACCOUNT,
    CODE,
    CURSOR,
    DEFAULT_LIMIT,
    END_MONTH,
    LIMIT,
    MAX_LIMIT,
    START_MONTH,
    VOIDED,
    flag_of,
    limit_of,
)
from tallystick.api.request import ApiRequest, in_thread
from tallystick.api.responses import answer_json
from tallystick.api.streams import NEXT_CURSOR, answer_stream
from tallystick.errors import InvalidInput
from tallystick.ingest import BodyForm
from tallystick.ledger import MOST_LINES, Ledger
from tallystick.model.jobs import TableForm
from tallystick.model.wire import encode

_TAG: Final = "jobs"

JOBS_LIMIT: Final = Parameter(
    name=LIMIT.name,
    description=f"Most jobs of the answer: in JSON {MAX_LIMIT} at most and {DEFAULT_LIMIT} by default, in NDJSON "
    f"{MOST_LINES} at most and all by default.",
    schema={"type": "integer", "minimum": 1, "maximum": MOST_LINES},
    example=DEFAULT_LIMIT,
)

_LINES: Final = Media(schema={"type": "string"}, example=examples.JOB_LINES)

FORMS: Final[Mapping[str, BodyForm]] = {
    JSON: BodyForm.JSON,
    LINES: BodyForm.LINES,
    "application/ndjson": BodyForm.LINES,
    "application/jsonl": BodyForm.LINES,
    "application/x-jsonlines": BodyForm.LINES,
}
"""The media types of POST /jobs, and how each is read."""


@route(
    Call(
        method=HttpMethod.POST,
        paths={"/jobs": "postJobs"},
        tag=_TAG,
        summary="Report finished jobs",
        description=(
            "One job, a JSON array of jobs, or one job a line (NDJSON), also with Content-Encoding: gzip. Each job "
            "stands alone: the good ones are stored, and each bad one comes back in `rejected` with its index and a "
            "code (invalid, conflict, unknown_meter, unknown_account, unknown_key, key_kind, future, secret) and is "
            "kept in quarantine. A job's id makes a repeat harmless: it counts among `duplicates`."
        ),
        allowed=WORKERS,
        body=Body(
            description="The jobs.",
            media={
                JSON: Media(schema={"anyOf": [ref("Job"), ref("JobList")]}, example=examples.JOBS),
                **{name: _LINES for name, form in FORMS.items() if form is BodyForm.LINES},
            },
        ),
        answer=Answer(
            status=200,
            description="What became of each job, also where some or all were rejected. It is durable.",
            media=json_media("IngestResult", examples.INGEST_RESULT),
        ),
        problems=(400, 413, 415),
    )
)
async def post_jobs(request: ApiRequest) -> Response[bytes]:
    """POST /jobs."""
    form = FORMS[media_type_of(request, FORMS)]
    body = await read_body(request, request.settings.max_body_bytes)
    result = await request.ledger.record_body_async(body, form)
    return answer_json(result.to_dict())


_FORMATS: Final = {"json": JSON, "ndjson": LINES, "csv": CSV, "parquet": PARQUET}
_OF_PAGES: Final = ("cursor", "limit", "voided")
"""What a table does not take: it is all of the period."""

_PAGE: Final = read_answer("A page of jobs.", "LedgerPage", examples.LEDGER_PAGE, currency=True)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/jobs": "getJobs"},
        tag=_TAG,
        summary="An account's jobs with rank, tier and cost",
        description=(
            "The account's own ledger in rank order. `next_cursor` leads to the next page; where an earlier job came "
            "in between, the answer is 409 with code ledger_changed, and reading starts again. As NDJSON "
            "(format=ndjson, or Accept) it comes one job a line, all of the period unless there is a limit, of at "
            f"most {MOST_LINES}; the next cursor then stands in the header {NEXT_CURSOR}. A download that broke off "
            "is gone on with from the last cursor. With voided=true the voided jobs follow, each with `voided_at` and "
            "`void_reason`, without a rank or costs. As CSV or Parquet (501 where the server has no pyarrow) it is all "
            "of the period, and takes neither cursor nor limit nor voided."
        ),
        allowed=READERS,
        parameters=(START_MONTH, END_MONTH, CURSOR, JOBS_LIMIT, VOIDED, format_parameter(_FORMATS), ACCOUNT),
        answer=msgspec.structs.replace(
            _PAGE,
            media={
                **_PAGE.media,
                LINES: Media(schema={"type": "string"}, example=examples.LEDGER_LINES),
                CSV: Media(schema={"type": "string"}, example=examples.LEDGER_CSV),
                PARQUET: Media(schema={"type": "string", "contentMediaType": PARQUET}),
            },
        ),
        problems=(400, 404, 409, 501),
    )
)
async def get_jobs(request: ApiRequest) -> Response[bytes]:
    """GET /jobs."""
    arguments: dict[str, Any] = {name: request.values.get(name) for name in ("start_month", "end_month", "cursor")}
    arguments["account"] = account_of(request)
    form = format_of(request, _FORMATS)
    if form in tuple(TableForm):
        return await _job_table(request, arguments["account"], TableForm(form))
    voided = flag_of(request, VOIDED)
    if form == "json":
        if voided:
            raise InvalidInput.parameter(VOIDED.name, "is taken with format=ndjson alone", code=CODE)
        return answer_read(request, await in_thread(_jobs, request.ledger, arguments, limit_of(request)))
    limit = limit_of(request, MOST_LINES) if "limit" in request.values else None
    lines = await in_thread(lambda: request.ledger.job_lines(**arguments, voided=voided, limit=limit))
    headers = {"Tallystick-Currency": lines.currency}
    if lines.next_cursor is not None:
        headers[NEXT_CURSOR] = lines.next_cursor
    return answer_stream(lines, LINES, headers)


async def _job_table(request: ApiRequest, account: str, form: TableForm) -> Response[bytes]:
    for name in _OF_PAGES:
        if name in request.values:
            raise InvalidInput.parameter(name, f"is not taken with format={form}, which gives all jobs", code=CODE)
    months = request.values.get("start_month"), request.values.get("end_month")
    table = await in_thread(lambda: request.ledger.job_table(account, *months, form=form))
    media_type = CSV_SENT if form is TableForm.CSV else PARQUET
    return answer_stream(table, media_type, {"Tallystick-Currency": table.currency})


def _jobs(ledger: Ledger, arguments: dict[str, Any], limit: int) -> Content:
    page = ledger.jobs(**arguments, limit=limit)
    # An account's currency is fixed, so asking for it beside the page cannot contradict the page.
    currency = ledger.accounts.get(arguments["account"]).currency
    jobs = [msgspec.structs.asdict(job) for job in page.jobs]
    return Content(encode({"jobs": jobs, "next_cursor": page.next_cursor}), currency)


class Voiding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a job is voided; 1 to 200 characters, which the account can read."""

    reason: str


@route(
    Call(
        method=HttpMethod.POST,
        paths={"/jobs/{id:str}/void": "voidJob"},
        tag=_TAG,
        summary="Void a job",
        description=(
            "Takes a job of an open month out of reports, ranks and tiers, as if it had never come. It stays in the "
            "ledger with the reason, and its repeats stay duplicates. A second void changes nothing: the first reason "
            "stays. In a closed month the answer is 409 with code month_closed."
        ),
        allowed=ADMINS,
        parameters=(ACCOUNT,),
        path_parameters={"id": "Id of the job."},
        body=Body(description="The reason.", media=json_media("Voiding", examples.VOIDING)),
        answer=Answer(status=200, description="The voided job.", media=json_media("VoidedJob", examples.VOIDED_JOB)),
        problems=(400, 404, 409, 413, 415),
    )
)
async def void_job(request: ApiRequest) -> Response[bytes]:
    """POST /jobs/{id}/void."""
    account, job_id = account_of(request), request.path_name("id")
    voiding = await read_document(request, Voiding)
    return answer_json((await submit(request.ledger.void, voiding, account, job_id)).to_dict())


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (post_jobs, get_jobs, void_job)
