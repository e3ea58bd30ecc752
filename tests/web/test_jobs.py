"""The ledger's page: the jobs behind each figure, turned page by page in both directions."""

from __future__ import annotations

import html
import io
import json
import re

import pyarrow.parquet
import pytest

from tallystick.model.report import UsageReport
from tests.api.service import JANUARY_REPORT, Service, job
from tests.web.site import Visitor, tables

JANUARY = {"start_month": "2025-01", "end_month": "2025-01"}


def rows(visitor: Visitor, path: str = "/jobs", **query: str) -> list[list[str]]:
    return [[cell.text for cell in row] for row in tables(visitor.get(path, **JANUARY, **query).text)["jobs"][1:]]


def followed(visitor: Visitor, page: str, rel: str) -> str | None:
    """The page that a link leads to."""
    found = re.search(rf'<a href="([^"]+)" rel="{rel}">', page)
    return visitor.client.get(html.unescape(found[1])).text if found else None


def ids(page: str) -> list[str]:
    return [row[1].text for row in tables(page)["jobs"][1:]]


def test_every_job_stands_there_with_its_exact_cost(shared: Service, customer: Visitor) -> None:
    entries = shared.ledger.jobs("acme", "2025-01", "2025-01", limit=1000).jobs
    page: str | None = customer.get("/jobs", **JANUARY).text
    found = []
    while page:
        found += tables(page)["jobs"][1:]
        page = followed(customer, page, "next")
    assert [int(row[0].text) for row in found] == [entry.rank for entry in entries]
    assert [(row[1].text, row[2].text) for row in found] == [(entry.id, entry.api_key) for entry in entries]
    assert [(row[-2].number, row[-1].number) for row in found] == [(e.base_cost, e.final_cost) for e in entries]
    assert [row[-3].text for row in found[:100]] == ["free"] * 100
    assert [row[-3].text for row in found[100:]] == ["1 0 %"] * 8
    totals = UsageReport.from_json(JANUARY_REPORT).totals
    assert sum(row[-1].number for row in found) == totals.final_cost


def test_pages_turn_both_ways(customer: Visitor) -> None:
    first = customer.get("/jobs", **JANUARY).text
    second = followed(customer, first, "next")
    assert second
    third = followed(customer, second, "next")
    assert third
    assert followed(customer, third, "next") is None
    assert len(ids(first) + ids(second) + ids(third)) == 108
    back = followed(customer, third, "prev")
    assert back
    assert ids(back) == ids(second)
    again = followed(customer, back, "prev")
    assert again
    assert ids(again) == ids(first)
    assert followed(customer, again, "prev") is None


def test_jobs_are_narrowed_down_by_key_and_tier_in_the_address(shared: Service, customer: Visitor) -> None:
    assert [row[2] for row in rows(customer, api_key="another api key")] == ["another api key"]
    assert rows(customer, tier="2") == [["No such jobs in Jan 2025."]]
    page = customer.get("/jobs", **JANUARY, api_key="some api key", tier="1").text
    assert len(ids(page)) == 50
    assert '<option value="some api key" selected>' in page
    assert '<option value="1" selected>' in page
    following = followed(customer, page, "next")
    assert following
    assert "some api key" in following
    assert {row[2].text for row in tables(following)["jobs"][1:]} == {"some api key"}


def test_figures_lead_to_the_jobs_behind_them(shared: Service, customer: Visitor) -> None:
    page = customer.get("", **JANUARY).text
    links = {html.unescape(link) for link in re.findall(r'href="(/dashboard/jobs\?[^"]+)"', page)}
    period = "start_month=2025-01&end_month=2025-01"
    assert links == {
        f"/dashboard/jobs?{period}",
        f"/dashboard/jobs?{period}&tier=1",
        f"/dashboard/jobs?{period}&api_key=some+api+key",
        f"/dashboard/jobs?{period}&api_key=another+api+key",
    }
    assert len(ids(customer.client.get(f"/dashboard/jobs?{period}&api_key=another+api+key").text)) == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"tier": "0"}, 400),
        ({"tier": "x"}, 400),
        ({"tier": "101"}, 400),
        ({"behind": "-1"}, 400),
        ({"before": "9" * 40}, 400),
        ({"api_key": "nobody's"}, 404),
        ({"behind": "99999"}, 200),
    ],
)
def test_what_does_not_fit_is_told(customer: Visitor, query: dict[str, str], status: int) -> None:
    assert customer.get("/jobs", **JANUARY, **query).status_code == status


def test_files_of_jobs_hold_every_job(shared: Service, customer: Visitor) -> None:
    entries = shared.ledger.jobs("acme", "2025-01", "2025-01", limit=1000).jobs
    lines = customer.get("/jobs.ndjson", **JANUARY)
    assert lines.headers["content-disposition"] == 'attachment; filename="jobs-2025-01.ndjson"'
    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == [entry.id for entry in entries]
    table = customer.get("/jobs.csv", **JANUARY).text
    assert len(table.splitlines()) == 109
    parquet = customer.get("/jobs.parquet", **JANUARY).content
    assert pyarrow.parquet.read_table(io.BytesIO(parquet)).num_rows == 108
    assert customer.get("/jobs.xlsx").status_code == 404


def test_files_of_another_account_are_refused(shared: Service, customer: Visitor) -> None:
    other = shared.account()
    shared.post_jobs(job(other))
    for path in ("jobs.ndjson", "jobs.csv", "usage.csv", "charts/cost-by-month.csv"):
        assert customer.get(f"/accounts/{other}/{path}").status_code == 403
