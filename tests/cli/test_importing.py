"""Imports: everything good is stored, everything bad is told by its line, and a repeat changes nothing."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tallystick.cli import importing
from tallystick.demo.scenario import january_jobs, january_report
from tallystick.ledger import Ledger
from tests.cli.conftest import Service
from tests.cli.running import invoke


def january(path: Path) -> Path:
    """The contract's jobs in a file; its extension names the format and the compression."""
    jobs = january_jobs()
    if ".csv" in path.name:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["id", "account", "api_key", "completed_at", "transcription", "note_generation"])
        for job in jobs:
            writer.writerow(
                [*(job[name] for name in ("id", "account", "api_key", "completed_at")), *job["tokens"].values()]
            )
        body = text.getvalue().encode("utf-8-sig")
    else:
        body = b"".join(json.dumps(job).encode() + b"\n" for job in jobs)
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


def job(job_id: str, **changes: object) -> str:
    """A sound job as a line, but for the changes."""
    sound = {"account": "other", "api_key": "k", "completed_at": "2025-01-02T00:00:00Z", "tokens": {"transcription": 1}}
    return json.dumps({"id": job_id, **sound, **changes})


def counted(result: Result) -> dict[str, Any]:
    """What ``--json`` printed."""
    counts: dict[str, Any] = json.loads(result.stdout)
    return counts


@pytest.mark.parametrize("name", ["jobs.ndjson", "jobs.csv", "jobs.jsonl.gz", "jobs.csv.gz"])
def test_the_contracts_jobs_give_the_contracts_report_from_every_format(
    tmp_path: Path, database: str, name: str
) -> None:
    result = invoke("import", january(tmp_path / name), "--database", database)
    assert (result.exit_code, result.stdout) == (0, "108 accepted, 0 duplicates, 0 rejected\n")
    months = ("--start", "2025-01", "--end", "2025-01")
    usage = invoke("usage", "--account", "acme", *months, "--json", "--database", database)
    assert usage.stdout == january_report()


def test_a_repeat_finds_duplicates_alone(tmp_path: Path, database: str) -> None:
    files = (january(tmp_path / "a.ndjson"), january(tmp_path / "b.csv"))
    counts = counted(invoke("import", *files, "--json", "--database", database))
    assert (counts["jobs"], counts["accepted"], counts["duplicates"], counts["rejected"]) == (216, 108, 108, 0)


def test_standard_input_is_ndjson_unless_it_is_said_to_be_csv(tmp_path: Path, database: str) -> None:
    for name, form in (("a.ndjson", ()), ("a.csv", ("--format", "csv"))):
        text = january(tmp_path / name).read_bytes()
        counts = counted(invoke("import", "-", *form, "--json", "--database", database, text=text))
        assert counts["accepted"] + counts["duplicates"] == 108


def test_what_is_rejected_is_told_by_file_and_line_and_all_else_is_stored(tmp_path: Path, database: str) -> None:
    path = tmp_path / "jobs.ndjson"
    path.write_text("\n".join([job("a"), "", '{"id": broken', job("b", tokens={"transcription": -1}), job("c"), ""]))
    result = invoke("import", path, "--database", database)
    assert result.exit_code == 1
    assert result.stdout == "2 accepted, 0 duplicates, 2 rejected\n  invalid: 2\n"
    _, first, second = result.stderr.splitlines()
    assert first.startswith(f"{path}:3: invalid: is not JSON")
    assert second.startswith(f"{path}:4: job 'b' invalid: ")


def test_rejections_are_counted_by_code_and_the_first_are_told(tmp_path: Path, database: str) -> None:
    lines = [*(job(f"m{n}", tokens={"pages": 1}) for n in range(4)), job("a", completed_at="2999-01-01T00:00:00Z"), "x"]
    path = tmp_path / "jobs.ndjson"
    path.write_text("\n".join(lines))
    result = invoke("import", path, "--show", "1", "--database", database)
    assert result.stdout.splitlines()[1] == "  unknown_meter: 4"
    assert set(result.stdout.splitlines()[2:]) == {"  future: 1", "  invalid: 1"}
    assert result.stderr.splitlines()[-1] == "… and 5 more; tallystick quarantine list shows them"
    result = invoke("import", path, "--json", "--database", database)
    counts = counted(result)
    assert (result.exit_code, counts["rejected"]) == (1, 6)
    assert counts["rejected_by_code"] == {"future": 1, "invalid": 1, "unknown_meter": 4}
    assert [(item["file"], item["line"], item["id"]) for item in counts["first_rejected"][3:]] == [
        (str(path), 4, "m3"),
        (str(path), 5, "a"),
        (str(path), 6, None),
    ]


