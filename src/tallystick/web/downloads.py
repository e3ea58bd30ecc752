"""Files to take along: the same figures as on the page, for spreadsheets and programs."""

from __future__ import annotations

from typing import Final

from litestar.response import Response

from tallystick.web.pages import page
from tallystick.web.periods import chosen_period
from tallystick.web.request import PageRequest

CSV: Final = "text/csv; header=present"


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


def attachment(text: str, media_type: str, file_name: str) -> Response[bytes]:
    """A text as a file to be saved under that name, which is made by us and needs no quoting."""
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    return Response(text.encode(), media_type=media_type, headers=headers)


ROUTES: Final = (download_usage,)
