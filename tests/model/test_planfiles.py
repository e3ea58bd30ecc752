"""A plan's mistakes are told with their lines, whatever way of writing TOML or JSON its author has."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import InvalidPlan
from tallystick.model.planfiles import read_plan, read_plan_bytes
from tallystick.model.plans import parse_plan
from tallystick.model.sourcelines import key_lines, line_of, repeated_keys
from tests.model.test_plans import TOML
from tests.reference.strategies import STANDARD, plan_documents

BAD = '''\
# a plan with a mistake in each part
name = " standard"
currency = "usd"
reset = "year"
colour = """
currency = "no key"
[[meters]] # nor this
""" # though this is a comment

[[meters]]
id = "transcription"
price = 0.03

[[ meters ]]   # the second
"id" = "note generation"
price = '0.02' # ' and " in a comment
per = 0

[[tiers]]
after_jobs = 1
discount = "0"
[[tiers]]
after_jobs = 1
'''


def mistakes(text: str | bytes) -> list[tuple[int, str]]:
    with pytest.raises(InvalidPlan) as caught:
        read_plan_bytes(text.encode() if isinstance(text, str) else text)
    assert caught.value.code == "invalid_plan"
    return [(error.line, error.key) for error in caught.value.errors]


def test_a_sound_plan_is_read_from_either_form() -> None:
    assert read_plan(TOML) == read_plan(json.dumps(STANDARD)) == parse_plan(STANDARD)
    assert read_plan_bytes(b"\xef\xbb\xbf" + TOML.encode()) == parse_plan(STANDARD)


def test_each_mistake_has_its_line_and_they_come_in_the_order_of_lines() -> None:
    assert mistakes(BAD) == [
        (2, "name"),
        (3, "currency"),
        (4, "reset"),
        (5, "colour"),
        (12, "meters[0].price"),
        (15, "meters[1].id"),
        (17, "meters[1].per"),
        (20, "tiers[0].after_jobs"),
        (22, "tiers[1].discount"),
        (23, "tiers[1].after_jobs"),
    ]
    assert mistakes(BAD.replace("\n", "\r\n")) == mistakes(BAD)


def test_what_is_missing_is_told_at_what_should_have_held_it() -> None:
    assert mistakes("\n\n[[meters]]\n\n[[meters]]\nid = 'a'\n") == [
        (1, "name"),
        (1, "currency"),
        (3, "meters[0].id"),
        (3, "meters[0].price"),
        (5, "meters[1].price"),
    ]


def test_tables_may_be_written_within_a_line_or_over_several() -> None:
    text = """\
name = "p"
currency = "USD"
meters = [ { id = "a", price = "1" },   # sound
  { id = "b", price = "x" }, # not a number
  {id = "c" },
]
tiers = [
  { after_jobs = 0, "discount" = "0" },
  { after_jobs = 5, discount = "101" },
]
"""
    assert mistakes(text) == [(4, "meters[1].price"), (5, "meters[2].price"), (9, "tiers[1].discount")]


def test_json_is_read_with_lines_too() -> None:
    text = """\
{
  "name": "a, b: {c} [d] \\" e",
  "currency": "usd", "meters": [
    {"id": "a", "price": "1"},
    {"id": "b",
     "price": 1.5}],
  "tiers": [{"after_jobs": 0,
  "discount": "0"}, 7]
}
"""
    assert mistakes(text) == [
        (3, "currency"),
        (6, "meters[1].price"),
        (8, "tiers[1]"),
        (8, "tiers[1].after_jobs"),
        (8, "tiers[1].discount"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name = \n", 1),
        ('name = "a"\ncurrency "USD"\n', 2),
        ("\n\n[[meters]\n", 3),
        ('a = 1\n\nb = """\nopen\n', 4),
        ('name = "a"\nname = "b"\n', 2),
        ('{\n "name": "a",\n "meters": [}\n', 3),
        ('{\n "name": "a"\n', 3),
        (b'name = "a"\n# \xff\n', 2),
        (b"\xff", 1),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str | bytes, line: int) -> None:
    ((found, key),) = mistakes(text)
    assert (found, key) == (line, "")


@pytest.mark.parametrize(
    "text", ["", "   \n", "[]", "{}", '{"name": NaN}', "5", "x" * 100_000, "\0", "{", "[[a]]\nb.c = 1"]
)
def test_what_is_no_plan_at_all_is_refused(text: str) -> None:
    assert mistakes(text)


@pytest.mark.parametrize(
    ("text", "line", "detail"),
    [
        ('name = "a"\n\nfree_jobs = ' + "9" * 1001, 3, "is a number of more than 1,000 digits"),
        ('{\n"name": "a",\n"free_jobs": ' + "9" * 5000 + "\n}", 3, "is a number of more than 1,000 digits"),
        ('{\n\n"free_jobs": 0.' + "1" * 1001 + "}", 3, "is a number of more than 1,000 digits"),
        ('{\n"name": "NaN and 1e99999",\n"free_jobs": 1e99999\n}', 3, "1e99999 stands for too many digits"),
        ('{\n"name": "\\"NaN", \n"free_jobs": NaN\n}', 3, "NaN is not JSON"),
        ('{\n"name": "a",\n"free_jobs": -Infinity\n}', 3, "-Infinity is not JSON"),
        ("name = '['\n# [[[[[\nb = [\n" + "[" * 3000, 4, "nested too deeply"),
        ('{"name": "a",\n"b":\n' + "[" * 100_000 + "\n\n", 3, "nested too deeply"),
        ('{"name": "[[",\n"b":\n' + '{"c":' * 100_000 + "\n1", 3, "nested too deeply"),
    ],
)
def test_what_is_too_large_or_too_deep_is_told_with_its_line(text: str, line: int, detail: str) -> None:
    with pytest.raises(InvalidPlan) as caught:
        read_plan(text)
    (error,) = caught.value.errors
    assert (error.line, error.key) == (line, "")
    assert detail in error.detail


