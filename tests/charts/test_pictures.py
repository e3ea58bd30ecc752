"""What charts are filled with: the report's figures, exact, in pictures, sentences and tables alike."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tallystick.charts import PICTURES, Drawable, Series, describe, fill, table
from tallystick.charts.wording import rounded
from tallystick.model.forecast import Forecast
from tallystick.model.money import grouped, plain
from tallystick.model.report import DailyReport, UsageReport
from tallystick.model.simulation import Simulation
from tallystick.model.wire import decode, encode
from tests.charts import samples

MANY = [f"key {number:02d}" for number in range(12)]
TREND = Series(title="Final cost", unit="USD", points=[("2025-01", samples.EXACT_COST), ("2025-02", Decimal(3))])


def data_of(name: str) -> Drawable:
    made: dict[type, Any] = {
        UsageReport: samples.monthly(),
        DailyReport: samples.daily(),
        Series: TREND,
        Simulation: samples.simulated(),
    }
    data: Drawable = made[PICTURES[name].drawn_from]
    return data


def rows(specification: dict[str, Any]) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = specification["data"]["values"]
    return values


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_says_in_its_description_what_describe_says(name: str) -> None:
    assert fill(name, data_of(name))["description"] == describe(name, data_of(name))


@pytest.mark.parametrize("name", PICTURES)
def test_no_place_of_a_specification_is_left_open(name: str) -> None:
    text = encode(fill(name, data_of(name))).decode()
    assert '"$' not in text.replace('"$schema"', "")


@pytest.mark.parametrize("name", PICTURES)
def test_data_of_another_class_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} is drawn from a "):
        fill(name, object())  # type: ignore[arg-type]  # the mistake that is tested


def test_a_name_that_looks_like_a_place_is_a_name() -> None:
    specification = fill("share-by-key", samples.monthly(keys=["$rows", "$"]))
    assert specification["params"][0]["value"] == ["$rows", "$"]


def test_plotted_costs_are_written_with_every_digit() -> None:
    text = encode(fill("cost-by-month", samples.monthly())).decode()
    assert '"final_cost":1204.123456789012345678,' in text
    sent = rows(decode(text))
    assert sum(row["final_cost"] for row in sent) == samples.monthly().totals.final_cost
    assert sum(row["savings"] for row in sent) == samples.monthly().totals.savings


def test_what_is_shown_of_a_month_is_its_exact_cost() -> None:
    report = samples.monthly()
    for row, month in zip(rows(fill("cost-by-month", report)), report.monthly_breakdown, strict=True):
        assert row["month"] == month.month
        assert row["shown"]["final_cost"] == f"USD {grouped(month.final_cost)}"
        assert row["shown"]["savings"] == f"USD {grouped(month.savings)}"
        assert row["shown"]["base_cost"] == f"USD {grouped(month.base_cost)}"


def test_the_tables_of_months_sum_to_the_report() -> None:
    report = samples.monthly()
    costs = table("cost-by-month", report)
    assert costs.columns == ("month", "base_cost", "savings", "final_cost")
    sums = [sum(Decimal(row[column]) for row in costs.rows) for column in (1, 2, 3)]
    assert sums == [report.totals.base_cost, report.totals.savings, report.totals.final_cost]
    jobs = table("jobs-by-month", report)
    assert jobs.columns == ("month", "jobs", "tier1", "tier2")
    assert sum(int(row[1]) for row in jobs.rows) == report.totals.jobs
    assert all(int(row[1]) == int(row[2]) + int(row[3]) for row in jobs.rows)


def test_each_account_is_counted_in_the_group_of_its_change() -> None:
    simulation = samples.simulated()
    found = rows(fill("cost-differences", simulation))
    counts = {row["group"]: (row["accounts"], row["direction"]) for row in found if row["accounts"]}
    assert counts == {
        "≥ 50 % less": (1, "less"),
        "0–5 % less": (1, "less"),
        "the same": (2, "same"),
        "5–10 % more": (2, "more"),
        "≥ 50 % more": (1, "more"),
    }
    shown = table("cost-differences", simulation)
    assert sum(int(row[1]) for row in shown.rows) == len(simulation.accounts)
    assert sum(Decimal(row[2]) for row in shown.rows) == simulation.difference
    assert "2 accounts would pay less, 3 more, 2 the same." in describe("cost-differences", simulation)


def test_beyond_the_eighth_key_the_rest_is_one() -> None:
    report = samples.monthly(keys=MANY)
    shares = table("share-by-key", report)
    assert [row[0] for row in shares.rows] == [*MANY[:8], "4 other keys"]
    whole = sum(key.costs.final for key in report.api_keys.values())
    assert sum(Decimal(row[2]) for row in shares.rows) == whole
    assert sum(int(row[1]) for row in shares.rows) == sum(key.jobs for key in report.api_keys.values())
    plotted = rows(fill("share-by-key", report))
    assert [row["part"] for row in plotted] == [Decimal(row[2]) for row in shares.rows]
    assert plotted[-1]["slot"] == 8
    assert fill("share-by-key", report)["params"][0]["value"][-1] == "4 other keys"


def test_a_key_called_like_the_rest_stays_a_key_of_its_own() -> None:
    shares = table("share-by-key", samples.monthly(keys=["4 other keys", *MANY[:11]]))
    assert [row[0] for row in shares.rows].count("4 other keys") == 2


@pytest.mark.parametrize(
    ("amount", "label"),
    [("1204.125", "USD 1,204.12"), ("0.00836", "USD 0.00836"), ("0.000123456", "USD 0.000123"), ("0", "USD 0.00")],
)
def test_a_label_is_rounded_and_the_exact_amount_stands_beside_it(amount: str, label: str) -> None:
    assert rounded(Decimal(amount), "USD") == label
    (row,) = rows(fill("share-by-key", samples.monthly(1, ["a"], samples.EXACT_COST)))
    assert row["shown"]["label"] == "50.0 % · USD 602.06"
    assert row["shown"]["final_cost"] == "USD 602.061728394506172839"


def test_where_nothing_was_paid_shares_are_of_jobs() -> None:
    report = samples.monthly(keys=["a", "b", "c"], cost=Decimal(0))
    specification = fill("share-by-key", report)
    assert specification["title"]["text"] == "Share of jobs by API key"
    assert [row["part"] for row in rows(specification)] == [3, 2, 1]
    assert describe("share-by-key", report) == (
        "Share of jobs by API key, 2025-01 to 2025-03, of 6 jobs: c 50.0 %, b 33.3 %, a 16.7 %."
    )


def test_tokens_by_day_add_up_to_the_report() -> None:
    report = samples.daily(days=40, keys=MANY)
    plotted = Counter[str]()
    for row in rows(fill("tokens-by-day", report)):
        plotted[row["day"]] += row["tokens"]
    assert plotted == {day.day: sum(day.tokens.values()) for day in report.days}
    told = table("tokens-by-day", report)
    assert told.columns == ("day", "api_key", "jobs", "transcription", "note_generation")
    assert len(told.rows) == 40 * 12
    for place, field in ((2, "jobs"), (3, "transcription_tokens"), (4, "note_tokens")):
        assert sum(int(row[place]) for row in told.rows) == sum(getattr(day, field) for day in report.days)


def test_days_without_jobs_have_their_place_on_the_axis() -> None:
    quiet = DailyReport(start="2025-01-01", end="2025-01-05", days=samples.daily(5, keys=()).days)
    assert fill("tokens-by-day", quiet)["encoding"]["x"]["scale"]["domain"] == [
        f"2025-01-0{day}" for day in range(1, 6)
    ]


def test_sentences_name_the_sum_the_most_and_the_least() -> None:
    report = samples.monthly(cost=Decimal("0.5"))
    assert describe("cost-by-month", report) == (
        "Cost by month, 2025-01 to 2025-03: final cost USD 2.6875, saved USD 0.3125 of USD 3.0. "
        "Most in 2025-03, USD 1.3125; least in 2025-01, USD 0.5."
    )
    assert describe("jobs-by-month", report) == (
        "Jobs by month, 2025-01 to 2025-03: 6 jobs. Most in 2025-03, 3; fewest in 2025-01, 1."
    )
    assert describe("tokens-by-day", samples.daily()) == (
        "Tokens by day and API key, 2025-01-01 to 2025-01-05: 60 tokens of 2 keys. "
        "Most on 2025-01-05, 18; most by b, 40."
    )
    assert describe("sparkline", TREND) == (
        f"Final cost, 2025-01 to 2025-02: last 3.0 USD, most in 2025-01, {grouped(samples.EXACT_COST)} USD."
    )


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        (
            "cost-by-month",
            samples.monthly(1, (), Decimal(0)),
            "Cost by month, 2025-01: final cost USD 0.0, saved USD 0.0 of USD 0.0.",
        ),
        ("jobs-by-month", samples.monthly(1), "Jobs by month, 2025-01: 1 job."),
        (
            "share-by-key",
            samples.monthly(1, (), Decimal(0)),
            "Share of jobs by API key, 2025-01, of 1 job: no API key has jobs.",
        ),
        ("tokens-by-day", samples.daily(1, ()), "Tokens by day and API key, 2025-01-01: 0 tokens."),
        ("sparkline", Series(title="Jobs", unit="jobs", points=[]), "Jobs: nothing."),
    ],
)
def test_nothing_and_one_of_something_are_said_plainly(name: str, data: Any, sentence: str) -> None:
    assert describe(name, data) == sentence


def test_a_sparkline_holds_counts_and_amounts() -> None:
    counts = Series(title="Jobs", unit="jobs", points=[("2025-01", 1200), ("2025-02", 0)])
    assert table("sparkline", counts).rows == (("2025-01", "1200"), ("2025-02", "0"))
    assert table("sparkline", TREND).rows == (("2025-01", plain(samples.EXACT_COST)), ("2025-02", "3.0"))
    assert [row["last"] for row in rows(fill("sparkline", counts))] == [False, True]
    assert rows(fill("sparkline", counts))[0]["shown"]["text"] == "2025-01: 1,200 jobs"


def test_a_report_without_a_currency_names_none() -> None:
    report = UsageReport.from_json(samples.monthly().to_json())
    specification = fill("cost-by-month", report)
    assert specification["layer"][0]["encoding"]["y"]["title"] == "cost"
    assert rows(specification)[0]["shown"]["final_cost"] == grouped(samples.EXACT_COST)


def test_a_filled_specification_is_plain_data() -> None:
    for name in PICTURES:
        assert json.loads(encode(fill(name, data_of(name))))


def test_the_running_months_forecast_lies_over_its_cost() -> None:
    report, forecast = samples.monthly(), samples.foreseen()
    specification = fill("cost-by-month", report, forecast=forecast)
    plotted = [row.get("forecast") for row in rows(specification)]
    assert plotted[:2] == [None, None]
    assert plotted[2] is not None
    assert [plotted[2][end] for end in ("low", "expected", "high")] == [
        Decimal("3900.25"),
        Decimal("4000.5"),
        Decimal("4100.125"),
    ]
    assert plotted[2]["between"] == "USD 3,900.25 to 4,100.125"
    told = describe("cost-by-month", report, forecast=forecast)
    assert specification["description"] == told
    assert told.endswith(" 2025-03 is expected to end at USD 4,000.5, four times in five at USD 3,900.25 to 4,100.125.")
    assert len(specification["layer"]) == 3


def test_a_forecast_has_its_place_where_nothing_was_paid_yet() -> None:
    specification = fill("cost-by-month", samples.monthly(cost=Decimal(0)), forecast=samples.foreseen())
    assert specification["layer"][0]["encoding"]["y"]["scale"]["domainMax"] is None


@pytest.mark.parametrize("forecast", [samples.foreseen("2025-04"), samples.foreseen(tells=False)])
def test_a_forecast_of_another_month_or_without_history_is_not_drawn(forecast: Forecast) -> None:
    report = samples.monthly()
    assert fill("cost-by-month", report, forecast=forecast) == fill("cost-by-month", report)
    assert describe("cost-by-month", report, forecast=forecast) == describe("cost-by-month", report)


@pytest.mark.parametrize("name", [name for name in PICTURES if name != "cost-by-month"])
def test_the_other_pictures_show_no_forecast(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} shows no forecast"):
        fill(name, data_of(name), forecast=samples.foreseen())
