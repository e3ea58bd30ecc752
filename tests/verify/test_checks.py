"""A statement that holds: what was checked, from where, what is remembered, and what a broken connection does to it."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tallystick.errors import ConnectionFailed, InvalidInput, PermissionDenied, ResourceNotFound
from tallystick.model.statement import Statement
from tallystick.verify import checking
from tallystick.verify.trust import TrustedFile, default_file
from tests.cli.running import invoke
from tests.databases import SqliteDatabases
from tests.embedded import Deployment, job
from tests.verify.forging import ACCOUNT, MONTHS, Answer, Between, Customer, new_deployment, serving
from tests.webhooks.receiver import closed_port


def checked(customer: Customer, month: str = MONTHS[-1], **given: Any) -> tuple[str | None, list[str]]:
    """The opening and the months of a check that holds."""
    found = customer.verify(month, **given)
    assert found.holds, found.difference
    return found.opening, [each.month for each in found.months]


def test_a_statement_holds_on_either_engine(database: str, tmp_path: Path) -> None:
    deployment = new_deployment(database, tmp_path)
    with serving(deployment, tmp_path) as customer:
        found = customer.verify()
    deployment.ledger.close()
    assert found.difference is None
    assert (found.account, found.currency, found.opening, found.key_is_new) == (ACCOUNT, "USD", None, True)
    assert [(each.month, each.live, each.late, each.voided) for each in found.months] == [
        ("2025-01", 39, 0, 1),
        ("2025-02", 39, 0, 1),
        ("2025-03", 40, 1, 1),
    ]
    assert [(each.first_rank, each.last_rank) for each in found.months] == [(1, 39), (40, 78), (79, 118)]


def test_the_screen_says_what_was_checked_and_from_where(customer: Customer) -> None:
    said = str(customer.verify())
    assert len(said.splitlines()) <= 24
    assert max(map(len, said.replace(str(customer.trusted), "").splitlines())) <= 80
    for told in (
        "Statement 2025-03 of acme: everything holds.",
        "40 jobs in order, ranks 79 to 118, digest equal",
        "1 of them came late, when their own month was closed",
        "1 more was voided",
        "2025-01 to 2025-03 checked now, 121 jobs",
        "the account's first month",
        "seen for the first time",
        str(customer.trusted),
    ):
        assert told in said, told


def test_a_check_goes_on_behind_what_held_before(customer: Customer) -> None:
    assert checked(customer, "2025-01") == (None, ["2025-01"])
    assert checked(customer, "2025-03") == ("2025-01", ["2025-02", "2025-03"])
    asked = len(customer.between.asked)
    assert checked(customer, "2025-03") == ("2025-02", ["2025-03"])
    assert not any("2025-01" in path for path in customer.between.asked[asked:])
    assert checked(customer, "2025-01") == (None, ["2025-01"])
    said = str(customer.verify())
    assert "2025-02, which held when it was checked;" in said
    assert "the jobs of it and of the months before were not read again" in said


def test_what_held_before_a_connection_broke_need_not_be_checked_again(customer: Customer) -> None:
    def cut(request: httpx.Request) -> None:
        if request.url.params.get("start_month") == "2025-03":
            raise httpx.ReadError("the line is cut", request=request)

    customer.between.fails.append(cut)
    with pytest.raises(ConnectionFailed):
        customer.verify()
    customer.between.fails.clear()
    assert checked(customer) == ("2025-02", ["2025-03"])


def test_a_download_that_breaks_off_goes_on_from_its_last_page(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_LINES_AT_ONCE", 7)
    failures: list[str] = []

    def cut_each_once(request: httpx.Request) -> None:
        path = request.url.raw_path.decode()
        if request.url.path == "/jobs" and path not in failures:
            failures.append(path)
            raise httpx.ReadError("the line is cut", request=request)

    customer.between.fails.append(cut_each_once)
    assert checked(customer, "2025-01") == (None, ["2025-01"])
    # 39 live jobs and a voided one, seven at a time; each page was asked for twice.
    pages = [path for path in customer.between.asked if path.startswith("/jobs")]
    assert len(pages) == 2 * len(set(pages)) == 14


class Cut(httpx.SyncByteStream):
    """Half of an answer, and then the connection is gone."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body[: len(self._body) // 2]
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


