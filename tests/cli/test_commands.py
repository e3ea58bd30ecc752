"""Every command by itself: what it says, what it prints for programs, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import Result

from tallystick.api.examples import USAGE_CSV
from tallystick.cli import accounts
from tallystick.cli.app import app
from tallystick.ledger import Ledger
from tallystick.model.instants import parse_instant
from tallystick.model.tokens import is_token
from tallystick.settings import Settings
from tests.cli.conftest import Service
from tests.cli.running import invoke

PLAN = """\
name = "volume"
currency = "EUR"
free_jobs = 5

[[meters]]
id = "transcription"
price = "0.01"
per = 1000

[[tiers]]
after_jobs = 0
discount = "0"
"""


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that name it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))
each_command = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)


def printed(result: Result) -> Any:
    """The JSON that a command printed, and it printed nothing else."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(result: Result, message: str) -> None:
    """The command failed with this message alone, and printed nothing on standard output."""
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.removeprefix("made a new database: ").splitlines()[-1] == f"error: {message}"


def misused(result: Result, message: str) -> None:
    """The command was written wrongly, and says how."""
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())


# Help


def test_the_commands_are_those_of_the_design() -> None:
    assert set(map(" ".join, COMMANDS)) >= {
        *("serve", "demo", "import", "usage"),
        *("account create", "account list", "account show", "account change"),
        *("key create", "key list", "key revoke"),
        *("token create", "token list", "token revoke", "token rotate"),
        *("plan list", "plan show", "plan put", "plan check"),
        *("quarantine list", "quarantine replay"),
        "notice list",
    }


@each_command
def test_help_has_examples_and_fits_a_terminal(path: tuple[str, ...]) -> None:
    result = invoke(*path, "--help")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    (_, examples) = result.stdout.split("Examples:")
    assert f"tallystick {' '.join(path)}" in examples


@each_command
def test_a_command_in_its_groups_help_is_described_in_a_sentence_that_fits(path: tuple[str, ...]) -> None:
    (line,) = re.findall(rf"^  {path[-1]} +(.*)$", invoke(*path[:-1], "--help").stdout, re.MULTILINE)
    assert line.endswith(".")
    assert not line.endswith("...")


@each_command
def test_what_prints_data_prints_json_too(path: tuple[str, ...]) -> None:
    options = {option for parameter in COMMANDS[path].params for option in parameter.opts}
    assert ("--json" in options) == (path != ("serve",))


@each_command
def test_no_command_takes_a_token_as_an_argument(path: tuple[str, ...]) -> None:
    """Arguments are seen by every user of the machine, in the list of processes."""
    assert not {"--token"} & {option for parameter in COMMANDS[path].params for option in parameter.opts}


def test_every_setting_is_an_option_of_serve_with_its_default_and_variable() -> None:
    text = " ".join(invoke("serve", "--help").stdout.split())
    for name, default in ((field, getattr(Settings(), field)) for field in Settings.__struct_fields__):
        shown = str(default).lower() if isinstance(default, bool) else default
        assert f"--{name.replace('_', '-')} " in text
        assert f"[env var: TALLYSTICK_{name.upper()}; default: {shown}]" in text


def test_without_a_command_the_help_is_shown() -> None:
    result = invoke()
    assert result.exit_code == 2
    assert "Usage: tallystick [OPTIONS] COMMAND" in result.output


def test_an_unknown_command_is_a_mistake_in_usage() -> None:
    misused(invoke("frobnicate"), "No such command 'frobnicate'")


# Usage


def test_usage_shows_months_keys_and_totals(acme: str) -> None:
    result = invoke("usage", "--account", "acme", "--start", "2025-01", "--end", "2025-02", TALLYSTICK_DATABASE=acme)
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stdout
    assert re.search(r"^2025-01 +108 +1,672 +2,905 +0\.07592 +0\.0 +0\.07592 +████████ *$", result.stdout, re.MULTILINE)
    assert re.search(r"^2025-02 +0 +0 +0 +0\.0 +0\.0 +0\.0 *$", result.stdout, re.MULTILINE)
    assert re.search(r"^another api key +1 +152 +190 +0\.00836 +0\.0 +0\.00836 +▉ *$", result.stdout, re.MULTILINE)
    assert "makes 0.07592 USD" in result.stdout


