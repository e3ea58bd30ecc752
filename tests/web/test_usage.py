"""The page of usage tells what the API tells, to the last digit."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from tallystick.model.report import UsageReport
from tests.api.service import JANUARY_JOBS, JANUARY_REPORT, LINES, Service, job, service
from tests.databases import Databases
from tests.web.site import ReadCell, Visitor, specification, tables

JANUARY = {"start_month": "2025-01", "end_month": "2025-01"}


@pytest.fixture(scope="module")
def shared(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """As elsewhere, on each engine in turn."""
    with databases.fresh() as database, service(tmp_path_factory.mktemp("shared"), database=database) as serving:
        assert serving.post_jobs(JANUARY_JOBS, kind=LINES).json()["accepted"] == 108
        yield serving


def numbers(row: list[ReadCell]) -> list[Decimal]:
    return [cell.number for cell in row[1:] if cell.text]


def month_figures(month: Any) -> list[Decimal]:
    return [
        month.jobs,
        *month.tokens.values(),
        month.base_cost,
        month.savings,
        month.final_cost,
        month.current_tier_discount,
    ]


def assert_same(html: str, report: UsageReport) -> None:
    """Every figure of both tables is the report's, and the totals too."""
    months, keys = tables(html)["months"], tables(html)["keys"]
    totals = report.totals
    whole = [totals.jobs, *totals.tokens.values(), totals.base_cost, totals.savings, totals.final_cost]
    assert {row[0].text: numbers(row) for row in months[1:-1]} == {
        month.month: month_figures(month) for month in report.monthly_breakdown
    }
    assert {row[0].text: numbers(row)[:-1] for row in keys[1:-1]} == {
        name: [key.jobs, *key.tokens.values(), key.costs.base, key.costs.savings, key.costs.final]
        for name, key in report.api_keys.items()
    }
    for table in (months, keys):
        assert table[-1][0].text == "Total"
        assert numbers(table[-1])[: len(whole)] == whole


def card(html: str, label: str) -> Decimal:
    """The exact figure of a card."""
    found = re.search(rf"<(?:h2|dt)>{label}(?: <span.*?</span>)?</(?:h2|dt)>(.*?)</(?:p|dd)>", html, re.DOTALL)
    assert found, label
    exact = re.search(r'<data value="([^"]+)"', found[1])
    shown = re.search(r">\s*([\d.,]+)", re.sub(r"<span.*?</span>", "", found[1]))
    assert exact or shown
    return Decimal((exact or shown)[1].replace(",", ""))  # type: ignore[index]


@pytest.mark.parametrize("amounts", ["", "exact"])
def test_january_of_the_contract_stands_there_digit_for_digit(customer: Visitor, amounts: str) -> None:
    report = UsageReport.from_json(JANUARY_REPORT)
    html = customer.get("", **JANUARY, **({"amounts": amounts} if amounts else {})).text
    assert_same(html, report)
    totals = report.totals
    assert card(html, "Final cost") == totals.final_cost
    assert card(html, "Base cost") == totals.base_cost
    assert card(html, "Saved") == totals.savings
    assert card(html, "Jobs") == totals.jobs
    assert card(html, "Transcription") == totals.tokens["transcription_tokens"]
    assert card(html, "Note generation") == totals.tokens["note_tokens"]
    assert card(html, "Free jobs left") == totals.free_jobs_left


def test_exact_amounts_are_all_there_to_be_read(customer: Visitor) -> None:
    months = tables(customer.get("", **JANUARY, amounts="exact").text)["months"]
    assert [cell.text for cell in months[1]] == [
        "2025-01",
        "108",
        "1,672",
        "2,905",
        "0.07592",
        "0.00000",
        "0.07592",
        "0 %",
    ]


def test_a_longer_history_with_tiers_late_jobs_and_many_keys_is_the_api_s(shared: Service, visitor: Visitor) -> None:
    account = shared.account()
    jobs = [
        job(
            account,
            api_key=f"key {number % 13}",
            completed_at=f"2024-{number % 12 + 1:02d}-{number % 27 + 1:02d}T10:00:00Z",
            tokens={"transcription": number * 977 % 5003, "note_generation": number * 31 % 701},
        )
        for number in range(1300)
    ]
    assert shared.post_jobs(jobs).json()["accepted"] == 1300
    visitor.sign_in(shared.token("usage", account))
    for period in (
        {"start_month": "2024-01", "end_month": "2024-12"},
        {"start_month": "2024-09", "end_month": "2025-02"},
    ):
        answer = shared.call("GET", "/usage", token=shared.token("usage", account), params=period)
        report = UsageReport.from_json(answer.content)
        assert report.totals.savings > 0
        assert_same(visitor.get("", **period).text, report)


def test_the_page_without_a_period_covers_this_month_and_the_two_before(customer: Visitor) -> None:
    assert [row[0].text for row in tables(customer.get().text)["months"]] == [
        "Month ↓",
        "2025-02",
        "2025-01",
        "2024-12",
        "Total",
    ]