def test_a_page_that_breaks_off_in_its_middle_is_asked_for_again(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_LINES_AT_ONCE", 7)
    cut: list[str] = []

    def cut_each_once(request: httpx.Request, answer: Answer) -> Answer:
        path = request.url.raw_path.decode()
        if request.url.path != "/jobs" or path in cut:
            return answer
        cut.append(path)
        headers = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
        return Answer(200, headers=headers, stream=Cut(answer.content))

    customer.between.forges.append(cut_each_once)
    assert checked(customer, "2025-01") == (None, ["2025-01"])
    pages = [path for path in customer.between.asked if path.startswith("/jobs")]
    assert len(pages) == 2 * len(cut) == 14


def test_pages_of_any_size_come_to_the_same(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    for size, part_bytes in ((1, 10_000), (2, 1), (38, 300), (39, 1000), (40, 1), (40, 299)):
        monkeypatch.setattr(checking, "_LINES_AT_ONCE", size)
        monkeypatch.setattr("tallystick.verify.ledger._PART_BYTES", part_bytes)
        customer.trusted.unlink(missing_ok=True)
        assert checked(customer, "2025-01") == (None, ["2025-01"])


def test_progress_is_told_by_month(customer: Customer) -> None:
    heard: list[tuple[str, int, int]] = []
    customer.verify(progress=lambda *news: heard.append(news))
    assert [news for news in heard if news[1] == news[2]] == [
        ("2025-01", 40, 40),
        ("2025-02", 40, 40),
        ("2025-03", 41, 41),
    ]


def test_a_month_without_jobs_and_an_account_without_any_hold(database: str, tmp_path: Path) -> None:
    deployment = Deployment(database, settings(tmp_path), "2025-01-10T00:00:00Z")
    deployment.ledger.accounts.create(ACCOUNT, time_zone="Pacific/Apia")
    deployment.set_clock("2025-05-10T00:00:00Z")
    deployment.ledger.statements.close("2025-03")
    with serving(deployment, tmp_path) as customer:
        assert checked(customer) == (None, ["2025-01", "2025-02", "2025-03"])
        assert "no jobs, as the statement counts" in str(customer.verify())
    deployment.ledger.close()


def settings(folder: Path) -> Any:
    from tallystick.settings import Settings

    return Settings(signing_folder=str(folder / "keys"))


def test_an_admin_checks_any_account_and_a_stranger_none(customer: Customer) -> None:
    customer.token = customer.ledger.tokens.create("admin").token
    assert checked(customer, "2025-01", account=ACCOUNT) == (None, ["2025-01"])
    customer.ledger.accounts.create("stranger")
    customer.token = customer.ledger.tokens.create("usage", account="stranger").token
    with pytest.raises(PermissionDenied):
        customer.verify("2025-01", account=ACCOUNT)


def test_a_statement_of_another_account_than_asked_for_is_told(customer: Customer) -> None:
    customer.token = customer.ledger.tokens.create("admin").token
    customer.forge_statement("2025-01", lambda document: document.update(account="other"))
    found = customer.verify("2025-01", account=ACCOUNT)
    assert found.difference is not None
    assert found.difference.detail == "it is of account other, and acme was asked for"


def test_a_month_that_is_not_closed_is_an_error_and_no_difference(customer: Customer) -> None:
    with pytest.raises(ResourceNotFound) as caught:
        customer.verify("2025-04")
    assert caught.value.code == "no_statement"
    for month in ("2025-13", ""):
        with pytest.raises(InvalidInput):
            customer.verify(month)


def test_jobs_that_come_in_meanwhile_change_nothing(customer: Customer) -> None:
    def meanwhile(request: httpx.Request) -> None:
        if request.url.path == "/jobs":
            number = len(customer.between.asked)
            customer.ledger.record([job(f"meanwhile {number}", completed_at="2025-01-05T00:00:00Z")])

    customer.between.fails.append(meanwhile)
    assert checked(customer) == (None, list(MONTHS))


# What is remembered.


def test_only_the_owner_reads_what_is_remembered_and_it_is_small(customer: Customer) -> None:
    customer.trusted = customer.trusted.parent / "new" / "trusted.json"
    customer.verify()
    assert customer.trusted.stat().st_mode & 0o777 == 0o600
    assert customer.trusted.stat().st_size < 1000
    remembered = json.loads(customer.trusted.read_text())
    (entry,) = remembered["accounts"]
    assert (entry["server"], entry["account"]) == (customer.url, ACCOUNT)
    assert entry["statements"] == {month: customer.ledger.statements.get(ACCOUNT, month).sha256 for month in MONTHS}


def test_a_file_from_before_plans_were_remembered_is_read(customer: Customer) -> None:
    assert checked(customer, "2025-01") == (None, ["2025-01"])
    older = json.loads(customer.trusted.read_text())
    (plan,) = older["accounts"][0].pop("plans")
    assert (plan["plan"], plan["plan_version"], len(plan["sha256"])) == ("tiered", None, 64)
    customer.trusted.write_text(json.dumps(older))
    assert checked(customer, "2025-02") == ("2025-01", ["2025-02"])
    assert json.loads(customer.trusted.read_text())["accounts"][0]["plans"] == [plan]


def test_what_is_remembered_of_others_stays(customer: Customer) -> None:
    other = TrustedFile(customer.trusted).find("https://other.example", "acme")
    TrustedFile(customer.trusted).remember(other)
    customer.verify("2025-01")
    assert TrustedFile(customer.trusted).find("https://other.example", "acme") == other


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b'{"form": "tallystick-trusted/2", "accounts": []}', b'{"form": 1}']
)
def test_a_file_that_is_not_understood_is_left_alone(customer: Customer, content: bytes) -> None:
    customer.trusted.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        customer.verify("2025-01")
    assert caught.value.code == "invalid_trusted_file"
    assert customer.trusted.read_bytes() == content


