"""The README cannot lie: every example runs, and prints what the README shows."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final

import pytest

from tallystick import serve
from tallystick.cli.serve import serve as serve_command
from tallystick.ledger import Ledger

ROOT: Final = Path(__file__).resolve().parent.parent.parent
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS: Final = "http://127.0.0.1:8000"


def blocks(heading: str, language: str) -> list[str]:
    """The examples of a language below a heading."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found, f"there is no {language} example below {heading}"
    return found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a fresh checkout, with `tallystick` and `curl` on the path and no settings around."""
    (tmp_path / "src").symlink_to(ROOT / "src")
    commands = tmp_path / "bin"
    commands.mkdir()
    write_command(commands / "tallystick", "-m tallystick.cli")
    write_command(commands / "curl", f"'{Path(__file__).with_name('curl.py')}'")
    for name in [name for name in os.environ if name.startswith("TALLYSTICK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_command(path: Path, arguments: str) -> None:
    path.write_text(f"#!/bin/sh\nexec '{sys.executable}' {arguments} \"$@\"\n")
    path.chmod(0o755)


def run_shell(script: str) -> str:
    """What a script prints on standard output; its first failing command fails the test."""
    done = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_python(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lines(text: str) -> list[str]:
    """The lines, less the spaces at their ends, which editors take away."""
    return [line.rstrip() for line in text.splitlines()]


@pytest.fixture
def served(place: Path) -> Iterator[tuple[str, Ledger]]:
    """A server as the README starts it, but on a free port."""
    with Ledger("sqlite:///tallystick.db") as ledger, serve.running(ledger, ledger.settings) as url:
        yield url, ledger


def test_every_block_is_one_that_is_run_here() -> None:
    """The tests below take these; another block would be run by nobody."""
    found = Counter[tuple[str, str]]()
    for section in README.split("\n## ")[1:]:
        heading = section.partition("\n")[0]
        found.update((heading, language) for language in re.findall(r"^```([a-z]+)$", section, re.MULTILINE))
    assert found == {
        ("Start", "text"): 1,
        ("Over HTTP", "sh"): 3,
        ("Over HTTP", "json"): 1,
        ("With the SDK", "python"): 1,
        ("On the command line", "sh"): 1,
        ("On the command line", "text"): 1,
        ("In your own process", "python"): 1,
    }


def test_the_server_is_started_with_what_the_command_does_by_itself(place: Path) -> None:
    starting, *_ = blocks("Over HTTP", "sh")
    assert starting == "tallystick serve\n"
    parameters = inspect.signature(serve_command).parameters
    assert f"http://{parameters['host'].default}:{parameters['port'].default}" == ADDRESS


def test_the_http_examples_run_one_after_the_other(served: tuple[str, Ledger]) -> None:
    url, _ = served
    _, report_jobs, ask = (block.replace(ADDRESS, url) for block in blocks("Over HTTP", "sh"))
    assert run_shell(report_jobs) == blocks("Over HTTP", "json")[0]
    contract = resources.files("tallystick.demo.data").joinpath("january-2025.report.json").read_text("utf-8")
    assert run_shell(ask) == re.sub(r"\n *|(?<=:) ", "", contract) + "\n"


def test_the_sdk_example_runs(served: tuple[str, Ledger]) -> None:
    url, ledger = served
    ledger.accounts.create("acme")
    (example,) = blocks("With the SDK", "python")
    usage = ledger.tokens.create("usage", account="acme").token
    ingest = ledger.tokens.create("ingest").token
    assert example.count('token="…"') == 2
    example = example.replace("…", usage, 1).replace("…", ingest, 1).replace(ADDRESS, url)
    assert run_python(example).endswith("\n0.0\n")
    assert ledger.usage("acme", "2025-02", "2025-02").totals.tokens == {
        "transcription_tokens": 1800,
        "note_tokens": 950,
    }


def test_the_command_line_examples_print_what_is_shown(place: Path) -> None:
    (commands,) = blocks("On the command line", "sh")
    (shown,) = blocks("On the command line", "text")
    assert lines(run_shell(commands))[: len(lines(shown))] == lines(shown)


def test_the_embedding_example_runs(place: Path) -> None:
    (example,) = blocks("In your own process", "python")
    assert re.search(r"^2025-02 +1 +600 +0 ", run_python(example), re.MULTILINE)


def test_the_demo_prints_what_is_shown_in_that_order(place: Path) -> None:
    (shown,) = blocks("Start", "text")
    printed = iter(lines(run_shell("tallystick demo </dev/null")))
    missing = [line for line in lines(shown) if line not in printed]
    assert not missing