def test_the_months_may_be_named_as_in_the_sdk(acme: str) -> None:
    months = ("--start-month", "2025-01", "--end-month", "2025-01")
    report = printed(invoke("usage", "--account", "acme", *months, "--json", "--database", acme))
    assert report["period"] == {"start_month": "2025-01", "end_month": "2025-01"}


def test_a_bill_is_explained_line_by_line(acme: str, service: Service) -> None:
    months = ("usage", "--start", "2025-01", "--end", "2025-01", "--explain")
    asked = printed(invoke(*months, "--json", TALLYSTICK_URL=service.url, TALLYSTICK_TOKEN=service.usage))
    assert len(asked["lines"]) == 6
    assert asked["totals"] == {"base_cost": 0.07592, "final_cost": 0.07592, "savings": 0.0}
    shown = invoke(*months, TALLYSTICK_URL=service.url, TALLYSTICK_TOKEN=service.usage).stdout
    assert re.search(r"^2025-01  another api key\nplan standard, from the beginning\n", shown, re.MULTILINE)
    assert re.search(r"^transcription +101–108 +1 +152 +0\.00003 +0 % +0\.00456$", shown, re.MULTILINE)
    assert re.search(r"^transcription +1–100 +100 +468 +free +0 % +0\.0$", shown, re.MULTILINE)
    assert "base 0.07592 less savings 0.0 makes 0.07592 USD" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert printed(invoke("usage", "--account", "acme", "--explain", "--json", "--database", acme))["lines"] == []


def test_usage_as_csv_is_the_same_from_a_database_and_a_server(acme: str, service: Service) -> None:
    months = ("--start", "2025-01", "--end", "2025-01", "--csv")
    local = invoke("usage", "--account", "acme", "--database", acme, *months)
    assert local.stdout_bytes.decode() == USAGE_CSV
    remote = invoke("usage", "--url", service.url, *months, TALLYSTICK_TOKEN=service.usage)
    assert remote.stdout_bytes == local.stdout_bytes


@pytest.mark.parametrize(
    ("drawn", "told"),
    [
        ("cost", "2025-01: final cost USD 0.07592, saved USD 0.0"),
        ("jobs", "2025-01: 108 jobs"),
        ("keys", "another api key: 11.0116 %, USD 0.00836"),
        ("days", "2025-01-12, another api key: 342 tokens"),
    ],
)
def test_a_chart_is_drawn_beside_the_table(acme: str, tmp_path: Path, drawn: str, told: str) -> None:
    file = tmp_path / "drawn.svg"
    months = ("--account", "acme", "--start", "2025-01", "--end", "2025-01", "--database", acme)
    result = invoke("usage", *months, "--chart", file, "--chart-of", drawn)
    assert result.exit_code == 0, result.stderr
    assert told in file.read_text("utf-8")
    assert result.stderr == f"{file}: {file.stat().st_size:,} bytes\n"
    assert "total     108" in result.stdout


