"""GET /jobs as CSV and Parquet: all of a period at once, sent while it is made."""

from __future__ import annotations

import io
import sys

import httpx
import pyarrow.parquet as pq
import pytest

from tallystick import Client
from tallystick.api.examples import LEDGER_CSV
from tests.api.service import JANUARY, Service, places, problem

CSV = "text/csv; header=present; charset=utf-8"
PARQUET = "application/vnd.apache.parquet"


def get(service: Service, headers: dict[str, str] | None = None, **query: str) -> httpx.Response:
    token = service.token("usage", "acme")
    return service.call("GET", "/jobs", token=token, params={**JANUARY, **query}, headers=headers or {})


def whole(service: Service, form: str) -> bytes:
    with service.ledger.job_table("acme", "2025-01", "2025-01", form=form) as chunks:
        return b"".join(chunks)


@pytest.mark.parametrize(("form", "kind"), [("csv", CSV), ("parquet", PARQUET)])
def test_the_answer_is_the_table_of_the_ledger(shared: Service, form: str, kind: str) -> None:
    for response in (get(shared, format=form), get(shared, {"Accept": kind})):
        assert response.headers["content-type"] == kind
        assert response.content == whole(shared, form)
        assert response.headers["tallystick-currency"] == "USD"
        assert response.headers["cache-control"] == "private, no-cache"
        assert "content-length" not in response.headers


def test_the_table_has_the_jobs_of_the_contract(shared: Service) -> None:
    assert get(shared, format="csv").text.startswith(LEDGER_CSV.splitlines()[0])
    read = pq.read_table(io.BytesIO(get(shared, format="parquet").content))
    assert read.num_rows == 108


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["cursor", "limit", "voided"])
def test_what_belongs_to_pages_is_refused(shared: Service, form: str, name: str) -> None:
    query = {**JANUARY, "format": form, name: "1"}
    refused = shared.call("GET", "/jobs", token=shared.token("usage", "acme"), params=query)
    assert places(problem(refused, 400, "invalid_parameter")) == [name]


def test_a_server_without_pyarrow_says_what_it_lacks(shared: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused = problem(get(shared, format="parquet"), 501, "missing_extra")
    assert "tallystick[parquet]" in refused["detail"]


@pytest.mark.parametrize("form", ["csv", "parquet", "ndjson"])
def test_the_sdk_downloads_and_iterates_what_sums_to_the_report(shared: Service, form: str) -> None:
    months = ("2025-01", "2025-01")
    with Client(base_url=shared.url, token=shared.token("usage", "acme")) as client:
        assert b"".join(client.jobs.download(*months, form=form)) == get(shared, format=form).content
        jobs = list(client.jobs.iter(*months))
        totals = client.usage.get(*months).totals
    assert tuple(jobs) == shared.ledger.jobs("acme", *months, limit=1000).jobs
    assert sum(job.final_cost for job in jobs) == totals.final_cost
