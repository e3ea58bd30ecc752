"""The ledger as CSV and Parquet: what the pages show, read back by those who will read it, of one moment."""

from __future__ import annotations

import csv
import io
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tallystick.errors import InvalidInput, MissingExtra, NotFound
from tallystick.model.instants import parse_instant
from tallystick.model.jobs import LedgerJob
from tallystick.model.money import plain
from tallystick.report import jobparquet
from tests.embedded import Deployment, job, plan

PERIOD = ("2025-04", "2025-06")
JOBS = 60
COLUMNS = [
    *("rank", "id", "api_key", "completed_at", "booked_at", "late"),
    *("transcription_tokens", "note_generation_tokens"),
    *("tier", "free", "discount", "base_cost", "final_cost"),
]


@pytest.fixture
def acme(deployment: Deployment) -> Deployment:
    """`acme`: a job a day from 2 April on, with tiers, free jobs, a late job, odd names, prices of many digits."""
    meters = [
        {"id": "transcription", "report_as": "transcription_tokens", "price": "0.000000000001", "per": 8},
        {"id": "note_generation", "report_as": "note_tokens", "price": "2"},
    ]
    tiers = [{"after_jobs": 0, "discount": "0"}, {"after_jobs": 20, "discount": "33.3333"}]
    deployment.ledger.plans.put(plan("tiered", free_jobs=7, tiers=tiers, meters=meters))
    deployment.ledger.accounts.create("acme", plan="tiered")
    keys = ["=1+1", 'Zürich, "north"', "日本"]
    jobs = [
        job(
            n,
            api_key=keys[n % 3],
            completed_at=f"2025-0{4 + n // 30}-{2 + n % 29:02d}T00:00:00.{n:06d}Z",
            tokens={"transcription": n},
        )
        for n in range(JOBS)
    ]
    assert deployment.ledger.record(jobs).accepted == JOBS
    deployment.close_month("acme", "2025-04")
    deployment.ledger.record([job("late", completed_at="2025-04-05T00:00:00Z", tokens={"transcription": 3})])
    return deployment


def table(deployment: Deployment, form: str, *period: str) -> bytes:
    with deployment.ledger.job_table("acme", *(period or PERIOD), form=form) as chunks:
        return b"".join(chunks)


def entries(deployment: Deployment, *period: str) -> list[LedgerJob]:
    page = deployment.ledger.jobs("acme", *(period or PERIOD), limit=1000)
    assert page.next_cursor is None
    return list(page.jobs)


def cells(entry: LedgerJob) -> list[str]:
    """The entry as the cells of its row."""
    name = entry.api_key
    return [
        str(entry.rank),
        entry.id,
        f"'{name}" if name.startswith("=") else name,
        entry.completed_at,
        entry.booked_at,
        str(entry.late).lower(),
        *map(str, entry.tokens.values()),
        str(entry.tier),
        str(entry.free).lower(),
        *map(plain, (entry.discount, entry.base_cost, entry.final_cost)),
    ]


def values(entry: LedgerJob) -> tuple[Any, ...]:
    """The entry as a database has it."""
    tokens = tuple(entry.tokens.values())
    costs = (entry.discount, entry.base_cost, entry.final_cost)
    times = tuple(map(parse_instant, (entry.completed_at, entry.booked_at)))
    return (entry.rank, entry.id, entry.api_key, *times, entry.late, *tokens, entry.tier, entry.free, *costs)


@pytest.mark.parametrize("period", [PERIOD, ("2025-05", "2025-05"), ("2025-01", "2025-01")])
def test_csv_holds_the_entries_of_the_pages_digit_for_digit(acme: Deployment, period: tuple[str, str]) -> None:
    header, *rows = csv.reader(io.StringIO(table(acme, "csv", *period).decode(), newline=""))
    assert header == COLUMNS
    assert rows == [cells(entry) for entry in entries(acme, *period)]


def test_the_jobs_are_such_that_every_column_matters(acme: Deployment) -> None:
    shown = entries(acme)
    assert {entry.late for entry in shown} == {entry.free for entry in shown} == {True, False}
    assert {entry.tier for entry in shown} == {1, 2}
    assert max(len(plain(entry.final_cost)) for entry in shown) > 20