def test_a_row_that_cannot_become_a_job_is_rejected_alone(tmp_path: Path, database: str) -> None:
    path = tmp_path / "jobs.csv"
    row = "other,k,2025-01-02T00:00:00Z"
    path.write_text(f"id,account,api_key,completed_at,transcription\na,{row},1\nb,{row}\nc,{row},many\nd,{row},2\n")
    result = invoke("import", path, "--database", database)
    assert (result.exit_code, result.stdout) == (1, "2 accepted, 0 duplicates, 2 rejected\n  invalid: 2\n")
    assert f"{path}:3: job 'b' invalid: the row has 4 cells where the header names 5" in result.stderr
    assert re.search(rf"^{re.escape(str(path))}:4: job 'c' invalid: .*transcription", result.stderr, re.MULTILINE)


def test_a_broken_line_goes_into_quarantine_as_it_was(database: str) -> None:
    invoke("import", "-", "--database", database, text=b'{"id": \xff broken\n')
    with Ledger(database) as ledger:
        (item,) = ledger.quarantine.list().items
    assert "broken" in item.item


def test_lines_are_numbered_across_batches(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH_JOBS", 7)
    path = tmp_path / "jobs.ndjson"
    path.write_text("\n".join("broken" if n % 10 == 5 else job(str(n)) for n in range(1, 101)))
    counts = counted(invoke("import", path, "--show", "100", "--json", "--database", database))
    assert (counts["accepted"], counts["rejected"]) == (90, 10)
    assert [item["line"] for item in counts["first_rejected"]] == list(range(5, 101, 10))


def test_a_batch_ends_where_it_has_enough_bytes(monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    sizes = []
    record_body = Ledger.record_body

    def record(ledger: Ledger, body: bytes, form: Any) -> Any:
        sizes.append(len(body))
        return record_body(ledger, body, form)

    monkeypatch.setattr(Ledger, "record_body", record)
    monkeypatch.setattr(importing, "BATCH_BYTES", 1000)
    counts = counted(
        invoke("import", "-", "--json", "--database", database, text="\n".join(map(job, "abcdefghijklmnop")))
    )
    assert counts["accepted"] == 16
    assert len(sizes) > 1
    assert max(sizes) <= 1000


def test_a_server_takes_an_import_in_batches_that_it_can_hold(service: Service, tmp_path: Path) -> None:
    """The server of these tests takes 16 KiB at once, less than the import sends at first."""
    path = tmp_path / "jobs.ndjson"
    lines = [job(f"j{n}") for n in range(500)]
    lines[333] = "broken"
    lines[400] = job("x" * 17_000)
    path.write_text("\n".join(lines))
    environment = {"TALLYSTICK_URL": service.url, "TALLYSTICK_TOKEN": service.ingest}
    counts = counted(invoke("import", path, "--json", **environment))
    assert (counts["accepted"], counts["rejected"]) == (498, 2)
    assert [item["line"] for item in counts["first_rejected"]] == [334, 401]
    assert service.ledger.usage("other", "2025-01", "2025-01").totals.jobs == 498
    assert [item.item for item in service.ledger.quarantine.list().items] == ["broken"]
    assert counted(invoke("import", path, "--json", **environment))["duplicates"] == 498


def test_a_server_that_refuses_ends_the_import(service: Service, tmp_path: Path) -> None:
    environment = {"TALLYSTICK_URL": service.url, "TALLYSTICK_TOKEN": service.usage}
    result = invoke("import", january(tmp_path / "a.ndjson"), **environment)
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(r"error: .+ \(403, forbidden, request \w+\)\n", result.stderr)


def test_a_file_that_fails_in_the_middle_leaves_what_was_stored(tmp_path: Path, database: str) -> None:
    good = january(tmp_path / "a.ndjson")
    bad = tmp_path / "b.json"
    bad.write_text("[1, 2]")
    result = invoke("import", good, bad, "--database", database)
    assert result.exit_code == 1
    _, stopped, error = result.stderr.splitlines()
    assert stopped.startswith("stopped after 108 accepted, 0 duplicates, 0 rejected; run it again")
    assert error.startswith(f"error: {bad} is a JSON array")


def test_a_mistyped_name_is_told_before_anything_is_stored(tmp_path: Path, database: str) -> None:
    result = invoke("import", january(tmp_path / "a.ndjson"), tmp_path / "none.ndjson", "--database", database)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: {tmp_path / 'none.ndjson'}: No such file or directory\n"
    with Ledger(database) as ledger:
        assert ledger.accounts.list().accounts == ()


def test_an_import_of_nothing_is_no_failure(tmp_path: Path, database: str) -> None:
    (tmp_path / "a.ndjson").touch()
    result = invoke("import", tmp_path / "a.ndjson", "--database", database)
    assert (result.exit_code, result.stdout) == (0, "0 accepted, 0 duplicates, 0 rejected\n")
