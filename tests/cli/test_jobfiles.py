"""Files of jobs: what lines they give, whatever their format, compression and mistakes."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from tallystick.cli.jobfiles import MAX_LINE_BYTES, Format, Line, Unreadable, form_of, open_file
from tallystick.errors import InvalidInput

HEADER = "id,account,api_key,completed_at,transcription,note_generation\n"


def read(path: Path, body: bytes | str, form: Format = Format.NDJSON) -> list[Line | Unreadable]:
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    with open_file(str(path), form) as file:
        return list(file.items())


def jobs(path: Path, body: bytes | str) -> list[tuple[int, dict[str, object]]]:
    """The jobs of a CSV file with the number of their lines; all of them must be readable."""
    items = read(path, body, Format.CSV)
    assert all(isinstance(item, Line) for item in items), items
    return [(item.number, json.loads(item.body)) for item in items if isinstance(item, Line)]


def only(items: list[Line | Unreadable]) -> Unreadable:
    (item,) = items
    assert isinstance(item, Unreadable)
    return item


# NDJSON


def test_a_line_keeps_its_number_when_empty_lines_are_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path / "f", b'\n{"id":1}\r\n\n  \n{"id":2}') == [Line(2, b'{"id":1}'), Line(5, b'{"id":2}')]


def test_a_broken_line_is_passed_on_as_it_is(tmp_path: Path) -> None:
    assert read(tmp_path / "f", b'{"id":\n\xff\xfe') == [Line(1, b'{"id":'), Line(2, b"\xff\xfe")]


def test_a_byte_order_mark_is_no_part_of_the_first_job(tmp_path: Path) -> None:
    assert read(tmp_path / "f", b"\xef\xbb\xbf{}") == [Line(1, b"{}")]


def test_a_json_array_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"is a JSON array; write one job a line \(with jq: jq -c '\.\[\]'\)"):
        read(tmp_path / "f", b'\n [{"id":1}]')


def test_an_empty_file_has_no_jobs(tmp_path: Path) -> None:
    assert read(tmp_path / "f", b"") == []


def test_a_line_that_is_too_long_is_passed_over_and_the_next_one_read(tmp_path: Path) -> None:
    items = read(tmp_path / "f", b"x" * (3 * MAX_LINE_BYTES) + b'\n{"id":1}\n')
    assert items == [Unreadable(1, f"the line is longer than {MAX_LINE_BYTES} bytes"), Line(2, b'{"id":1}')]


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    assert read(tmp_path / "jobs.ndjson", gzip.compress(b"{}\n") + gzip.compress(b"[]\n")) == [
        Line(1, b"{}"),
        Line(2, b"[]"),
    ]


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_damaged_gzip_is_told_with_the_last_good_line(tmp_path: Path, damage: str) -> None:
    body = bytearray(gzip.compress(b"".join(b'{"id":%d}\n' % i for i in range(50_000)), 1))
    if damage == "cut":
        del body[len(body) // 2 :]
    else:
        body[len(body) // 2 : len(body) // 2 + 64] = bytes(64)
    with pytest.raises(InvalidInput, match=r"f: the compressed data is damaged after line \d+"):
        read(tmp_path / "f", bytes(body))


def test_what_was_read_is_counted_as_it_lies_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "f.gz"
    path.write_bytes(gzip.compress(b"{}\n" * 1000))
    with open_file(str(path), Format.NDJSON) as file:
        assert file.read_bytes == 0
        list(file.items())
        assert file.read_bytes == file.size_bytes == path.stat().st_size


# Formats


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.ndjson", Format.NDJSON),
        ("a.jsonl", Format.NDJSON),
        ("a.JSON", Format.NDJSON),
        ("a.csv", Format.CSV),
        ("a.csv.gz", Format.CSV),
        ("a.ndjson.GZ", Format.NDJSON),
        ("-", Format.NDJSON),
    ],
)
def test_the_extension_names_the_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, form: Format
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).touch()
    assert form_of(name, None) is form


def test_a_pipe_is_ndjson_unless_it_is_said_to_be_csv(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "63")
    assert form_of(str(tmp_path / "63"), None) is Format.NDJSON
    assert form_of(str(tmp_path / "63"), Format.CSV) is Format.CSV


def test_the_format_asked_for_counts_more_than_the_extension() -> None:
    assert form_of("a.ndjson", Format.CSV) is Format.CSV


def test_an_extension_that_names_no_format_is_refused(tmp_path: Path) -> None:
    for name in ("jobs.txt", "jobs.gz", "jobs"):
        (tmp_path / name).touch()
        with pytest.raises(InvalidInput, match="say --format ndjson or --format csv"):
            form_of(str(tmp_path / name), None)


# CSV


def test_a_row_becomes_a_job_and_an_empty_cell_no_meter(tmp_path: Path) -> None:
    body = HEADER + "a,acme,k,2025-01-11T20:12:01Z,5,10\nb,acme,k,2025-01-11T20:12:01Z,,7\n"
    common = {"account": "acme", "api_key": "k", "completed_at": "2025-01-11T20:12:01Z"}
    assert jobs(tmp_path / "f", body) == [
        (2, {"id": "a", **common, "tokens": {"transcription": 5, "note_generation": 10}}),
        (3, {"id": "b", **common, "tokens": {"note_generation": 7}}),
    ]


def test_a_spreadsheets_csv_is_read(tmp_path: Path) -> None:
    """A byte order mark, semicolons, carriage returns, quotes, and empty columns at the end."""
    body = "\ufeffid;account; api_key;completed_at;transcription;;\r\n" + 'a;"acme; ""west""";k;t;5;;\r\n'
    assert jobs(tmp_path / "f", body) == [
        (2, {"id": "a", "account": 'acme; "west"', "api_key": "k", "completed_at": "t", "tokens": {"transcription": 5}})
    ]