@pytest.fixture
def parquet(acme: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The period as a file, in several groups."""
    monkeypatch.setattr(jobparquet, "_ROWS_IN_A_GROUP", 25)
    monkeypatch.setattr("tallystick.report.jobtables._ROWS_AT_ONCE", 10)
    file = tmp_path / "jobs.parquet"
    file.write_bytes(table(acme, "parquet"))
    return file


def test_duckdb_reads_the_same_jobs_and_sums_the_report(acme: Deployment, parquet: Path) -> None:
    # It would fetch what it needs to give times with a zone; instants as numbers need nothing.
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as database:
        source = database.read_parquet(str(parquet))
        assert source.columns == COLUMNS
        found = database.execute(
            "SELECT * REPLACE (epoch_us(completed_at) AS completed_at, epoch_us(booked_at) AS booked_at) FROM source"
        ).fetchall()
        sums = database.execute(
            "SELECT count(*), sum(transcription_tokens), sum(note_generation_tokens), sum(base_cost), sum(final_cost)"
            " FROM source"
        ).fetchone()
    assert found == [values(entry) for entry in entries(acme)]
    totals = acme.ledger.usage("acme", *PERIOD).totals
    assert sums == (totals.jobs, *totals.tokens.values(), totals.base_cost, totals.final_cost)


def test_pandas_reads_the_same_jobs_and_sums_the_report(acme: Deployment, parquet: Path) -> None:
    frame = pd.read_parquet(parquet)
    assert list(frame.columns) == COLUMNS
    report = acme.ledger.usage("acme", *PERIOD)
    assert frame["final_cost"].sum() == report.totals.final_cost
    assert frame["base_cost"].sum() == report.totals.base_cost
    of_keys = frame.groupby("api_key", observed=True)
    jobs, costs = of_keys["rank"].count().to_dict(), of_keys["final_cost"].sum().to_dict()
    assert jobs == {name: key.jobs for name, key in report.api_keys.items()}
    assert costs == {name: key.costs.final for name, key in report.api_keys.items()}
    assert str(frame["booked_at"].dt.tz) == "UTC"


def test_a_parquet_file_has_groups_names_its_account_and_is_exact_by_type(parquet: Path) -> None:
    file = pq.ParquetFile(parquet)
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [30, 30, 1]
    schema = file.schema_arrow
    assert schema.metadata[b"account"] == b"acme"
    assert schema.metadata[b"currency"] == b"USD"
    # 12 places of the price, 3 more for its unit of 8, 6 of the discount.
    assert schema.field("final_cost").type == pa.decimal128(38, 21)
    assert schema.field("booked_at").type == pa.timestamp("us", tz="UTC")


def test_prices_too_long_for_ordinary_decimals_get_wider_ones(deployment: Deployment, tmp_path: Path) -> None:
    meters = [{"id": "transcription", "price": "999999999.000000000001", "per": 5**8}]
    tiers = [{"after_jobs": 0, "discount": "0.0001"}]
    deployment.ledger.plans.put(plan("dear", tiers=tiers, meters=meters))
    deployment.ledger.accounts.create("acme", plan="dear")
    deployment.ledger.record([job(1, tokens={"transcription": 10**9}), job(2, tokens={"transcription": 1})])
    file = tmp_path / "dear.parquet"
    file.write_bytes(table(deployment, "parquet", "2025-06", "2025-06"))
    frame = pd.read_parquet(file)
    assert pq.read_schema(file).field("final_cost").type == pa.decimal256(76, 26)
    assert list(frame["final_cost"]) == [entry.final_cost for entry in entries(deployment, "2025-06", "2025-06")]


def test_an_account_without_jobs_has_a_table_without_rows(deployment: Deployment, tmp_path: Path) -> None:
    deployment.ledger.accounts.create("acme")
    assert table(deployment, "csv") == (",".join(COLUMNS) + "\r\n").encode()
    file = tmp_path / "none.parquet"
    file.write_bytes(table(deployment, "parquet"))
    assert (len(pd.read_parquet(file)), pq.read_schema(file).names) == (0, COLUMNS)


def test_a_table_is_of_the_moment_at_which_it_was_asked_for(acme: Deployment) -> None:
    before = table(acme, "csv")
    with acme.ledger.job_table("acme", *PERIOD) as chunks:
        acme.ledger.record([job("early", completed_at="2025-05-01T00:00:00Z")])
        assert b"".join(chunks) == before
    assert len(table(acme, "csv")) > len(before)


def test_whoever_wants_hears_how_many_jobs_were_read(acme: Deployment) -> None:
    for form in ("csv", "parquet"):
        heard: list[int] = []
        with acme.ledger.job_table("acme", *PERIOD, form=form, hear=heard.append) as chunks:
            assert sum(map(len, chunks)) > 0
        assert sum(heard) == JOBS + 1


def test_what_is_wrong_is_said_before_the_first_chunk(acme: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound):
        acme.ledger.job_table("nobody")
    for wrong in ({"form": "xlsx"}, {"start_month": "2025-13"}):
        with pytest.raises(InvalidInput):
            acme.ledger.job_table("acme", **wrong)  # type: ignore[arg-type]  # the mistake that is tested
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tallystick\[parquet\]'"):
        acme.ledger.job_table("acme", form="parquet")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_ledger(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(jobparquet, "_ROWS_IN_A_GROUP", 1000)

    def recorded(jobs: int) -> Iterator[dict[str, Any]]:
        return (job(n, completed_at=f"2025-06-01T10:00:{n % 60:02d}Z") for n in range(jobs))

    def peak(jobs: int) -> int:
        deployment.ledger.record(recorded(jobs))
        with deployment.ledger.job_table("acme", "2025-06", "2025-06", form=form) as found:
            before = pa.total_allocated_bytes()
            most = 0
            tracemalloc.start()
            try:
                for _ in found:
                    most = max(most, pa.total_allocated_bytes() - before)
                return tracemalloc.get_traced_memory()[1] + most
            finally:
                tracemalloc.stop()

    few, many = peak(3_000), peak(15_000)
    assert many < 1.5 * few
