"""A body gives its items one by one: what cannot be read is told by its own item, what is broken as a whole at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tallystick.errors import InvalidInput, TallystickError, TooLarge
from tallystick.ingest.bodies import BodyForm, Item, WireJob, read_body, read_item, read_jobs
from tallystick.model.jobs import Job
from tests.embedded import Document, job

WIRE = WireJob("job_000001", "acme", "first key", "2025-06-01T10:00:00Z", {"transcription": 5, "note_generation": 10})


def document(number: int = 1, **fields: Any) -> bytes:
    return json.dumps(job(number, **fields)).encode()


def items(body: bytes, form: BodyForm = BodyForm.JSON, max_jobs: int = 10_000) -> list[Item]:
    return list(read_body(body, form, max_jobs=max_jobs))


def lines(body: bytes) -> list[Item]:
    return items(body, BodyForm.LINES)


def ids(found: list[Item]) -> list[str | None]:
    return [None if item.job is None else item.job.id for item in found]


def refusal(body: bytes, form: BodyForm = BodyForm.JSON, max_jobs: int = 10_000) -> TallystickError:
    with pytest.raises(TallystickError) as caught:
        items(body, form, max_jobs)
    return caught.value


# Whole bodies


def test_one_object_is_one_item() -> None:
    assert items(document()) == [Item(0, WIRE)]


def test_an_array_gives_an_item_for_each_element() -> None:
    found = items(b"[" + document(1) + b",\n" + document(2) + b"]")
    assert [item.number for item in found] == [0, 1]
    assert ids(found) == ["job_000001", "job_000002"]


@pytest.mark.parametrize("body", [b"[]", b" [ \r\n\t] ", b"\xef\xbb\xbf[]"])
def test_an_empty_array_has_no_items(body: bytes) -> None:
    assert items(body) == []


@pytest.mark.parametrize("body", [b"", b" \n ", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
def test_an_empty_body_is_refused(body: bytes) -> None:
    error = refusal(body)
    assert error.code == "invalid_json"
    assert "is empty" in error.detail


def test_a_byte_order_mark_and_space_around_are_no_fault() -> None:
    assert items(b"\xef\xbb\xbf \r\n" + document() + b"\n\n") == [Item(0, WIRE)]
    assert ids(lines(b"\xef\xbb\xbf" + document() + b"\n")) == ["job_000001"]


@pytest.mark.parametrize("body", [b"5", b'"text"', b"null", b"true", b"-1.5e3"])
def test_json_that_is_neither_object_nor_array_is_refused(body: bytes) -> None:
    error = refusal(body)
    assert (error.code, error.detail) == (
        "invalid_json",
        "body: must be a JSON object, an array of objects, or NDJSON",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[",
        b"[" + document(),
        b"[" + document() + b"," + b"]",
        b"[" + document() + document() + b"]",
        b"[" + document() + b"] []",
        document() + document(),
        document() + b"\n" + document(),
        b"[NaN]",
        b"{'id': 1}",
        b"nul",
        b"[,]",
        b"\x00",
        b"[" + document() + b", \x00]",
        b"/* no */ []",
    ],
)
def test_broken_json_is_refused_whole_and_the_place_is_named(body: bytes) -> None:
    error = refusal(body)
    assert isinstance(error, InvalidInput)
    assert error.code == "invalid_json"
    assert [field.pointer for field in error.errors] == [""]


def test_the_place_of_a_fault_is_told_by_line_and_character() -> None:
    error = refusal(b'[\n{"id": 1},\n{"id": }\n]')
    assert error.detail.endswith("(line 3, character 20)")


def test_a_body_that_is_not_utf_8_is_refused_whole_as_json() -> None:
    error = refusal(b'[{"id": "\xff"}]')
    assert (error.code, error.detail) == ("invalid_json", "body: is not UTF-8 (byte 9)")


@pytest.mark.parametrize("body", [document().decode().encode("utf-16"), document().decode().encode("utf-32-le")])
def test_another_encoding_of_unicode_is_refused(body: bytes) -> None:
    assert refusal(body).code == "invalid_json"


def test_as_many_jobs_as_are_taken_at_once_are_taken_and_one_more_is_too_many() -> None:
    def array(number: int) -> bytes:
        return b"[" + b",".join([document()] * number) + b"]"

    assert len(items(array(7), max_jobs=7)) == 7
    error = refusal(array(8), max_jobs=7)
    assert isinstance(error, TooLarge)
    assert error.code == "too_many_jobs"
    assert "more than 7 jobs" in error.detail


def test_an_array_is_too_long_whatever_its_items_are() -> None:
    assert refusal(b"[" + b"null," * 7 + b"5]", max_jobs=7).code == "too_many_jobs"


def test_ten_thousand_jobs_are_taken_and_ten_thousand_and_one_are_not() -> None:
    assert len(items(b"[" + b",".join([document()] * 10_000) + b"]")) == 10_000
    assert refusal(b"[" + b",".join([document()] * 10_001) + b"]").code == "too_many_jobs"


def test_lines_that_are_too_many_to_be_jobs_are_refused_whole_and_jobs_never_are() -> None:
    lines = b"\n".join([document()] * 20)
    assert len(items(lines, BodyForm.LINES, max_jobs=7)) == 20
    assert items(b"\n" * 7, BodyForm.LINES, max_jobs=7) == []
    for short in (b"\n" * 8, b"0\n" * 8, lines + b"\n" * 200):
        error = refusal(short, BodyForm.LINES, max_jobs=7)
        assert isinstance(error, TooLarge)
        assert error.code == "too_many_jobs"
    shortest = b'{"id":"1","account":"a","api_key":"b","completed_at":"2025-01-01T00:00Z","tokens":{}}\n'
    assert len(items(shortest * 1000, BodyForm.LINES, max_jobs=1)) == 1000


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    error = refusal(b"[" * 200_000)
    assert (error.code, "nested too deeply" in error.detail) == ("invalid_json", True)
    assert refusal(b'[{"id":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001 + b"]").code == "invalid_json"


# Items


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": 5}, "id: Expected `str`, got `int`"),
        ({"id": None}, "id: Expected `str`, got `null`"),
        ({"account": ["acme"]}, "account: Expected `str`, got `array`"),
        ({"completed_at": 1_700_000_000}, "completed_at: Expected `str`, got `int`"),
        ({"tokens": []}, "tokens: Expected `object`, got `array`"),
        ({"tokens": None}, "tokens: Expected `object`, got `null`"),
        ({"tokens": {"transcription": -1}}, "tokens.transcription: Expected `int` >= 0"),
        ({"tokens": {"transcription": 10**9 + 1}}, "tokens.transcription: Expected `int` <= 1000000000"),
        ({"tokens": {"transcription": 10**29}}, "tokens.transcription: Expected `int` <= 1000000000"),
        ({"tokens": {"transcription": 10**40}}, "tokens.transcription: Expected `int` <= 1000000000"),
        ({"tokens": {"transcription": -(10**40)}}, "tokens.transcription: Expected `int` >= 0"),
        ({"id": 10**40}, "id: Expected `str`, got `int`"),
        ({"account": 10**40}, "account: Expected `str`, got `int`"),
        ({"completed_at": 10**40}, "completed_at: Expected `str`, got `int`"),
        ({"tokens": {"transcription": 5.5}}, "tokens.transcription: Expected `int`, got `float`"),
        ({"tokens": {"transcription": 5.0}}, "tokens.transcription: Expected `int`, got `float`"),
        ({"tokens": {"transcription": "5"}}, "tokens.transcription: Expected `int`, got `str`"),
        ({"tokens": {"transcription": True}}, "tokens.transcription: Expected `int`, got `bool`"),
        ({"tokens": {"transcription": None}}, "tokens.transcription: Expected `int`, got `null`"),
        (
            {"tokens": {"transcription": 1, "note_generation": []}},
            "tokens.note_generation: Expected `int`, got `array`",
        ),
        ({"sandbox": 1}, "sandbox: Expected `bool`, got `int`"),
        ({"sandbox": "true"}, "sandbox: Expected `bool`, got `str`"),
        ({"colour": "red"}, "Object contains unknown field `colour`"),
    ],
)
@pytest.mark.parametrize("form", [BodyForm.JSON, BodyForm.LINES])
def test_a_wrong_field_is_told_by_its_own_item_and_the_text_is_kept_as_it_was_sent(
    fields: Document, reason: str, form: BodyForm
) -> None:
    wrong = document(2, **fields)
    body = b"[" + wrong + b"," + document(1) + b"]" if form is BodyForm.JSON else wrong + b"\n" + document(1)
    bad, good = items(body, form)
    assert (bad.number, bad.job, bad.text) == (0, None, wrong.decode())
    assert bad.id == "job_000002" or "id" in fields
    assert bad.reason.startswith(reason)
    assert good == Item(1, WIRE)


@pytest.mark.parametrize("field", ["id", "account", "api_key", "completed_at", "tokens"])
def test_a_missing_field_is_named(field: str) -> None:
    broken = job()
    del broken[field]
    (item,) = items(json.dumps(broken).encode())
    assert item.reason == f"Object missing required field `{field}`"


@pytest.mark.parametrize("element", [b"null", b"5", b'"job"', b"[]", b"1e400", b"-0.0"])
def test_an_element_that_is_no_object_is_told_by_its_own_item(element: bytes) -> None:
    bad, good = items(b"[" + element + b"," + document() + b"]")
    assert bad.reason.startswith("Expected `object`, got ")
    assert (bad.text, bad.id, good.job) == (element.decode(), None, WIRE)


def test_an_integer_of_a_million_digits_is_refused_without_being_computed() -> None:
    digits = b"9" * 1_000_000
    assert sys.get_int_max_str_digits() < len(digits)
    bad, good = lines(document(2, id=0).replace(b"0", digits, 1) + b"\n" + document())
    assert (bad.job, bad.reason, good.job) == (None, "id: Expected `str`, got `int`", WIRE)


def test_of_a_key_written_twice_the_last_counts_in_every_form() -> None:
    twice = document().replace(b'"account": "acme"', b'"account": "other", "account": "acme"')
    assert items(twice) == [Item(0, WIRE)]
    assert lines(twice) == [Item(0, WIRE)]
    # Read the tolerant way, since the other item is broken.
    assert ids(items(b"[" + twice + b", 5]")) == ["job_000001", None]
    assert items(b"[" + twice + b", 5]")[0].job == WIRE


@pytest.mark.parametrize("form", [BodyForm.JSON, BodyForm.LINES])
@pytest.mark.parametrize("field", ["id", "account", "api_key"])
def test_a_lone_surrogate_stays_with_its_item(form: BodyForm, field: str) -> None:
    lone = document(2, **{field: "SURROGATE"}).replace(b"SURROGATE", b"\\ud83d")
    body = b"[" + lone + b"," + document() + b"]" if form is BodyForm.JSON else lone + b"\n" + document()
    bad, good = items(body, form)
    assert bad.job is not None
    assert getattr(bad.job, field) == "\ud83d"
    assert good == Item(1, WIRE)


def test_a_lone_surrogate_in_the_name_of_a_field_stays_with_its_item() -> None:
    for extra in (b'"\\ud800": 1, ', b'"tokens": {"\\udfff": -1}, '):
        lone = b"{" + extra + document(2)[1:]
        bad, good = items(b"[" + lone + b"," + document() + b"]")
        assert good == Item(1, WIRE)
        if b"tokens" not in extra:
            assert (bad.job, bad.reason) == (None, "the name of a field holds a lone surrogate, which is not text")
            assert bad.text == lone.decode()


def test_a_pair_of_surrogates_is_the_character_that_it_means() -> None:
    (item,) = items(document(2).replace(b"job_000002", b"\\ud83d\\ude00"))
    assert ids([item]) == ["\U0001f600"]


# NDJSON


def test_each_line_is_an_item_and_keeps_its_number_whatever_ends_it() -> None:
    body = b"\n" + document(1) + b"\r\n  \t \n\r\n" + document(2) + b"\n" + document(3)
    found = lines(body)
    assert [(item.number, item.job and item.job.id) for item in found] == [
        (1, "job_000001"),
        (4, "job_000002"),
        (5, "job_000003"),
    ]


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n\n", b"\xef\xbb\xbf"])
def test_no_lines_are_no_items(body: bytes) -> None:
    assert lines(body) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "half', "is not JSON: Unterminated string"),
        (b"{", "is not JSON: "),
        (b"hello", "is not JSON: "),
        (b"NaN", "is not JSON: NaN is not JSON"),
        (document() + document(), "is not JSON: there is more after the end"),
        (document() + b",", "is not JSON: there is more after the end"),
        (b"[" + document() + b"]", "Expected `object`, got `array`"),
        (b'{"id": "a\x00b"}', "is not JSON: "),
        (b"\x00", "is not JSON: "),
        (b"[" * 100_000, "is not JSON: it is nested too deeply"),
    ],
)
def test_a_broken_line_is_an_item_of_its_own_and_the_others_are_read(line: bytes, reason: str) -> None:
    first, bad, last = lines(document(1) + b"\n" + line + b"\n" + document(2) + b"\n")
    assert ids([first, last]) == ["job_000001", "job_000002"]
    assert (bad.number, bad.job, bad.text) == (1, None, line.decode())
    assert bad.reason.startswith(reason)


def test_a_line_that_is_not_utf_8_is_an_item_of_its_own_and_its_bytes_can_be_seen() -> None:
    for line in (b'{"id": "caf\xe9"}', document(5).replace(b"first", b"f\xffrst")):
        bad, good = lines(line + b"\n" + document())
        assert bad.job is None
        assert bad.reason.startswith("is not UTF-8 (byte ")
        assert bad.text == "not UTF-8: " + line.decode(errors="backslashreplace")
        assert good == Item(1, WIRE)


def test_a_kept_item_is_read_again_as_one_whatever_lines_it_has() -> None:
    pretty = json.dumps(job(), indent=2)
    assert "\n" in pretty
    assert read_item(pretty) == Item(0, WIRE)
    wrong = json.dumps([job()], indent=2)
    refused = read_item(wrong)
    assert (refused.job, refused.text) == (None, wrong)


# Python objects


def test_jobs_and_mappings_are_taken() -> None:
    class Other(Mapping[str, Any]):
        def __getitem__(self, name: str) -> Any:
            return job()[name]

        def __iter__(self) -> Iterator[str]:
            return iter(job())

        def __len__(self) -> int:
            return len(job())

    found = list(read_jobs([Job(**job()), job(), Other(), iter(job().items())]))  # type: ignore[list-item]
    assert found == [Item(number, WIRE) for number in range(4)]


def test_times_may_be_aware_datetimes() -> None:
    east = datetime(2025, 6, 1, 12, 0, 0, 7, tzinfo=timezone(timedelta(hours=2)))
    found = [item.job for item in read_jobs([job(completed_at=east), Job(**job(completed_at=east))])]
    assert [item and item.completed_at for item in found] == ["2025-06-01T10:00:00.000007Z"] * 2


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        (datetime(2025, 6, 1), "completed_at is a datetime without a time zone"),  # noqa: DTZ001 - that is the point
        (datetime(1969, 12, 31, tzinfo=UTC), "completed_at lies outside the years 1970 to 9999"),
    ],
)
def test_a_datetime_that_is_no_instant_is_told_by_its_item(moment: datetime, reason: str) -> None:
    bad, good = read_jobs([job(2, completed_at=moment), job()])
    assert (bad.job, bad.id, good.job) == (None, "job_000002", WIRE)
    assert bad.reason.startswith(reason)


def circle() -> Document:
    round_and_round: Document = {}
    round_and_round["self"] = round_and_round
    return round_and_round


def depth() -> Document:
    deep: Document = {}
    for _ in range(100_000):
        deep = {"deeper": deep}
    return deep


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        5,
        "job",
        b"job",
        [1],
        object(),
        {},
        {(1, 2): 3},
        {"id": object()},
        job(2, tokens={1: 2}),
        job(2, tokens={"transcription": 10**5000}),
        job(2, tokens={"transcription": float("nan")}),
        job(2, extra=circle()),
        job(2, extra={"\ud800"}),
        job(2, **{"\ud800": 1}),
        job(2, completed_at=float("inf")),
    ],
)
def test_an_object_that_is_no_job_is_told_by_its_item_and_the_others_are_taken(wrong: Any) -> None:
    bad, good = read_jobs([wrong, job()])
    assert bad.job is None
    assert bad.reason
    assert good == Item(1, WIRE)
    bad.text.encode()


def test_an_object_nested_without_end_is_told_by_its_item() -> None:
    bad, good = read_jobs([job(2, extra=depth()), job()])
    assert (bad.job, good.job) == (None, WIRE)


def test_a_job_that_is_never_ending_in_text_is_kept_cut() -> None:
    bad, _ = read_jobs([job(2, extra="x" * 5_000_000), job()])
    assert len(bad.text) == 2**20