def test_a_period_may_begin_or_end_anywhere(customer: Visitor) -> None:
    months = tables(customer.get("", start_month="2024-11").text)["months"]
    assert [row[0].text for row in months[1:-1]] == ["2025-02", "2025-01", "2024-12", "2024-11"]
    future = tables(customer.get("", start_month="2025-05").text)["months"]
    assert [row[0].text for row in future[1:-1]] == ["2025-05"]
    past = tables(customer.get("", end_month="2024-05").text)["months"]
    assert [row[0].text for row in past[1:-1]] == ["2024-05", "2024-04", "2024-03"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["some api key", "another api key"]),
        ("name", ["another api key", "some api key"]),
        ("-name", ["some api key", "another api key"]),
        ("jobs", ["another api key", "some api key"]),
        ("-final_cost", ["some api key", "another api key"]),
        ("transcription_tokens", ["another api key", "some api key"]),
    ],
)
def test_keys_are_sorted_as_the_address_says(customer: Visitor, sort: str, expected: list[str]) -> None:
    html = customer.get("", **JANUARY, **({"keys_sort": sort} if sort else {})).text
    assert [row[0].text for row in tables(html)["keys"][1:-1]] == expected
    state = {"": "descending"}.get(sort, "descending" if sort.startswith("-") else "ascending")
    assert len(re.findall(r"aria-sort", html)) == 2
    assert f'aria-sort="{state}"' in html.partition('id="keys"')[2]


def test_a_period_without_jobs_offers_the_nearest_month_that_has_some(customer: Visitor) -> None:
    later = customer.get("", start_month="2025-02", end_month="2025-02").text
    assert "No jobs in Feb 2025" in later
    assert 'href="/dashboard?start_month=2025-01&amp;end_month=2025-01">Jan 2025' in later
    earlier = customer.get("", start_month="2023-02", end_month="2024-05").text
    assert "No jobs in Feb 2023 to May 2024" in earlier
    assert 'href="/dashboard?start_month=2025-01&amp;end_month=2025-01">Jan 2025' in earlier
    assert "No jobs in" not in customer.get("", **JANUARY).text


def test_five_hundred_keys_and_ten_years_fit(shared: Service, visitor: Visitor) -> None:
    account = shared.account()
    jobs = [
        job(
            account,
            api_key=f"key {number:03d}",
            completed_at=f"{2016 + number % 9}-{number % 12 + 1:02d}-11T10:00:00Z",
        )
        for number in range(500)
    ]
    assert shared.post_jobs(jobs).json()["accepted"] == 500
    visitor.sign_in(shared.token("usage", account))
    decade = {"start_month": "2015-03", "end_month": "2025-02"}
    first = visitor.get("", **decade).text
    assert len(tables(first)["keys"]) == 27
    assert "Page 1 of 20 · 500 rows" in first
    assert "Page 1 of 5 · 120 rows" in first
    names = set()
    for page in range(1, 21):
        rows = tables(visitor.get("", **decade, keys_page=str(page)).text)["keys"]
        names |= {row[0].text for row in rows[1:-1]}
        assert [cell.text for cell in rows[-1]][:2] == ["Total", "500"]
    assert len(names) == 500
    assert "Page 20 of 20" in visitor.get("", **decade, keys_page="21").text, "a page behind the last shows the last"


def test_names_are_text_and_never_markup(shared: Service, visitor: Visitor) -> None:
    account = "<script>alert(1)</script>"
    key = '"><img src=x onerror=alert(2)>'
    shared.post_jobs(job(account, api_key=key))
    shared.post_jobs(job(account, api_key="日本 " + "x" * 190, id="</td><script>"))
    visitor.sign_in(shared.token("usage", account))
    for path in ("", "/jobs"):
        html = visitor.get(path, **JANUARY).text
        assert "<script>" not in html
        assert "<img src=x" not in html
        assert "&lt;img src=x onerror=alert(2)&gt;" in html


def test_an_account_without_jobs_is_told_how_the_first_gets_here(shared: Service, visitor: Visitor) -> None:
    account = 'it\'s "new" $(here)'
    shared.ledger.accounts.create(account)
    visitor.sign_in(shared.token("usage", account))
    html = visitor.get().text
    assert "No jobs yet" in html
    assert html.count("<li>") == 3
    assert "tallystick token create --scope ingest" in html


def test_the_running_month_shows_what_it_is_expected_to_cost(shared: Service) -> None:
    """In its card and in words beside the chart; other periods show nothing of it."""
    account = shared.account()
    days = [f"2025-01-{day:02d}T12:00:00Z" for day in range(1, 32)] + ["2025-02-01T08:00:00Z"]
    jobs = [job(account, completed_at=day, tokens={"transcription": 1_000_000}) for day in days for _ in range(10)]
    assert shared.post_jobs(jobs).json()["accepted"] == len(jobs)
    forecast = shared.ledger.forecast(account)
    assert forecast.month_end is not None
    visitor = Visitor(shared)
    visitor.sign_in(shared.token("usage", account))
    running, past = visitor.get().text, visitor.get(**JANUARY).text
    cost = forecast.month_end.final_cost
    shown = re.search(r"Expected for Feb 2025</dt><dd>(.*?)</dd>", running)
    assert shown is not None
    values = [value or text for value, text in re.findall(r'(?:value="([\d.]+)"[^>]*>|>|\(| to )([\d,.]+)', shown[1])]
    assert [Decimal(value.replace(",", "")) for value in values] == [cost.expected, cost.low, cost.high]
    assert "2025-02 is expected to end at USD" in running
    *earlier, running_month = specification(running, "cost-by-month")["data"]["values"]
    assert running_month["forecast"]["expected"] == cost.expected
    assert not any("forecast" in row for row in earlier)
    assert "xpected" not in past
    (row,) = specification(past, "cost-by-month")["data"]["values"]
    assert "forecast" not in row
