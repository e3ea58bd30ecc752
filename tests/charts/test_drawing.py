"""Specifications drawn by the package that draws them everywhere: to SVG and PNG, with the report's digits in them."""

from __future__ import annotations

import re
import struct
import sys
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tallystick.charts import PICTURES, THEMES, Series, Theme, bundle, configuration, fill, to_png, to_svg
from tallystick.errors import TallystickError
from tallystick.model.money import grouped
from tests.charts import samples
from tests.charts.test_pictures import MANY, TREND, data_of


def labels(svg: str) -> list[str]:
    """What a screen reader is told of each mark."""
    return [element.get("aria-label", "") for element in ET.fromstring(svg).iter() if element.get("aria-label")]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_drawn_in_every_theme(name: str, theme: Theme) -> None:
    svg = to_svg(fill(name, data_of(name)), theme=theme)
    assert configuration(theme)["background"] in svg
    assert not re.search("NaN|undefined|Infinity", svg)


def test_a_picture_as_png_has_the_size_that_was_asked_for() -> None:
    png = to_png(fill("cost-by-month", samples.monthly()), scale=2)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (2 * 720, 2 * 280)


def test_the_marks_tell_the_exact_costs() -> None:
    report = samples.monthly()
    told = labels(to_svg(fill("cost-by-month", report)))
    for month in report.monthly_breakdown:
        text = f"{month.month}: final cost USD {grouped(month.final_cost)}, saved USD {grouped(month.savings)}"
        assert told.count(text) == 2, "the final cost and what was saved are a mark each"


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_no_line_stands_between_one_job_and_the_next(most: int) -> None:
    drawn = (fill("jobs-by-month", samples.monthly(most)), fill("tokens-by-day", samples.daily(1, ["a"])))
    for specification in drawn:
        assert not re.search(r">\d+\.\d+</text>", to_svg(specification))


def test_the_height_of_a_bar_is_its_share_of_the_highest() -> None:
    svg = to_svg(fill("jobs-by-month", samples.monthly(4)))
    bars = [e for e in ET.fromstring(svg).iter() if e.get("aria-roledescription") == "bar"]
    heights = [Decimal(re.findall(r"v([\d.]+)", bar.get("d", ""))[0]) for bar in bars]
    assert [round(height / heights[-1], 2) for height in heights] == [
        Decimal("0.25"),
        Decimal("0.5"),
        Decimal("0.75"),
        1,
    ]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cost-by-month", samples.monthly(1, ["a"], Decimal("0.0001"))),
        ("cost-by-month", samples.monthly(3, ["a"], Decimal(0))),
        ("cost-by-month", samples.monthly(120, ["a"], Decimal(10**12))),
        ("jobs-by-month", samples.monthly(120)),
        ("share-by-key", samples.monthly(3, [])),
        ("share-by-key", samples.monthly(3, MANY)),
        ("share-by-key", samples.monthly(3, ["<b>&amp;'\"</b>", "قسم", "$x", "datum", "</script>"])),
        ("tokens-by-day", samples.daily(1)),
        ("tokens-by-day", samples.daily(5, [])),
        ("tokens-by-day", samples.daily(366, MANY)),
        ("sparkline", Series(title="Jobs", unit="jobs", points=[])),
        ("sparkline", Series(title="Jobs", unit="jobs", points=[("2025-01", 0)])),
        ("sparkline", TREND),
    ],
)
def test_little_much_nothing_and_odd_names_are_drawn(name: str, data: Any) -> None:
    svg = to_svg(fill(name, data))
    assert ET.fromstring(svg).tag.endswith("svg")
    assert not re.search("NaN|undefined|Infinity", svg)


def test_a_specification_that_names_an_address_is_refused() -> None:
    specification = fill("jobs-by-month", samples.monthly())
    specification["data"] = {"url": "http://127.0.0.1:9/jobs.json"}
    with pytest.raises(ValueError, match="not allowed"):
        to_svg(specification)


def test_the_script_for_the_browser_sets_vega_embed_and_names_no_library_elsewhere() -> None:
    script = bundle()
    assert "window.vegaEmbed" in script
    assert not re.search(r"cdn\.|unpkg|jsdelivr|googleapis", script)
    assert bundle() is script, "it is made once"


def test_where_the_package_is_missing_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(TallystickError, match=r"pip install 'tallystick\[charts\]'") as caught:
        to_png(fill("jobs-by-month", samples.monthly()))
    assert caught.value.code == "missing_extra"


@pytest.mark.parametrize("theme", THEMES)
def test_a_forecast_is_drawn_with_its_interval_and_told_once(theme: Theme) -> None:
    svg = to_svg(fill("cost-by-month", samples.monthly(), forecast=samples.foreseen()), theme=theme)
    assert labels(svg).count("2025-03: expected USD 4,000.5, four times in five USD 3,900.25 to 4,100.125") == 1
    dashed = [e for e in ET.fromstring(svg).iter() if e.get("stroke-dasharray") == "4,3"]
    rules = [e for e in ET.fromstring(svg).iter() if e.get("stroke-width") == "2.5"]
    ink = configuration(theme)["style"]["figure"]["color"]
    assert [(len(marks), marks[0].get("stroke")) for marks in (dashed, rules)] == [(1, ink), (1, ink)]
    assert dashed[0].get("fill") in {"transparent", "none", None}
