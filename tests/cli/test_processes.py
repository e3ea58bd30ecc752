"""Commands as people and scripts run them: processes with pipes, terminals and signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tallystick import __version__
from tallystick.client import Client
from tallystick.demo.scenario import january_report
from tallystick.ingest import BodyForm
from tallystick.ledger import Ledger
from tallystick.model.tokens import is_token
from tests.cli.conftest import Service
from tests.cli.running import COMMAND, PATIENCE_SECONDS, clean_environment, run, terminal

JANUARY = ("--account", "acme", "--start", "2025-01", "--end", "2025-01")


def many_jobs(count: int) -> list[str]:
    """Sound jobs as lines."""
    common = {"account": "big", "api_key": "k", "completed_at": "2025-01-02T00:00:00Z", "tokens": {"transcription": 1}}
    return [json.dumps({"id": f"job-{number}", **common}) for number in range(count)]


def stored(database: str) -> int:
    with Ledger(database) as ledger:
        return ledger.usage("big", "2025-01", "2025-01").totals.jobs


# Reports


def test_the_contracts_report_comes_from_the_database_digit_for_digit(acme: str) -> None:
    done = run("usage", *JANUARY, "--json", TALLYSTICK_DATABASE=acme)
    assert (done.returncode, done.stdout, done.stderr) == (0, january_report(), "")


def test_the_contracts_report_comes_from_a_server_digit_for_digit(service: Service) -> None:
    for token, months in ((service.usage, JANUARY[2:]), (service.admin, JANUARY)):
        done = run("usage", *months, "--json", TALLYSTICK_URL=service.url, TALLYSTICK_TOKEN=token)
        assert (done.returncode, done.stdout, done.stderr) == (0, january_report(), "")


def test_a_table_is_coloured_on_a_terminal_alone_and_not_where_colour_is_unwanted(acme: str) -> None:
    colour = re.compile(r"\x1b\[3\dm")
    with terminal("usage", *JANUARY, TALLYSTICK_DATABASE=acme) as coloured:
        assert coloured.wait() == 0
        assert colour.search(coloured.shown)
        assert max(map(len, coloured.plain.splitlines())) <= 80
    with terminal("usage", *JANUARY, TALLYSTICK_DATABASE=acme, NO_COLOR="1") as plain:
        assert plain.wait() == 0
        assert not colour.search(plain.shown)
    assert "\x1b" not in run("usage", *JANUARY, TALLYSTICK_DATABASE=acme).stdout


def test_names_do_not_fail_where_the_terminal_cannot_show_them(database: str) -> None:
    done = run("account", "create", "Café", TALLYSTICK_DATABASE=database, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, "Caf?" in done.stdout) == (0, True)
    done = run("account", "show", "Café", "--json", TALLYSTICK_DATABASE=database, PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["name"] == "Café"


def test_a_reader_that_leaves_is_no_reason_to_complain(acme: str) -> None:
    for arguments in (("usage", *JANUARY), ("usage", *JANUARY, "--json")):
        reader, writer = os.pipe()
        os.close(reader)
        command = [*COMMAND, *arguments]
        environment = clean_environment(TALLYSTICK_DATABASE=acme)
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, timeout=PATIENCE_SECONDS)
        os.close(writer)
        assert done.stderr == b"", arguments


# Tokens


def test_a_script_reads_a_token_from_standard_output(service: Service, acme: str) -> None:
    done = run("token", "create", "--scope", "usage", "--account", "acme", TALLYSTICK_DATABASE=acme)
    token = done.stdout.removesuffix("\n")
    assert is_token(token)
    with Client(base_url=service.url, token=token) as client:
        assert client.usage.get("2025-01", "2025-01").totals.jobs == 108


# Loading


def test_help_is_shown_without_loading_what_takes_long() -> None:
    program = (
        "import sys\n"
        "from tallystick.cli.app import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "print(sorted({'httpx', 'rich', 'sqlalchemy', 'litestar', 'uvicorn', 'alembic'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=clean_environment())
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("missing", ["sqlalchemy", "litestar"])
def test_without_the_servers_parts_a_command_says_how_to_get_them(missing: str, tmp_path: Path) -> None:
    program = f"import sys\nsys.modules[{missing!r}] = None\nfrom tallystick.cli import main\nmain()\n"
    command = [sys.executable, "-c", program, *(("serve",) if missing == "litestar" else ("account", "list"))]
    environment = clean_environment(TALLYSTICK_DATABASE=f"sqlite:///{tmp_path}/x.db")
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: this command opens a database or starts a server with {missing}, which is not installed; "
        "it comes with: pip install 'tallystick[server]'\n"
    )


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"tallystick {__version__}\n"


# Imports


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_an_import_that_was_ended_goes_on_when_it_is_run_again(
    database: str, tmp_path: Path, end: signal.Signals
) -> None:
    with Ledger(database) as ledger:
        ledger.accounts.create("big")
    lines = many_jobs(6_000)
    environment = clean_environment(TALLYSTICK_DATABASE=database)
    with subprocess.Popen(
        [*COMMAND, "import", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("\n".join(lines[:5_800]) + "\n")
        process.stdin.flush()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while stored(database) < 5_000:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(end)
        said, complaints = process.stdout.read(), process.stderr.read()
        status = process.wait(PATIENCE_SECONDS)
    assert said == ""
    if end is signal.SIGINT:
        assert status == 130
        assert re.fullmatch(r"stopped after [\d,]+ accepted, 0 duplicates, 0 rejected; run it again .*\n", complaints)
    before = stored(database)
    assert 5_000 <= before < 6_000

    path = tmp_path / "jobs.ndjson"
    path.write_text("\n".join(lines))
    counts = json.loads(run("import", path, "--json", TALLYSTICK_DATABASE=database).stdout)
    assert (counts["accepted"], counts["duplicates"], counts["rejected"]) == (6_000 - before, before, 0)
    with Ledger(database) as stopped, Ledger(f"sqlite:///{tmp_path}/once.db") as once:
        once.record_body(path.read_bytes(), BodyForm.LINES)
        assert stopped.usage("big", "2025-01", "2025-01") == once.usage("big", "2025-01", "2025-01")


def test_a_bar_shows_progress_on_a_terminal_and_nothing_steers_a_log(database: str, tmp_path: Path) -> None:
    path = tmp_path / "a-file-of-jobs-with-a-rather-long-name.ndjson"
    path.write_text("\n".join(many_jobs(12_000)))
    with terminal("import", path, TALLYSTICK_DATABASE=database) as shown:
        assert shown.wait() == 0
    bar = re.compile(r"…er-long-name\.ndjson ━+ 100% 12,000 jobs [\d,]+/s 00:00 left")
    assert bar.search(shown.plain.replace("\n", ""))
    assert shown.plain.splitlines()[-1] == "12,000 accepted, 0 duplicates, 0 rejected"
    assert all(len(line) <= 80 for line in re.split(r"[\r\n]+", shown.plain) if "made a new" not in line)
    again = run("import", path, TALLYSTICK_DATABASE=database)
    assert (again.stdout, again.stderr) == ("0 accepted, 12,000 duplicates, 0 rejected\n", "")


# The server


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_server_says_where_it_is_and_how_to_enter_and_stops_in_good_order(database: str, end: signal.Signals) -> None:
    with terminal("serve", "--port", "0", "--max-jobs", "3", TALLYSTICK_DATABASE=database) as shown:
        shown.wait_for("Ctrl-C stops the server.")
        url = re.findall(r"usage reports: (http://127\.0\.0\.1:\d+)/usage\n", shown.plain)[0]
        for path in ("/jobs", "/docs", "/openapi.json", "/healthz", "/readyz"):
            assert f"{url}{path}\n" in shown.plain
        (command,) = re.findall(r"^  tallystick (token create --scope admin .*)$", shown.plain, re.MULTILINE)
        token = run(*command.replace("'", "").split()).stdout.strip()
        with Client(base_url=url, token=token) as client:
            assert client.accounts.list().accounts == ()
        shown.process.send_signal(end)
        assert shown.wait() == 0
    assert "Traceback" not in shown.plain
    with terminal("serve", "--port", "0", TALLYSTICK_DATABASE=database) as again:
        again.wait_for("Ctrl-C stops the server.")
        assert "token create" not in again.plain


def test_a_port_that_is_taken_is_told(service: Service, database: str) -> None:
    port = service.url.rpartition(":")[2]
    done = run("serve", "--port", port, TALLYSTICK_DATABASE=database)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(f"error: port: {port} at 127.0.0.1 cannot be taken")
