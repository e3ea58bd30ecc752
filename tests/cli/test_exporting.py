"""Exports: the same file from a database and a server, whole or not there, with progress that suits its reader."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tallystick.ledger import Ledger
from tests.cli.conftest import Service
from tests.cli.running import invoke, run, terminal

JANUARY = ("--start", "2025-01", "--end", "2025-01")


def exported(database: str, file: Path, *more: str) -> Any:
    result = invoke("export", "--account", "acme", *JANUARY, "--database", database, "--output", file, *more)
    assert result.exit_code == 0, result.stderr
    return result


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_a_server_and_a_database_give_the_same_file(acme: str, service: Service, tmp_path: Path, form: str) -> None:
    local, remote = tmp_path / f"local.{form}", tmp_path / f"remote.{form}"
    told = exported(acme, local)
    assert told.stderr == f"{local}: 108 jobs, {local.stat().st_size:,} bytes\n"
    token = {"TALLYSTICK_TOKEN": service.usage}
    result = invoke("export", "--url", service.url, *JANUARY, "--output", remote, **token)
    assert result.exit_code == 0, result.stderr
    assert remote.read_bytes() == local.read_bytes()
    assert f"{remote}: 108 jobs, " in result.stderr


def test_the_format_beats_the_extension_and_standard_output_takes_it(acme: str, tmp_path: Path) -> None:
    file = tmp_path / "jobs.txt"
    exported(acme, file, "--format", "csv")
    printed = invoke("export", "--account", "acme", *JANUARY, "--database", acme, "-o", "-", "--format", "csv")
    assert printed.stdout_bytes == file.read_bytes()
    assert printed.stderr == f"standard output: 108 jobs, {file.stat().st_size:,} bytes\n"
    assert file.read_text().startswith("rank,id,api_key,")


def test_for_programs_it_says_what_it_wrote(acme: str, tmp_path: Path) -> None:
    file = tmp_path / "jobs.parquet"
    told = json.loads(exported(acme, file, "--json").stdout)
    assert told == {"file": str(file), "format": "parquet", "jobs": 108, "size_bytes": file.stat().st_size}
    assert pq.read_metadata(file).num_rows == 108


def test_what_is_written_wrongly_is_told(acme: str, tmp_path: Path) -> None:
    asked = ("export", "--account", "acme", "--database", acme)
    for arguments, message in (
        (("-o", tmp_path / "jobs.txt"), "--format is needed, one of csv, ndjson, parquet"),
        (("-o", "-", "--format", "csv", "--json"), "--json prints on standard output"),
        ((), "Missing option '--output'"),
    ):
        result = invoke(*asked, *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in " ".join(result.stderr.split())


def test_what_fails_leaves_no_file_and_the_old_one_as_it_was(
    acme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "jobs.csv"
    file.write_text("the last export")

    def broken(*_: Any, **__: Any) -> Any:
        yield b"rank\r\n"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Ledger, "job_table", broken)
    result = invoke("export", "--account", "acme", *JANUARY, "--database", acme, "-o", file)
    assert (result.exit_code, result.stderr) == (1, "error: No space left on device\n")
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".db" and "db-" not in path.name] == ["jobs.csv"]
    assert file.read_text() == "the last export"


def test_a_folder_that_is_not_there_is_told(acme: str, tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "jobs.csv"
    result = invoke("export", "--account", "acme", "--database", acme, "-o", file)
    assert result.exit_code == 1
    assert result.stderr.endswith("No such file or directory\n")


def test_without_pyarrow_the_error_names_the_extra(acme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = invoke("export", "--account", "acme", "--database", acme, "-o", tmp_path / "jobs.parquet")
    assert result.exit_code == 1
    assert "pip install 'tallystick[parquet]'" in result.stderr


def test_a_terminal_shows_a_bar_and_a_pipe_plain_lines(acme: str, tmp_path: Path) -> None:
    file = tmp_path / "jobs.csv"
    arguments = ("export", "--account", "acme", *JANUARY, "--database", acme, "--output", str(file))
    with terminal(*arguments) as shown:
        assert shown.wait() == 0
        assert "100%" in shown.plain
        assert "108 jobs" in shown.plain
        assert all(len(line) <= 80 for line in shown.plain.splitlines() if not line.startswith(str(file)))
    piped = run(*arguments)
    assert piped.stderr == f"{file}: 108 jobs, {file.stat().st_size:,} bytes\n"


def test_parquet_is_not_poured_onto_a_terminal(acme: str) -> None:
    arguments = ("export", "--account", "acme", *JANUARY, "--database", acme, "-o", "-", "--format", "parquet")
    with terminal(*arguments) as shown:
        assert shown.wait() == 2
        assert "Parquet is not for terminals" in " ".join(shown.plain.split())


def test_a_pipe_is_written_to_and_stays_one(acme: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        exported(acme, pipe, "--format", "csv")
        assert os.read(reader, 1 << 20).startswith(b"rank,id,api_key,")
    finally:
        os.close(reader)
    assert pipe.is_fifo()
