"""The report as tables: it fits the screen, and no figure is lost or cropped."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from rich.console import Console

from tallystick.cli.output import figures, names, print_rows
from tallystick.cli.reporttables import bar, print_tables
from tallystick.model.money import grouped
from tallystick.model.report import Costs, KeyUsage, MonthUsage, Period, Totals, UsageReport

MONTHS = [f"2024-{month:02d}" for month in range(1, 13)]


def report(meters: int, scale: int) -> UsageReport:
    """A year in which every month is like the other, of two keys."""
    tokens = {f"meter{i}_tokens": 1_234_567 * scale for i in range(meters)}
    costs = {"base_cost": Decimal("12.345678") * scale, "savings": Decimal("1.000001") * scale}
    costs["final_cost"] = costs["base_cost"] - costs["savings"]
    months = tuple(
        MonthUsage(month=month, jobs=100 * scale, tokens=tokens, current_tier_discount=Decimal(7), tiers={}, **costs)
        for month in MONTHS
    )
    key = KeyUsage(
        jobs=600 * scale,
        tokens={name.removesuffix("_tokens"): 6 * count for name, count in tokens.items()},
        costs=Costs(*(6 * costs[name] for name in ("base_cost", "final_cost", "savings"))),
        tiers={},
    )
    return UsageReport(
        period=Period(MONTHS[0], MONTHS[-1]),
        totals=Totals(
            jobs=1200 * scale,
            tokens={name: 12 * count for name, count in tokens.items()},
            effective_discount_percentage=Decimal("8.1"),
            free_jobs_left=0,
            **{name: 12 * cost for name, cost in costs.items()},
        ),
        monthly_breakdown=months,
        api_keys={"a key with a long name that says all that there is to say": key, "[bold]b\u202e[/]": key},
        currency="USD",
    )


def drawn(shown: UsageReport, width: int) -> str:
    screen = Console(file=io.StringIO(), width=width, markup=False, emoji=False, highlight=False)
    print_tables(shown, screen)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("meters", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("scale", [1, 1000])
def test_every_line_fits_and_only_names_are_cropped(width: int, meters: int, scale: int) -> None:
    text = drawn(report(meters, scale), width)
    assert max(map(len, text.splitlines())) <= width
    cropped = [line for line in text.splitlines() if "…" in line]
    assert all(line.startswith(("a key", "[bold]")) and line.count("…") == 1 for line in cropped)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_sums_stand_there_whatever_the_width(width: int) -> None:
    text = " ".join(drawn(report(3, 1000), width).split())
    for figure in ("1,200,000", "14,814,804,000", "148,148.136", "12,000.012", "136,148.124 USD", "8.1 %", "7.0 %"):
        assert figure in text


def test_a_wide_screen_shows_every_column() -> None:
    header = drawn(report(2, 1), 120).split("total")[0]
    for column in ("month", "jobs", "meter0", "meter1", "base", "savings", "cost", "share"):
        assert column in header


def test_names_are_shown_as_they_are_and_steer_no_terminal() -> None:
    assert "[bold]b\\u202e[/]" in drawn(report(1, 1), 120)


def test_a_report_without_keys_has_no_table_of_keys() -> None:
    full = report(1, 1)
    empty = UsageReport(
        period=full.period, totals=full.totals, monthly_breakdown=full.monthly_breakdown, api_keys={}, currency=""
    )
    assert "API key" not in drawn(empty, 80)


@pytest.mark.parametrize(
    ("value", "text"),
    [("0", "0.0"), ("0.07592", "0.07592"), ("1234567.8900", "1,234,567.89"), ("1E+3", "1,000.0")],
)
def test_an_amount_keeps_all_its_digits(value: str, text: str) -> None:
    assert grouped(Decimal(value)) == text


@pytest.mark.parametrize(
    ("part", "whole", "drawing"),
    [
        ("0", "0", ""),
        ("0", "5", ""),
        ("5", "5", "████████"),
        ("1", "2", "████"),
        ("1", "1000000", "▏"),
        ("9", "64", "█▏"),
    ],
)
def test_a_bar_is_as_long_as_the_share(part: str, whole: str, drawing: str) -> None:
    assert bar(Decimal(part), Decimal(whole)).plain == drawing


def test_no_figure_is_cut_where_the_screen_is_too_narrow_for_the_table() -> None:
    screen = Console(file=io.StringIO(), width=20)
    print_rows(screen, [names("account"), figures("cost")], [["n" * 30, "-28,074,512.1083255"]])
    assert isinstance(screen.file, io.StringIO)
    assert "n…  -28,074,512.1083255" in screen.file.getvalue()
    assert screen.width == 20
