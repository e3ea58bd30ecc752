"""Files to take along: the same figures as on the page, for spreadsheets and programs."""

from __future__ import annotations

from typing import Final

from litestar.response import Response

from tallystick.model.jobs import TableForm
from tallystick.streams import Streamed
from tallystick.web.pages import page
from tallystick.web.periods import chosen_period
from tallystick.web.request import PageRequest

CSV: Final = "text/csv; header=present"
NDJSON: Final = "application/x-ndjson"
PARQUET: Final = "application/vnd.apache.parquet"
BYTE_ORDER_MARK: Final = "\ufeff"


@page(
    "/usage.csv",
    "/accounts/{account:str}/usage.csv",
    viewers="account",
    summary="Usage and cost by month and API key, as CSV",
)
def download_usage(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/usage.csv."""
    overview = request.ledger.overview(request.account)
    period = chosen_period(request, overview.first_month, overview.current_month)
    table = request.ledger.usage_table(overview.account, period.start_month, period.end_month)
    return attachment(table.to_csv(), CSV, f"usage-{period.file_name}.csv")


@page(
    "/jobs.ndjson",
    "/jobs.csv",
    "/jobs.parquet",
    "/accounts/{account:str}/jobs.ndjson",
    "/accounts/{account:str}/jobs.csv",
    "/accounts/{account:str}/jobs.parquet",
    viewers="account",
    summary="All jobs of a period with rank, tier and cost, as a file",
)
def download_jobs(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/jobs.ndjson, .csv and .parquet: sent while it is read, so that it may have any length."""
    overview = request.ledger.overview(request.account)
    period = chosen_period(request, overview.first_month, overview.current_month)
    months = period.start_month, period.end_month
    form = request.path_below.rpartition(".")[2]
    headers = {"Content-Disposition": _disposition(f"jobs-{period.file_name}.{form}")}
    if form == "ndjson":
        return Streamed(request.ledger.job_lines(overview.account, *months), NDJSON, headers)
    table = request.ledger.job_table(overview.account, *months, form=TableForm(form))
    return Streamed(table, CSV if form == TableForm.CSV else PARQUET, headers)


def attachment(text: str, media_type: str, file_name: str) -> Response[bytes]:
    """A text as a file to be saved under that name. It begins with a mark by which spreadsheets know UTF-8."""
    return file_of((BYTE_ORDER_MARK + text).encode(), media_type, file_name)


def file_of(body: bytes, media_type: str, file_name: str) -> Response[bytes]:
    """These very bytes as a file to be saved under that name."""
    return Response(body, media_type=media_type, headers={"Content-Disposition": _disposition(file_name)})


def _disposition(file_name: str) -> str:
    # The names are made by us and need no quoting.
    return f'attachment; filename="{file_name}"'


ROUTES: Final = (download_usage, download_jobs)