@pytest.mark.parametrize("place", ["file/trusted.json", "folder", "/proc/nowhere/trusted.json"])
def test_a_file_that_cannot_be_used_is_told_before_anything_is_downloaded(customer: Customer, place: str) -> None:
    folder = customer.trusted.parent
    (folder / "file").write_text("")
    (folder / "folder").mkdir()
    customer.trusted = folder / place
    with pytest.raises(InvalidInput) as caught:
        customer.verify("2025-01")
    assert caught.value.code == "invalid_trusted_file"
    assert not any(path.startswith("/jobs") for path in customer.between.asked)


def test_a_statement_that_does_not_hold_is_not_remembered(customer: Customer) -> None:
    customer.forge_lines("2025-02", lambda lines: lines[1:])
    customer.verify()
    assert list(TrustedFile(customer.trusted).find(customer.url, ACCOUNT).statements) == ["2025-01"]


def test_the_file_lies_in_the_users_state_folder(customer: Customer, tmp_path: Path) -> None:
    assert default_file({"XDG_STATE_HOME": "/state"}) == Path("/state/tallystick/trusted.json")
    assert default_file({}) == Path.home() / ".local" / "state" / "tallystick" / "trusted.json"
    customer.verify("2025-01", trusted=None, environment={"XDG_STATE_HOME": str(tmp_path)})
    assert (tmp_path / "tallystick" / "trusted.json").exists()


# The command.


