"""Pictures and files of a page hold the figures of the report."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tallystick import charts, web
from tallystick.model.report import DailyReport, UsageReport
from tallystick.model.wire import decode, encode
from tallystick.web.bundle import bundle
from tallystick.web.downloads import BYTE_ORDER_MARK
from tests.api.service import JANUARY_REPORT, Service, job
from tests.browser import looking
from tests.web.site import Visitor, specification, tables
from tests.web.test_browser import sign_in

JANUARY = {"start_month": "2025-01", "end_month": "2025-01"}
PERIOD = "start_month=2025-01&end_month=2025-01"
NAMES = ("cost-by-month", "tokens-by-day", "share-by-key", "jobs-by-month")


@pytest.fixture
def page(browser: Browser, shared: Service) -> Iterator[Page]:
    """The browser of the customer acme."""
    with looking(browser, shared.url) as opened:
        sign_in(opened, shared.token("usage", "acme"))
        yield opened


def data_of(shared: Service, name: str) -> UsageReport | DailyReport:
    if name == "tokens-by-day":
        return shared.ledger.daily("acme", "2025-01-01", "2025-01-31")
    return shared.ledger.usage("acme", "2025-01", "2025-01")


def plotted(specification: dict[str, Any]) -> set[str]:
    """The exact text beside each value that a specification draws."""
    return {row["shown"]["text"] for row in specification["data"]["values"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn_with_the_report_s_figures(page: Page, shared: Service, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"/dashboard?{PERIOD}")
    for name in NAMES:
        figure = page.locator(f"figure.{name}")
        expect(figure).to_have_attribute("data-state", "drawn")
        drawn = figure.locator("svg g.mark-rect [aria-label]")
        told = {str(each.get_attribute("aria-label")) for each in drawn.all()}
        wanted = plotted(charts.fill(name, data_of(shared, name)))
        # Of a stacked bar each part tells the same; what is 0 high is not there.
        assert told == {text for text in wanted if text in told}
        assert len(told) == len(wanted)
        assert figure.locator("p.words").inner_text() == charts.describe(name, data_of(shared, name))
    totals = UsageReport.from_json(JANUARY_REPORT).totals
    assert f"USD {totals.final_cost}" in str(
        page.locator("figure.cost-by-month [aria-label*='2025-01']").first.get_attribute("aria-label")
    )


def test_a_chart_tells_its_figures_where_it_is_pointed_at(page: Page) -> None:
    page.goto(f"/dashboard?{PERIOD}")
    expect(page.locator("figure.cost-by-month")).to_have_attribute("data-state", "drawn")
    page.locator("figure.cost-by-month g.mark-rect path").first.hover()
    expect(page.locator("#vg-tooltip-element")).to_contain_text("0.07592")


def test_a_chart_follows_when_the_colours_of_the_system_change(page: Page) -> None:
    def fill() -> str:
        return str(page.locator("figure.jobs-by-month g.mark-rect path").first.get_attribute("fill"))

    page.goto(f"/dashboard?{PERIOD}")
    expect(page.locator("figure.jobs-by-month")).to_have_attribute("data-state", "drawn")
    assert fill() == charts.configuration("light")["style"]["accent"]["color"]
    page.emulate_media(color_scheme="dark")
    expect(page.locator("figure.jobs-by-month g.mark-rect path").first).to_have_attribute(
        "fill", charts.configuration("dark")["style"]["accent"]["color"]
    )


def test_without_the_charting_scripts_the_page_says_so_and_stays(browser: Browser, shared: Service) -> None:
    context = browser.new_context(base_url=shared.url)
    page = context.new_page()
    sign_in(page, shared.token("usage", "acme"))
    page.route("**/vega.js", lambda route: route.abort())
    page.goto(f"/dashboard?{PERIOD}")
    for name in NAMES:
        expect(page.locator(f"figure.{name}")).to_have_attribute("data-state", "failed")
        expect(page.locator(f"figure.{name} .canvas")).to_contain_text("could not be drawn")
    expect(page.locator("#months tfoot")).to_contain_text("108")
    context.close()


def test_without_scripts_the_page_tells_everything(browser: Browser, shared: Service) -> None:
    context = browser.new_context(base_url=shared.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, shared.token("usage", "acme"))
    page.goto(f"/dashboard?{PERIOD}")
    expect(page.locator("figure.cost-by-month .words")).to_contain_text("0.07592")
    expect(page.locator("figure.cost-by-month .words")).to_be_in_viewport()
    expect(page.locator("#months tfoot")).to_contain_text("0.075920")
    context.close()


def test_files_are_downloaded_with_names_that_say_what_they_are(page: Page, shared: Service, tmp_path: Path) -> None:
    page.goto(f"/dashboard?{PERIOD}")
    page.locator("summary", has_text="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Months and keys, CSV").click()
    assert waiting.value.suggested_filename == "usage-2025-01.csv"
    waiting.value.save_as(tmp_path / "usage.csv")
    table = shared.ledger.usage_table("acme", "2025-01", "2025-01")
    assert (tmp_path / "usage.csv").read_bytes().decode() == BYTE_ORDER_MARK + table.to_csv()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Share by API key as CSV").click()
    assert waiting.value.suggested_filename == "share-by-key-2025-01.csv"


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_and_its_csv_are_those_of_the_report(shared: Service, customer: Visitor, name: str) -> None:
    data = data_of(shared, name)
    keys = [key.name for key in shared.ledger.accounts.keys("acme")]
    drawn = specification(customer.get("", **JANUARY).text, name)
    assert drawn == decode(encode(charts.fill(name, data, key_order=keys)))
    answer = customer.get(f"/charts/{name}.csv", **JANUARY)
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix(BYTE_ORDER_MARK))))
    assert [tuple(row) for row in rows] == [charts.table(name, data).columns, *charts.table(name, data).rows]


def test_a_name_cannot_end_the_data_that_it_stands_in(shared: Service, visitor: Visitor) -> None:
    account, key = shared.account(), "</script><script>alert(1)</script><!--"
    shared.post_jobs(job(account, api_key=key))
    visitor.sign_in(shared.token("usage", account))
    page = visitor.get("", **JANUARY).text
    assert "</script><script>alert" not in page
    assert "<!--" not in page
    assert specification(page, "share-by-key")["data"]["values"][0]["shown"]["key"] == key


@pytest.mark.parametrize("file", ["nothing.csv", "cost-by-month.png", "sparkline.csv", ".csv"])
def test_other_files_are_not_there(customer: Visitor, file: str) -> None:
    assert customer.get(f"/charts/{file}", **JANUARY).status_code == 404


def test_the_days_sum_to_the_month(shared: Service, customer: Visitor) -> None:
    rows = tables(customer.get("/days", **JANUARY).text)["days"]
    totals = UsageReport.from_json(JANUARY_REPORT).totals
    whole = [totals.jobs, *totals.tokens.values(), totals.base_cost, totals.savings, totals.final_cost]
    assert [cell.number for cell in rows[-1][2:]] == whole
    for column, sums in enumerate(whole, 2):
        assert sum(row[column].number for row in rows[1:-1]) == sums


def test_of_a_long_period_the_days_are_the_last_year_s(shared: Service, visitor: Visitor) -> None:
    account = shared.account()
    for day in ("2023-01-05", "2024-02-28", "2025-01-31"):
        shared.post_jobs(job(account, completed_at=f"{day}T08:00:00Z"))
    visitor.sign_in(shared.token("usage", account))
    html = visitor.get("/days", start_month="2023-01", end_month="2025-01").text
    assert [row[0].text for row in tables(html)["days"][1:-1]] == ["2025-01-31", "2024-02-28"]
    assert "2024-02-01 to 2025-01-31" in html
    running = visitor.get("/days", start_month="2025-01", end_month="2025-12").text
    assert "2025-01-01 to 2025-02-01" in running, "days to come are not drawn"
    assert visitor.get("/days", start_month="2026-01", end_month="2026-01").status_code == 200


def test_the_charting_scripts_are_made_once_and_kept_for_good_by_browsers(shared: Service, visitor: Visitor) -> None:
    sources = re.findall(r'src="([^"]+vega\.js)"', Visitor(shared).get("/sign-in").text)
    assert not sources, "nothing to draw there"
    visitor.sign_in(shared.token("usage", "acme"))
    (source,) = re.findall(r'src="([^"]+vega\.js)"', visitor.get().text)
    answer = visitor.client.get(source)
    assert answer.content == bundle() == charts.bundle().encode()
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert "charset=utf-8" in answer.headers["content-type"]


def test_keys_have_the_colours_of_the_charts_in_both_schemes() -> None:
    styles = (Path(web.__file__).parent / "static" / "pages.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", styles, re.DOTALL)
    for theme, block in (("light", light), ("dark", dark)):
        configuration = charts.configuration(theme)  # type: ignore[arg-type]
        given = dict(re.findall(r"--key-(\d): (#\w+);", block))
        assert [given[str(slot)] for slot in range(9)] == configuration["range"]["keys"]
        assert re.findall(r"--accent: (#\w+);", block) == [configuration["style"]["accent"]["color"]]


def test_a_key_keeps_the_colour_of_its_place_in_charts_and_tables(shared: Service, visitor: Visitor) -> None:
    account = shared.account()
    for number in range(10):
        jobs = [job(account, api_key=f"key {number}", tokens={"transcription": 1000 * (number + 1)}) for _ in range(21)]
        shared.post_jobs(jobs)
    visitor.sign_in(shared.token("usage", account))
    html = visitor.get("", **JANUARY).text
    dots = re.findall(r'<th scope="row"><svg class="dot key-(\d)".*?</svg>(key \d)</th>', html)
    assert len(dots) == 10
    shares = specification(html, "share-by-key")["data"]["values"]
    drawn = {row["shown"]["key"]: str(row["slot"]) for row in shares}
    assert {name: slot for slot, name in dots if slot != "8"} == {n: s for n, s in drawn.items() if s != "8"}
    assert sum(slot == "8" for slot, _ in dots) == 2
    assert (
        sum(Decimal(row["part"]) for row in shares)
        == shared.ledger.usage(account, "2025-01", "2025-01").totals.final_cost
    )