@pytest.mark.parametrize(
    ("cell", "value"), [("true", True), ("Yes", True), ("1", True), ("no", False), ("", False), ("maybe", "maybe")]
)
def test_the_sandbox_column_says_yes_or_no(tmp_path: Path, cell: str, value: object) -> None:
    body = f"id,account,api_key,completed_at,sandbox\na,acme,k,t,{cell}\n"
    assert jobs(tmp_path / "f", body)[0][1]["sandbox"] == value


@pytest.mark.parametrize(("cell", "value"), [("007", 7), ("-5", -5), ("5.5", "5.5"), ("many", "many"), ("٣", "٣")])
def test_a_count_that_is_no_integer_goes_on_as_text_for_the_ledger_to_refuse(
    tmp_path: Path, cell: str, value: object
) -> None:
    assert jobs(tmp_path / "f", f"{HEADER}a,acme,k,t,{cell},1\n")[0][1]["tokens"] == {
        "transcription": value,
        "note_generation": 1,
    }


def test_line_numbers_hold_behind_a_cell_of_several_lines_and_empty_lines(tmp_path: Path) -> None:
    body = HEADER + '\n"a\nb",acme,k,t,1,1\nc,acme,k,t,1,1\n'
    assert [(number, job["id"]) for number, job in jobs(tmp_path / "f", body)] == [(3, "a\nb"), (5, "c")]


@pytest.mark.parametrize("cells", ["a,acme,k,t,1", "a,acme,k,t,1,2,3"])
def test_a_row_with_too_few_or_too_many_cells_is_told_by_its_line(tmp_path: Path, cells: str) -> None:
    item = only(read(tmp_path / "f", f"{HEADER}{cells}\n", Format.CSV))
    number = len(cells.split(","))
    assert item == Unreadable(2, f"the row has {number} cells where the header names 6", "a")


def test_a_row_that_is_not_utf8_is_told_and_the_next_one_read(tmp_path: Path) -> None:
    body = HEADER.encode() + b"\xe9,acme,k,t,1,1\na,acm\xe9,k,t,1,1\nb,acme,k,t,1,1\n"
    first, second, third = read(tmp_path / "f", body, Format.CSV)
    assert first == Unreadable(2, "the row is not UTF-8", None)
    assert second == Unreadable(3, "the row is not UTF-8", "a")
    assert isinstance(third, Line)


def test_a_quote_that_never_ends_costs_neither_memory_nor_the_rows_far_behind_it(tmp_path: Path) -> None:
    row = "a,acme,k,t,1,1\n"
    first, *rest = read(tmp_path / "f", HEADER + '"x,acme,k,t,1,1\n' + row * 20_000, Format.CSV)
    assert isinstance(first, Unreadable)
    assert first.number == 2
    assert first.detail.startswith("is not CSV: ")
    assert len(rest) > 10_000
    assert rest[-1].number == 20_002


def test_a_line_that_is_too_long_is_told_in_csv_too(tmp_path: Path) -> None:
    body = f"{HEADER}a,acme,k,t,1,1\n{'x' * MAX_LINE_BYTES}y\nb,acme,k,t,1,1\n"
    items = read(tmp_path / "f", body, Format.CSV)
    assert [(type(item), item.number) for item in items] == [(Line, 2), (Unreadable, 3), (Line, 4)]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "missing: id, account, api_key, completed_at"),
        ("id,account,completed_at,x", "missing: api_key"),
        ("id,account,api_key,completed_at,x,x", "twice or not at all: x"),
        ("id,account,api_key,completed_at,,x", r"twice or not at all: \(empty\)"),
    ],
)
def test_a_header_that_is_not_one_of_jobs_is_refused(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read(tmp_path / "f", header + "\na,acme,k,t,1,1\n", Format.CSV)
