"""The demo: everything at once, on a terminal and without one, and nothing left behind."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from string import Template

import httpx
import pytest

from tallystick.client import Client
from tallystick.demo.history import CUSTOMERS
from tallystick.demo.scenario import Demo, january_report, running_demo
from tests.cli.running import Terminal, run, terminal

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """A demo that runs in this process."""
    with running_demo(NOW, lambda _: None) as running:
        yield running


@pytest.fixture
def admin(demo: Demo) -> Iterator[Client]:
    with Client(base_url=demo.url, token=demo.tokens.admin) as client:
        yield client


# What it holds


def test_the_report_is_the_contracts(demo: Demo) -> None:
    assert demo.report.to_json(indent=2) + "\n" == january_report()


def test_acme_has_the_contracts_jobs_and_no_others(demo: Demo) -> None:
    with Client(base_url=demo.url, token=demo.tokens.acme) as client:
        assert client.usage.get(end_month=f"{NOW:%Y-%m}").totals.jobs == 108


def test_the_meters_are_those_of_the_contract(admin: Client) -> None:
    (plan,) = admin.plans.list()
    assert [meter["id"] for meter in plan.versions[-1].plan["meters"]] == ["transcription", "note_generation"]


def test_one_account_reaches_the_last_tier_and_one_pays_nothing(admin: Client) -> None:
    usage = {customer.name: admin.usage.get(end_month=f"{NOW:%Y-%m}", account=customer.name) for customer in CUSTOMERS}
    assert set(usage[CUSTOMERS[0].name].monthly_breakdown[-1].tiers) == {"tier1", "tier2", "tier3", "tier4"}
    assert any(month.tiers["tier4"] for month in usage[CUSTOMERS[0].name].monthly_breakdown)
    assert any(report.totals.final_cost == 0 and report.totals.jobs for report in usage.values())


def test_every_mistake_of_the_workers_is_in_quarantine(admin: Client) -> None:
    codes = {item.code for item in admin.quarantine.list().items}
    assert codes == {"future", "invalid", "unknown_meter", "key_kind", "conflict"}


def test_sandbox_jobs_are_there_and_cost_nothing(admin: Client) -> None:
    keys = {key.name: key.kind for key in admin.accounts.keys(CUSTOMERS[0].name)}
    assert set(keys.values()) == {"live", "sandbox"}
    listed = admin.usage.get(end_month=f"{NOW:%Y-%m}", account=CUSTOMERS[0].name).api_keys
    assert set(listed) == {name for name, kind in keys.items() if kind == "live"}


# How it runs


def test_without_a_terminal_it_prints_the_report_and_ends(tmp_path: Path) -> None:
    done = run("demo", TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    begin = done.stdout.index("{\n")
    report, end = json.JSONDecoder().raw_decode(done.stdout, begin)
    assert done.stdout[begin:end] + "\n" == january_report()
    assert report["totals"]["jobs"] == 108
    assert re.search(r"^2025-01 +108 +1,672 +2,905 +0\.07592", done.stdout[end:], re.MULTILINE)
    assert re.search(r"^serving at http://127\.0\.0\.1:\d+ ", done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "Ctrl-C" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_as_json_it_prints_the_report_alone() -> None:
    done = run("demo", "--json", TALLYSTICK_URL="http://127.0.0.1:1", TALLYSTICK_REGISTER="false")
    assert (done.returncode, done.stdout) == (0, january_report())
    assert "29," in done.stderr


def shown_commands(shown: Terminal) -> dict[str, str]:
    """The variables that the demo tells to export."""
    return dict(re.findall(r"^export (TALLYSTICK_\w+)=(\S+)$", shown.plain, re.MULTILINE))


def fetched_as_told(shown: Terminal, environment: dict[str, str]) -> object:
    """What the request answers that the demo tells to make with curl, which not every machine has."""
    told = re.findall(r'^curl -H "(\S+): (.+)" \\\n     "(\S+)"$', shown.plain, re.MULTILINE)
    ((header, value, url),) = [[Template(part).substitute(environment) for part in parts] for parts in told]
    return httpx.get(url, headers={header: value}).json()


def assert_offered_tokens_sign_in(shown: Terminal) -> None:
    """The dashboard's address is there, and the tokens beside it open the customer's page and the provider's."""
    (dashboard,) = re.findall(r"^Look at it in a browser: (\S+)$", shown.plain, re.MULTILINE)
    offered = dict(re.findall(r"^  a (customer|provider)  (tally_\w+)$", shown.plain, re.MULTILINE))
    opened = {}
    for viewer, token in offered.items():
        with httpx.Client() as browser:
            form = re.search(r'name="form_token" value="(\w+)"', browser.get(f"{dashboard}/sign-in").text)
            assert form
            sent = browser.post(f"{dashboard}/sign-in", data={"form_token": form[1], "token": token})
            opened[viewer] = sent.headers["Location"]
    assert opened == {"customer": "/dashboard", "provider": "/dashboard/accounts"}


def test_on_a_terminal_it_serves_until_it_is_stopped(tmp_path: Path) -> None:
    with terminal("demo", TMPDIR=str(tmp_path)) as shown:
        shown.wait_for("Ctrl-C stops the server")
        assert max(map(len, shown.plain.splitlines())) <= 80
        environment = shown_commands(shown)
        for path in ("/docs", "/openapi.json", "/healthz", "/readyz"):
            assert f" {environment['TALLYSTICK_URL']}{path}\n" in shown.plain
            assert httpx.get(environment["TALLYSTICK_URL"] + path).status_code == 200
        (command,) = re.findall(r"^(tallystick usage .*)$", shown.plain, re.MULTILINE)
        usage = run(*command.split()[1:], "--json", **environment)
        assert usage.stdout == january_report()
        assert fetched_as_told(shown, environment) == json.loads(january_report())
        assert_offered_tokens_sign_in(shown)
        shown.process.send_signal(signal.SIGINT)
        assert shown.wait() == 0
    assert shown.plain.endswith("stopped; the temporary database is removed\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_ended_early_leaves_nothing_behind(tmp_path: Path, end: signal.Signals) -> None:
    with terminal("demo", TMPDIR=str(tmp_path)) as shown:
        shown.wait_for("serving at")
        assert list(tmp_path.iterdir()) != []
        shown.process.send_signal(end)
        assert shown.wait() == 128 + end
    assert "Traceback" not in shown.plain
    assert list(tmp_path.iterdir()) == []


def test_the_port_may_be_chosen_and_one_that_is_taken_is_told(demo: Demo) -> None:
    port = demo.url.rpartition(":")[2]
    done = run("demo", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: port: {port} at 127.0.0.1 cannot be taken")
