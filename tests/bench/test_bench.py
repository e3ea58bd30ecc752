"""The benchmark runs to its end on both engines and its table is whole. How fast anything is, no test asserts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.cli.running import invoke, run
from tests.postgresql import Server

JOBS = 400
PARTS = ["ingest"] * 2 + ["memory", "single", "memory"] + ["usage"] * 4 + ["memory"]
"""Where no account and no round has more jobs than `JOBS`, there is one size of batches and one of accounts."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server().create()
    yield server
    server.close()


@pytest.fixture(scope="module")
def report(server: Server) -> Any:
    result = run("bench", "--quick", "--json", "--jobs", str(JOBS), "--postgresql", server.uri("postgres"))
    assert result.returncode == 0, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == int(lines[0].partition(" ")[0].partition("/")[2]), "a line for each step"
    return json.loads(result.stdout)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_every_part_is_measured_on_each_engine(report: Any, engine: str) -> None:
    assert [figure["part"] for figure in report["figures"] if figure["engine"] == engine] == PARTS
    assert report["machine"][engine]


def test_a_ratio_is_the_figure_over_its_floor_and_both_are_medians(report: Any) -> None:
    for figure in report["figures"]:
        assert figure["ratio"] == pytest.approx(figure["figure"] / figure["floor"])
        middle = len(figure["rounds"]) // 2
        assert figure["figure"] == sorted(pair[0] for pair in figure["rounds"])[middle]
        assert figure["floor"] == sorted(pair[1] for pair in figure["rounds"])[middle]
        assert len(figure["rounds"]) == (1 if figure["part"] == "memory" else 3)
        assert figure["figure"] > 0
        assert figure["floor"] > 0


def test_nothing_stays_behind_on_the_server(report: Any, server: Server) -> None:
    assert report["figures"]
    with psycopg.connect(server.uri("postgres")) as connection:
        databases = connection.execute("SELECT datname FROM pg_database").fetchall()
    assert {name for (name,) in databases} == {"postgres", "template0", "template1"}


def test_the_table_has_a_row_for_each_figure_and_its_files_are_removed(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/bench.db"
    result = invoke(
        *("bench", "--quick", "--jobs", "200", "--only", "single", "--postgresql", "none", "--database", database)
    )
    assert result.exit_code == 0, result.output
    assert "1 a request, 64 connections" in result.stdout
    assert "memory after single" in result.stdout
    header = next(line for line in result.stdout.splitlines() if line.startswith("measured"))
    assert header.split()[-1] == "ratio", "the ratios are what the table is for"
    assert "usage" not in result.stdout.partition("\n\nMedians")[0]
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_exists_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "tally.db"
    file.write_bytes(b"somebody's")
    result = invoke("bench", "--quick", "--postgresql", "none", "--database", f"sqlite:///{file}")
    assert result.exit_code == 1
    assert f"{file} exists" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["tally.db"]
    assert file.read_bytes() == b"somebody's"


def test_a_part_that_is_none_is_refused() -> None:
    result = invoke("bench", "--only", "ingest,everything")
    assert result.exit_code == 2
    assert "ingest,single,usage" in result.stderr
