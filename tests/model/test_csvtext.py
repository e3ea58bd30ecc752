"""CSV is what RFC 4180 says, loses nothing, and holds no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.csvtext import csv_text, guarded

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=5))
def test_text_comes_back_once_its_guard_is_taken_off(rows: list[list[str]]) -> None:
    header, *cells = read(csv_text(["a", "b"], rows))
    assert header == ["a", "b"]
    assert [[cell.removeprefix("'") for cell in row] for row in cells] == rows


@given(TEXT)
def test_no_cell_begins_like_a_formula_unless_it_is_a_number(text: str) -> None:
    cell = guarded(text)
    if cell.startswith(DANGEROUS):
        assert cell == text
        assert cell.startswith("-")
        assert cell[1:].replace(".", "", 1).isdigit()


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=SUM(A1:A9)", "'=SUM(A1:A9)"),
        ("+1 555 0100", "'+1 555 0100"),
        ("-2+3", "'-2+3"),
        ("@import", "'@import"),
        ("＝1", "'＝1"),
        ("'quoted'", "''quoted'"),
        ("-0.05", "-0.05"),
        ("-7", "-7"),
        ("-٣", "'-٣"),
        ("radiology", "radiology"),
        ("", ""),
    ],
)
def test_what_gets_an_apostrophe(text: str, cell: str) -> None:
    assert guarded(text) == cell


def test_lines_end_and_quotes_stand_as_rfc_4180_says() -> None:
    assert csv_text(["name", "jobs"], [['a, "b"', 7]]) == 'name,jobs\r\n"a, ""b""",7\r\n'
