"""The documentation cannot lie: every page is followed from top to bottom, and must work and print what it shows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.databases import PostgresqlDatabases
from tests.docs.pages import POSTGRESQL, ROOT, Block, Reader, alike, blocks_of, matches, pages

TRIED_ELSEWHERE: Final = {
    "operations.md": "tests/docs/test_operations.py",
    "forecast.md": "benchmarks/forecast.py",
    "reference.md": "tests/docs/test_reference.py",
}
"""Pages whose blocks need a stage of their own, and what sets it: a test, or the benchmark that prints the figures."""

PAGES: Final = [page for page in pages() if page.name not in TRIED_ELSEWHERE and blocks_of(page.read_text("utf-8"))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT / "docs").as_posix()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    (tmp_path / "work").mkdir()
    reader = Reader(tmp_path / "work")
    yield reader
    reader.leave()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_works_from_top_to_bottom(page: Path, reader: Reader, request: pytest.FixtureRequest) -> None:
    text = page.read_text("utf-8")
    if POSTGRESQL in text:
        databases: PostgresqlDatabases = request.getfixturevalue("postgresql")
        with databases.fresh() as address:
            reader.postgresql, reader.execute = address, databases.execute
            follow(reader, page, text)
            reader.leave()
    else:
        follow(reader, page, text)


def follow(reader: Reader, page: Path, text: str) -> None:
    for block in blocks_of(text):
        try:
            reader.follow(block)
        except AssertionError as error:
            raise AssertionError(f"{name_of(page)}:{block.line}: {error}") from None


def test_the_pages_that_others_try_are_there() -> None:
    for name, test in TRIED_ELSEWHERE.items():
        assert (ROOT / "docs" / name).is_file()
        assert (ROOT / test).is_file()


@pytest.mark.parametrize("page", [*pages(), ROOT / "README.md"], ids=lambda page: page.name)
def test_no_fence_is_left_open_and_every_block_has_a_language(page: Path) -> None:
    text = page.read_text("utf-8")
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(blocks_of(text))
    assert all(block.language for block in blocks_of(text))


COMMANDS: Final = re.compile(
    r"^ {4}\(?(?:tallystick|python|pip|curl|psql|uvicorn|mkdocs|openssl|printf)\b.*$", re.MULTILINE
)


@pytest.mark.parametrize("page", [*pages(), ROOT / "README.md"], ids=lambda page: page.name)
def test_every_command_stands_in_a_block_that_is_run(page: Path) -> None:
    outside = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert not COMMANDS.findall(outside)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_target_that_is_named_is_one_of_make(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^ {4}|`)make ([a-z]+)", (ROOT / page).read_text("utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


# The reader notices.


def failing(reader: Reader, block: Block) -> str:
    with pytest.raises(AssertionError) as caught:
        reader.follow(block)
    return str(caught.value)


def test_a_reader_notices_what_does_not_work(reader: Reader) -> None:
    assert "no-such-command" in failing(reader, Block("sh", "", "no-such-command\n", 1))
    assert "ZeroDivisionError" in failing(reader, Block("python", "", "1 / 0\n", 1))
    assert "no extra sevrer" in failing(reader, Block("sh", "", "pip install 'tallystick[sevrer]'\n", 1))
    assert "how to run a block of ruby" in failing(reader, Block("ruby", "", "puts 1\n", 1))


def test_a_reader_notices_what_is_printed_otherwise(reader: Reader) -> None:
    reader.follow(Block("sh", "", "echo one; echo two", 1))
    reader.follow(Block("text", "", "one\ntwo\n", 1))
    assert "and this was printed" in failing(reader, Block("text", "", "one\n", 1))


def test_a_reader_keeps_variables_files_and_the_folder(reader: Reader) -> None:
    reader.follow(Block("sh", "", "mkdir inner; cd inner; name='a b'", 1))
    reader.follow(Block("sh", "", 'echo "$name in ${PWD##*/}"', 1))
    reader.follow(Block("text", "", "a b in inner\n", 1))


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a…c\n", "abc\n", True),
        ("a\n…\nz\n", "a\nb\nc\nz\n", True),
        ("a\n…\n", "a\n", True),
        ("a  \n", "a\n", True),
        ("a.c\n", "abc\n", False),
        ("a\n", "a\nb\n", False),
    ],
)
def test_dots_stand_for_anything(shown: str, printed: str, same: bool) -> None:
    assert matches(shown, printed) == same


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("jobs   690  877\n", "jobs  1,690  2,877\n", True),
        ("passed  50, 80\n──\n", "passed  —\n────\n", True),
        ("2026-11-01 (was)\n", "2025-12-31 (was)\n", True),
        ("jobs 690\n", "tokens 690\n", False),
        ("jobs 690\n", "jobs 690\njobs 690\n", False),
    ],
)
def test_an_example_may_differ_in_figures_alone(shown: str, printed: str, same: bool) -> None:
    assert alike(shown, printed) == same


def test_no_page_names_a_setting_of_this_environment() -> None:
    assert not any(name in page.read_text("utf-8") for page in PAGES for name in (str(ROOT), os.uname().nodename))