def test_a_float_that_stands_for_infinity_is_told_with_its_key_in_toml() -> None:
    assert [(line, key) for line, key in mistakes("\nfree_jobs = 1e99999\nname = nan") if line > 1] == [
        (2, "free_jobs"),
        (3, "name"),
    ]


def test_keys_of_json_that_stand_twice_are_told_together_with_other_mistakes() -> None:
    text = """\
{
  "name": "p", "currency": "usd",
  "meters": [
    {"id": "a", "price": "1"},
    {"id": "b", "price": "1",
     "per": 1, "price": "2",
     "x/y": 1, "inner": {"again": 1,
       "again": 2, "a.b": 1}}
  ],
  "inner": {"again": 1},
  "n\\u0061me": "q"
}
"""
    with pytest.raises(InvalidPlan) as caught:
        read_plan(text)
    again = [(error.line, error.key) for error in caught.value.errors if "stands there again" in error.detail]
    assert again == [(6, "meters[1].price"), (8, "meters[1].inner.again"), (11, "name")]
    others = [(error.line, error.key) for error in caught.value.errors if "stands there again" not in error.detail]
    assert others == [(2, "currency"), (7, "meters[1].x/y"), (7, "meters[1].inner"), (10, "inner")]
    assert [error.line for error in caught.value.errors] == sorted(error.line for error in caught.value.errors)


def test_a_plan_in_which_only_a_key_stands_twice_is_refused() -> None:
    text = json.dumps(STANDARD).replace('"name"', '"name": "other",\n"name"')
    assert mistakes(text) == [(2, "name")]


def test_keys_of_json_are_read_with_its_own_escapes() -> None:
    assert key_lines('{"a\\/b": 1,\n"\\ud83d\\ude00": 2}') == {"a/b": 1, "\N{GRINNING FACE}": 2}
    assert repeated_keys('{"a\\/b": 1,\n"a/b": 2, "c": [{"a/b": 1}, {"a/b": 2}]}') == {"a/b": 2}


@pytest.mark.parametrize("opening", ["a = " + "[" * 3000, '{"a": ' + "[" * 100_000, "a = " + "{b = " * 3000])
def test_what_is_nested_without_end_is_refused(opening: str) -> None:
    assert mistakes(opening)
    closed = opening + {"[": "]", "{": "}", " ": "}"}[opening[-1]] * opening.count(opening[-1])
    assert mistakes(closed + ("}" if opening[0] == "{" else ""))


def test_a_very_long_text_is_read_at_once() -> None:
    many = "\n".join(f'[[tiers]]\nafter_jobs = {i}\ndiscount = "0"' for i in range(20_000))
    assert mistakes(f'name = "p"\ncurrency = "USD"\nmeters = [{{id = "a", price = "1"}}]\n{many}') == [(4, "tiers")]


# The lines of keys


def test_keys_have_their_lines_whatever_form_they_are_written_in() -> None:
    text = """\
a.b . "c d" = 1
['x'.y]
z = [[1,
  2], { q = {r = 3} }]
[[list]]
[list.inner]
k = 1979-05-27 07:32:00
[[list]]
[[list.of]]
[[list.of]]
m = ''''quoted''''
n = 5
"""
    tomllib.loads(text)
    lines = key_lines(text)
    expected = {
        "a": 1,
        "a.b": 1,
        "a.b.c d": 1,
        "x.y": 2,
        "x.y.z": 3,
        "x.y.z[0]": 3,
        "x.y.z[0][1]": 4,
        "x.y.z[1].q.r": 4,
        "list": 5,
        "list[0].inner.k": 7,
        "list[1]": 8,
        "list[1].of[1].m": 11,
        "list[1].of[1].n": 12,
    }
    assert {path: lines[path] for path in expected} == expected
    assert line_of("list[1].of[1].missing", lines) == 10
    assert line_of("list[7].missing", lines) == 5
    assert line_of("", lines) == line_of("missing", lines) == 1


def paths(value: Any, path: str = "") -> set[str]:
    """Every path of a document."""
    found = {path} if path else set()
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= paths(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found |= paths(inner, f"{path}[{number}]")
    return found


@given(plan_documents(), st.sampled_from([None, 0, 2]))
def test_every_key_of_a_json_document_is_found_on_its_line(document: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(document, indent=indent)
    lines = key_lines(text)
    assert set(lines) == paths(document)
    for path, line in lines.items():
        name = path.rpartition(".")[2]
        if "[" not in name:
            assert f'"{name}"' in text.splitlines()[line - 1]


@given(plan_documents(), st.text(max_size=20))
def test_every_key_of_a_toml_document_is_found_on_its_line(document: dict[str, Any], comment: str) -> None:
    remark = "".join(c for c in comment if c.isprintable())
    written = [
        f"{name} = {json.dumps(value)} # {remark}" for name, value in document.items() if not isinstance(value, list)
    ]
    for name in ("meters", "tiers"):
        for entry in document[name]:
            written += [f"[[{name}]] # {remark}", *(f"{key} = {json.dumps(value)}" for key, value in entry.items())]
    text = "\n".join(written)
    assert tomllib.loads(text) == document
    lines = key_lines(text)
    assert set(lines) == paths(document)
    for path, line in lines.items():
        assert path.rpartition(".")[2].partition("[")[0] in written[line - 1]