def command(customer: Customer, *arguments: str) -> Any:
    options = ["--month", "2025-02", "--trusted", str(customer.trusted)]
    return invoke("verify", *options, *arguments, TALLYSTICK_URL=customer.url, TALLYSTICK_TOKEN=customer.token)


def test_the_command_exits_with_0_where_everything_holds(customer: Customer) -> None:
    done = command(customer)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Statement 2025-02 of acme: everything holds.\n")
    assert "believed as it came" in done.stderr
    assert "believed as it came" not in command(customer).stderr


def test_the_command_exits_with_1_and_names_what_differs(customer: Customer) -> None:
    remembered = TrustedFile(customer.trusted)
    trust = remembered.find(customer.url, ACCOUNT)
    remembered.remember(type(trust)(server=trust.server, account=trust.account, statements={"2025-02": "0" * 64}))
    done = command(customer)
    assert done.exit_code == 1
    assert "DOES NOT HOLD" in done.stdout
    assert "2025-02  statement_replaced: it has SHA-256" in done.stdout


def test_the_command_exits_with_3_where_nothing_is_known(customer: Customer) -> None:
    with closed_port() as url:
        away = invoke("verify", "--month", "2025-02", TALLYSTICK_URL=url, TALLYSTICK_TOKEN=customer.token)
    assert (away.exit_code, away.stdout) == (3, "")
    assert "connection_failed" in away.stderr
    for arguments, said in (
        (("--month", "2025-11"), "no_statement"),
        (("--month", "2025-13"), "must be a month"),
        (("--trusted", str(customer.trusted.parent)), "is not what a check"),
    ):
        done = command(customer, *arguments)
        assert (done.exit_code, done.stdout) == (3, "")
        assert said in done.stderr
    stranger = invoke("verify", "--month", "2025-02", TALLYSTICK_URL=customer.url, TALLYSTICK_TOKEN="nonsense")
    assert stranger.exit_code == 3
    nobody = invoke("verify", "--month", "2025-02", TALLYSTICK_URL=customer.url)
    assert (nobody.exit_code, "no access token" in nobody.stderr) == (3, True)


def test_the_command_prints_json_with_amounts_as_numbers(customer: Customer) -> None:
    done = command(customer, "--json")
    found = json.loads(done.stdout, parse_float=Decimal)
    assert (found["holds"], found["difference"]) == (True, None)
    document = customer.ledger.statements.get(ACCOUNT, "2025-02").statement
    assert isinstance(document, Statement)
    assert found["months"][1]["final_cost"] == document.report.totals.final_cost
    assert '"holds": true' in done.stdout


def test_the_command_needs_a_server(customer: Customer) -> None:
    done = invoke("verify", "--month", "2025-02")
    assert done.exit_code == 2
    assert "TALLYSTICK_URL" in done.stderr


# Memory.


def test_memory_does_not_grow_with_the_ledger(
    sqlite: SqliteDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_LINES_AT_ONCE", 500)

    def peak(jobs: int) -> int:
        with sqlite.fresh() as database:
            deployment = Deployment(database, settings(tmp_path / str(jobs)), "2025-05-01T00:00:00Z")
            (tmp_path / str(jobs)).mkdir()
            deployment.ledger.record(recorded(jobs))
            deployment.ledger.statements.close("2025-01")
            try:
                with serving(deployment, tmp_path / str(jobs)) as customer:
                    customer.between = Between()
                    tracemalloc.start()
                    try:
                        assert checked(customer, "2025-01") == (None, ["2025-01"])
                        return tracemalloc.get_traced_memory()[1]
                    finally:
                        tracemalloc.stop()
            finally:
                deployment.ledger.close()

    def recorded(jobs: int) -> Iterator[dict[str, Any]]:
        return (job(n, completed_at=f"2025-01-{1 + n % 28:02d}T10:00:00Z", api_key=f"key {n % 5}") for n in range(jobs))

    few, many = peak(1_500), peak(6_000)
    assert many < 1.6 * few