def test_a_chart_as_png_of_what_a_server_answers(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "cost.PNG"
    token = {"TALLYSTICK_TOKEN": service.usage}
    asked = ("--url", service.url, "--start", "2025-01", "--end", "2025-01", "--json")
    result = invoke("usage", *asked, "--chart", file, "--dark", **token)
    assert file.read_bytes().startswith(b"\x89PNG")
    assert json.loads(result.stdout)["totals"]["jobs"] == 108


def test_a_chart_that_cannot_be_is_told(acme: str, tmp_path: Path) -> None:
    months = ("--account", "acme", "--start", "2025-01", "--database", acme)
    misused(invoke("usage", *months, "--chart", "cost.gif"), "a name that ends in .png or .svg")
    file = tmp_path / "nowhere" / "cost.png"
    refused(invoke("usage", *months, "--chart", file), f"{file}: No such file or directory")


def test_one_form_is_printed_at_a_time(acme: str) -> None:
    for other in ("--json", "--explain"):
        misused(invoke("usage", "--account", "acme", "--database", acme, "--csv", other), "--csv excludes")


def test_usage_of_a_database_needs_an_account(acme: str) -> None:
    misused(invoke("usage", "--database", acme), "--account is needed")


def test_malformed_months_and_reversed_ranges_are_told_by_their_name(acme: str) -> None:
    usage = ("usage", "--account", "acme", "--database", acme)
    refused(invoke(*usage, "--start", "2025-13"), "start_month: must be a month of the form YYYY-MM")
    refused(
        invoke(*usage, "--start", "2025-02", "--end", "2025-01"), "end_month: 2025-01 lies before start_month, 2025-02"
    )


def test_an_unknown_account_is_told(acme: str) -> None:
    refused(invoke("usage", "--account", "nobody", "--database", acme), "there is no such account")


def test_a_server_is_asked_where_one_is_named(service: Service, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(service.admin + "\n")
    months = ("usage", "--start", "2025-01", "--end", "2025-01", "--json")
    asked = [
        invoke(*months, TALLYSTICK_URL=service.url, TALLYSTICK_TOKEN=service.usage),
        invoke(*months, "--url", service.url, "--account", "acme", "--token-file", token),
        invoke(*months, "--url", service.url, "--account", "acme", "--token-file", "-", text=service.admin),
    ]
    assert [printed(result)["totals"]["jobs"] for result in asked] == [108, 108, 108]


def test_a_database_that_is_typed_counts_more_than_a_server_in_the_environment(acme: str) -> None:
    result = invoke("usage", "--account", "acme", "--database", acme, "--json", TALLYSTICK_URL="http://127.0.0.1:1")
    assert printed(result)["totals"]["jobs"] == 0


def test_a_refusal_of_the_server_is_told_with_the_id_of_the_request(service: Service) -> None:
    result = invoke("usage", "--account", "other", TALLYSTICK_URL=service.url, TALLYSTICK_TOKEN=service.usage)
    assert result.exit_code == 1
    assert re.fullmatch(r"error: .+ \(403, \w+, request \w+\)\n", result.stderr)


def test_what_contradicts_itself_is_a_mistake_in_usage() -> None:
    misused(invoke("usage", "--url", "http://x", "--database", "sqlite:///x.db"), "exclude each other")
    misused(invoke("usage", "--token-file", "t"), "--token-file needs a server")
    misused(invoke("import", "-", "--url", "http://x", "--token-file", "-"), "cannot be both the token and the jobs")


def test_a_missing_token_is_told_with_the_way_to_give_it(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    usage = ("usage", "--url", "http://127.0.0.1:1")
    refused(invoke(*usage), "no access token: set TALLYSTICK_TOKEN or give --token-file")
    refused(invoke(*usage, "--token-file", "-"), "no access token: standard input is empty")
    refused(invoke(*usage, "--token-file", tmp_path / "empty"), f"no access token: {tmp_path / 'empty'} is empty")
    refused(invoke(*usage, "--token-file", tmp_path / "none"), f"{tmp_path / 'none'}: No such file or directory")


MAKERS = [
    "import -",
    "account create acme",
    "token create --scope admin",
    "plan put {plan}",
    "webhook create https://hooks.example",
]


@pytest.mark.parametrize("command", MAKERS)
def test_a_command_that_begins_a_deployment_makes_a_database_and_says_so(
    database: str, tmp_path: Path, command: str
) -> None:
    (tmp_path / "plan.toml").write_text('name = "p"\ncurrency = "USD"\nmeters = [{id = "a", price = "1"}]\n')
    arguments = command.format(plan=tmp_path / "plan.toml").split()
    said = f"made a new database: {database.removeprefix('sqlite:///')}\n"
    made = invoke(*arguments, "--database", database, text="")
    assert (made.exit_code, made.stderr.startswith(said)) == (0, True), made.stderr
    assert "made a new" not in invoke("account", "list", "--database", database).stderr


OTHERS = [
    "account change acme --plan p",
    "account list",
    "account show acme",
    "audit",
    "budget list --account acme",
    "budget remove --account acme",
    "budget set 5 --account acme",
    "close 2025-01",
    "export --account acme --output {folder}/jobs.csv",
    "forecast --account acme",
    "key create acme k",
    "key list acme",
    "key revoke acme k",
    "notice list",
    "plan list",
    "plan show standard",
    "quarantine list",
    "quarantine replay",
    "signing list",
    "signing rotate",
    "simulate {folder}/plan.toml",
    "token list",
    "token revoke ID",
    "token rotate ID",
    "usage --account acme",
    "webhook change ID --off",
    "webhook deliveries ID",
    "webhook list",
    "webhook remove ID",
    "webhook replay ID --since 2d",
    "webhook rotate ID",
    "webhook show ID",
    "webhook test ID",
]


@pytest.mark.parametrize("command", OTHERS)
def test_any_other_command_makes_no_database_at_a_mistyped_address(tmp_path: Path, command: str) -> None:
    (tmp_path / "plan.toml").write_text('name = "p"\ncurrency = "USD"\nmeters = [{id = "a", price = "1"}]\n')
    mistyped = tmp_path / "mistyped.db"
    arguments = command.format(folder=tmp_path).split()
    refused(invoke(*arguments, "--database", f"sqlite:///{mistyped}"), f"there is no database {mistyped}")
    assert [file.name for file in tmp_path.iterdir()] == ["plan.toml"]


def test_every_command_that_opens_a_database_is_tried_with_one_that_is_not_there() -> None:
    tried = [tuple(command.split()) for command in (*MAKERS, *OTHERS)]
    apart = {("bench",), ("demo",), ("serve",), ("verify",), ("plan", "check"), ("webhook", "key")}
    missing = {path for path in COMMANDS if not any(words[: len(path)] == path for words in tried)}
    assert {path for path in missing if path[0] != "db"} == apart


def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("this is no database, but a text\n" * 100)
    for url in ("mysql://x", f"sqlite:///{tmp_path}/missing/x.db", f"sqlite:///{tmp_path}/no.db"):
        result = invoke("account", "list", "--database", url)
        assert result.exit_code == 1
        assert result.stderr.splitlines()[-1].startswith("error: ")


def test_a_setting_of_the_environment_that_does_not_fit_is_told_by_its_name(database: str) -> None:
    result = invoke("account", "list", TALLYSTICK_DATABASE=database, TALLYSTICK_MAX_JOBS="many")
    refused(result, "TALLYSTICK_MAX_JOBS: Expected `int`, got `str`")
    refused(invoke("serve", "--quarantine-days", "0"), "TALLYSTICK_QUARANTINE_DAYS: Expected `int` >= 1")


# Accounts and keys


def test_an_account_is_created_shown_changed_and_listed(database: str) -> None:
    name = "Café [bold] & Söhne"
    common = ("--database", database, "--json")
    made = printed(invoke("account", "create", name, "--time-zone", "Asia/Kolkata", *common))
    assert (made["name"], made["time_zone"], made["plan"], made["currency"]) == (
        name,
        "Asia/Kolkata",
        "standard",
        "USD",
    )
    assert printed(invoke("account", "show", name, *common)) == made
    changed = printed(invoke("account", "change", name, "--time-zone", "Europe/Berlin", *common))
    assert changed == {**made, "time_zone": "Europe/Berlin"}
    assert printed(invoke("account", "list", *common)) == {"accounts": [changed]}
    for command in (("show", name), ("list",)):
        text = invoke("account", *command, "--database", database).stdout
        assert name in text
        assert "Europe/Berlin" in text


def test_a_long_list_of_accounts_is_whole(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_PAGE", 4)
    with Ledger(database) as ledger:
        for number in range(10):
            ledger.accounts.create(f"account {number}")
    listed = printed(invoke("account", "list", "--json", "--database", database))["accounts"]
    assert [account["name"] for account in listed] == [f"account {number}" for number in range(10)]


def test_a_name_that_is_too_long_for_the_terminal_is_cropped(database: str) -> None:
    invoke("account", "create", "n" * 150, "--database", database)
    (_, _, line) = invoke("account", "list", "--database", database).stdout.splitlines()
    assert re.fullmatch(r"n+…  UTC +standard +\d{4}-\d\d-\d\d", line)
    assert len(line) <= 80


def test_mistakes_with_accounts_are_told(database: str) -> None:
    where = ("--database", database)
    invoke("account", "create", "acme", *where)
    refused(invoke("account", "create", "acme", *where), "there is an account named 'acme' already")
    refused(invoke("account", "show", "nobody", *where), "there is no such account")
    misused(invoke("account", "change", "acme", *where), "nothing to change")
    result = invoke("account", "create", "x", "--time-zone", "Mars/Olympus", *where)
    refused(result, "time_zone: is not an IANA time zone, such as Europe/Berlin")


def test_lists_that_are_empty_say_how_to_begin(database: str) -> None:
    where = ("--database", database)
    Ledger(database).close()
    for command in (("account", "list"), ("token", "list")):
        result = invoke(*command, *where)
        assert (result.exit_code, result.stdout) == (0, "")
        assert "tallystick" in result.stderr
    assert "nothing is in quarantine" in invoke("quarantine", "list", *where).stderr


def test_a_key_is_created_listed_and_revoked(acme: str) -> None:
    where = ("--database", acme)
    made = printed(invoke("key", "create", "acme", "trial", "--kind", "sandbox", "--json", *where))
    assert (made["account"], made["name"], made["kind"], made["revoked_at"]) == ("acme", "trial", "sandbox", None)
    revoked = printed(invoke("key", "revoke", "acme", "trial", "--json", *where))
    assert revoked["revoked_at"]
    keys = printed(invoke("key", "list", "acme", "--json", *where))["keys"]
    assert {key["name"]: key["kind"] for key in keys} == {
        "some api key": "live",
        "another api key": "live",
        "trial": "sandbox",
    }
    text = invoke("key", "list", "acme", *where).stdout
    assert re.search(rf"^trial +sandbox +\S+ +{revoked['revoked_at'][:10]}", text, re.MULTILINE)
    misused(invoke("key", "create", "acme", "x", "--kind", "free", *where), "'live', 'sandbox'")


# Tokens


def test_a_token_stands_alone_on_standard_output(acme: str) -> None:
    for arguments in (("--scope", "ingest"), ("--scope", "usage", "--account", "acme", "--expires", "90d")):
        result = invoke("token", "create", *arguments, "--database", acme)
        assert result.exit_code == 0
        assert is_token(result.stdout.removesuffix("\n"))
        assert "shown this once" in result.stderr
        assert result.stdout.strip() not in result.stderr


def test_tokens_are_listed_without_their_secrets(acme: str) -> None:
    where = ("--database", acme)
    made = printed(invoke("token", "create", "--scope", "usage", "--account", "acme", "--label", "x", "--json", *where))
    listed = invoke("token", "list", "--json", *where)
    assert printed(listed) == {"tokens": [{name: made[name] for name in made if name != "token"}]}
    assert made["token"] not in listed.stdout + invoke("token", "list", *where).stdout
    assert re.search(
        rf"^{made['id']} +usage +acme +x +\S+ +never", invoke("token", "list", *where).stdout, re.MULTILINE
    )


def test_a_revoked_token_opens_nothing(acme: str) -> None:
    made = printed(invoke("token", "create", "--scope", "admin", "--json", "--database", acme))
    said = invoke("token", "revoke", made["id"], "--database", acme)
    assert said.stderr == f"token {made['id']} (admin) is revoked\n"
    assert printed(invoke("token", "revoke", made["id"], "--json", "--database", acme))["revoked_at"]
    assert "revoked" in invoke("token", "list", "--database", acme).stdout


def test_a_rotated_token_holds_on_for_the_overlap(acme: str) -> None:
    where = ("--database", acme)
    made = printed(invoke("token", "create", "--scope", "ingest", "--json", *where))
    new = invoke("token", "rotate", made["id"], "--overlap", "24h", "--expires", "2090-01-01T00:00:00Z", *where)
    assert is_token(new.stdout.removesuffix("\n"))
    with Ledger(acme) as ledger:
        assert {ledger.tokens.authenticate(token).scope for token in (made["token"], new.stdout.strip())} == {"ingest"}
    old, _ = printed(invoke("token", "list", "--json", *where))["tokens"]
    assert old["expires_at"] is not None


def test_mistakes_with_tokens_are_told(acme: str) -> None:
    where = ("--database", acme)
    misused(invoke("token", "create", "--scope", "king", *where), "'king' is not one of")
    misused(invoke("token", "create", "--scope", "admin", "--expires", "soon", *where), "neither a span")
    misused(invoke("token", "rotate", "x", "--overlap", "soon", *where), "not a span")
    refused(invoke("token", "create", "--scope", "usage", *where), "account: is needed with scope usage")
    refused(invoke("token", "revoke", "x", *where), "there is no such token")


# Plans


def test_a_plan_is_checked_put_and_shown(tmp_path: Path, database: str) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(PLAN)
    where = ("--database", database)
    document = printed(invoke("plan", "check", file, "--json"))
    assert (document["name"], document["meters"][0]["report_as"]) == ("volume", "transcription_tokens")
    put = printed(invoke("plan", "put", file, "--json", *where))
    assert put["versions"] == [{"effective_from": None, "plan": document}]
    assert printed(invoke("plan", "show", "volume", "--json", *where)) == put
    assert {plan["name"] for plan in printed(invoke("plan", "list", "--json", *where))["plans"]} == {
        "standard",
        "volume",
    }
    for command in (("show", "volume"), ("put", file, "--from", "2090-01"), ("list",)):
        assert "volume" in invoke("plan", *command, *where).stdout


def test_a_new_version_holds_from_its_month(tmp_path: Path, database: str) -> None:
    file = tmp_path / "plan.toml"
    for price, months in (("0.01", ()), ("0.02", ("--from", "2090-07"))):
        file.write_text(PLAN.replace("0.01", price))
        invoke("plan", "put", file, *months, "--database", database)
    text = invoke("plan", "show", "volume", "--database", database).stdout
    assert re.search(r"from the beginning\n.* 0\.01 .*from 2090-07\n.* 0\.02 ", text, re.DOTALL)


def test_a_plan_that_is_shown_as_toml_can_be_put_back(tmp_path: Path, database: str) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(PLAN.replace('"volume"', r'"vol\"ume \\ é"'))
    where = ("--database", database)
    invoke("plan", "put", file, *where)
    toml = invoke("plan", "show", 'vol"ume \\ é', "--toml", *where).stdout
    assert printed(invoke("plan", "check", "-", "--json", text=toml)) == printed(
        invoke("plan", "check", file, "--json")
    )


def test_a_plan_may_be_json_and_a_sound_one_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    document = invoke("plan", "check", tmp_path / "plan.toml", "--json").stdout
    result = invoke("plan", "check", "-", text="\ufeff" + document)
    assert (result.exit_code, result.stderr) == (0, "the plan is sound\n")
    assert re.search(r"^transcription +transcription_tokens +0\.01 +1,000", result.stdout, re.MULTILINE)


def test_every_mistake_of_a_plan_is_told_by_its_line_and_key(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(PLAN.replace('"0.01"', "0.01").replace('"EUR"', '"euro"'))
    result = invoke("plan", "check", file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "error: 2 mistakes",
        "  line 2: currency: must be a currency code of three capitals, such as USD",
        '  line 7: meters[0].price: must be a decimal in quotes, such as "0.03", not float',
    ]
    told = invoke("plan", "check", file, "--json")
    assert (told.exit_code, told.stderr) == (1, "")
    assert [(error["line"], error["key"]) for error in json.loads(told.stdout)["errors"]] == [
        (2, "currency"),
        (7, "meters[0].price"),
    ]
    assert invoke("plan", "put", file, "--database", f"sqlite:///{tmp_path}/x.db").stderr == result.stderr


@pytest.mark.parametrize(
    ("body", "message"), [(b'{"name":', "is not JSON: "), (b"name = ", "is not TOML: "), (b"\xff", "is not UTF-8: ")]
)
def test_a_file_that_is_no_plan_at_all_is_told(body: bytes, message: str) -> None:
    result = invoke("plan", "check", "-", text=body)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: line 1: {message}")


# Quarantine


def test_rejected_jobs_are_listed_and_replayed_once_the_cause_is_gone(acme: str, tmp_path: Path) -> None:
    where = ("--database", acme)
    job = {"account": "acme", "api_key": "k", "completed_at": "2025-01-02T00:00:00Z", "tokens": {"pages": 3}}
    lines = [json.dumps({**job, "id": "a"}), json.dumps({**job, "id": "b"}), '{"id": \x1b[31m']
    invoke("import", "-", *where, text="\n".join(lines))
    page = printed(invoke("quarantine", "list", "--json", *where))
    assert [item["code"] for item in page["items"]] == ["unknown_meter", "unknown_meter", "invalid"]
    text = invoke("quarantine", "list", *where).stdout
    assert text.count("unknown_meter") == 2
    assert "\x1b" not in text

    (tmp_path / "plan.toml").write_text(PLAN.replace('"transcription"', '"pages"'))
    invoke("plan", "put", tmp_path / "plan.toml", *where)
    first = str(page["items"][0]["id"])
    assert printed(invoke("quarantine", "replay", first, "--json", *where)) == {"replayed": 1, "remaining": 0}
    result = invoke("quarantine", "replay", *where)
    assert (result.exit_code, result.stdout) == (0, "1 stored, 1 rejected again\n")
    (item,) = printed(invoke("quarantine", "list", "--json", *where))["items"]
    assert item["code"] == "invalid"


def test_a_long_quarantine_is_listed_in_parts(acme: str) -> None:
    where = ("--database", acme)
    invoke("import", "-", *where, text="\n".join(f"broken {number}" for number in range(5)))
    result = invoke("quarantine", "list", "--limit", "3", *where)
    (cursor,) = re.findall(r"^3 of 5; more with --cursor (\S+)$", result.stderr, re.MULTILINE)
    pages = [("--limit", "3"), ("--cursor", cursor)]
    items = [printed(invoke("quarantine", "list", *page, "--json", *where))["items"] for page in pages]
    assert [len(page) for page in items] == [3, 2]
    assert {item["item"] for page in items for item in page} == {f"broken {number}" for number in range(5)}


def test_a_quarantine_that_dropped_items_says_so(acme: str) -> None:
    environment = {"TALLYSTICK_DATABASE": acme, "TALLYSTICK_QUARANTINE_ITEMS": "2"}
    invoke("import", "-", text="\n".join(f"broken {number}" for number in range(5)), **environment)
    assert "3 older items were dropped" in invoke("quarantine", "list", **environment).stderr


# Notices


def test_notices_are_listed_newest_first(acme: str) -> None:
    where = ("--database", acme)
    assert "no notices yet" in invoke("notice", "list", *where).stderr
    with Ledger(acme, clock=lambda: parse_instant("2025-01-31T12:00:00Z")) as ledger:
        ledger.notices.look()
    (notice,) = printed(invoke("notice", "list", "--json", *where))["notices"]
    assert (notice["account"], notice["event"]) == (None, "account.created")
    assert notice["data"] == {"count": 1, "accounts": ["acme"]}
    text = invoke("notice", "list", *where).stdout
    assert "account.created" in text
    assert "1 new: acme" in text
    assert max(map(len, text.splitlines())) <= 80
