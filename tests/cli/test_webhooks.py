"""``tallystick webhook``, over a database and over a server."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tallystick.ledger import Ledger
from tallystick.ledger.deliveries import Result as Attempted
from tallystick.ledger.deliveries import Room
from tallystick.model.instants import SECOND
from tallystick.model.webhooks import Policy
from tests.cli.conftest import Service
from tests.cli.running import invoke

URL = "https://hooks.example/usage"


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def where(tmp_path: Path) -> tuple[str, str]:
    database = f"sqlite:///{tmp_path}/tallystick.db"
    with Ledger(database) as ledger:
        ledger.accounts.create("acme")
    return "--database", database


def test_a_new_endpoint_prints_its_secret_alone(where: tuple[str, str]) -> None:
    made = invoke("webhook", "create", URL, "--account", "acme", "--event", "tier.reached", *where)
    assert made.exit_code == 0, made.stderr
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=\n", made.stdout)
    assert "of account acme hears of tier.reached; its secret is shown this once" in made.stderr
    (endpoint,) = printed(invoke("webhook", "list", "--json", *where))["webhooks"]
    assert (endpoint["account"], endpoint["events"]) == ("acme", ["tier.reached"])
    assert made.stdout.strip() not in invoke("webhook", "list", *where).stdout


def test_endpoints_whose_urls_begin_and_end_alike_are_told_apart(where: tuple[str, str]) -> None:
    urls = [f"https://hooks.example/tallystick/of-customer-{number}/usage/and/statistics/2025" for number in (1, 2)]
    for url in urls:
        invoke("webhook", "create", url, "--account", "acme", "--event", "free_jobs.exhausted", *where)
    header, _, *lines = invoke("webhook", "list", *where).stdout.splitlines()
    assert max(map(len, [header, *lines])) <= 80
    assert "".join(line[header.index("url") :].rstrip() for line in lines) == "".join(urls)


def test_no_event_is_cropped_among_the_deliveries(where: tuple[str, str]) -> None:
    endpoint = printed(invoke("webhook", "create", URL, "--account", "acme", "--json", *where))["id"]
    now = datetime.now(UTC)
    with Ledger(where[1]) as ledger:
        ledger.record(
            {
                "id": f"{number}",
                "account": "acme",
                "api_key": "k",
                "completed_at": (now - timedelta(seconds=100 - number)).isoformat(),
                "tokens": {"transcription": 1000},
            }
            for number in range(100)
        )
        ledger.budgets.set("acme", amount=1)
        ledger.notices.look()
        tasks = ledger.deliveries.work([], Room(9, 9, lambda _: 9), Policy())
        failed = [Attempted(task, ledger.deliveries.now(), 1234, 503, "not a status of success") for task in tasks]
        ledger.deliveries.work(failed, Room(0, 0, lambda _: 0), Policy(retries=(8000 * SECOND,)))
    lines = invoke("webhook", "deliveries", endpoint, *where).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert sorted(line.split()[1:] for line in lines[2:]) == [
        ["free_jobs.exhausted", "waiting", "1", "2h"],
        ["free_jobs.low", "waiting", "1", "2h"],
    ]


def test_what_is_wrong_with_a_url_or_event_is_said(where: tuple[str, str]) -> None:
    for arguments, message in (
        (["http://hooks.example/"], "url: must begin with https://"),
        (
            ["https://10.0.0.1/"],
            "url: leads to 10.0.0.1, a private address; webhooks go to public addresses, and to networks that",
        ),
        ([URL, "--event", "sun.rose"], "events: must be of: free_jobs.low"),
        ([URL, "--account", "nobody"], "there is no such account"),
    ):
        result = invoke("webhook", "create", *arguments, *where)
        assert (result.exit_code, result.stdout) == (1, "")
        assert message in result.stderr


def test_an_endpoint_is_shown_changed_rotated_and_removed(where: tuple[str, str]) -> None:
    made = printed(invoke("webhook", "create", URL, "--json", *where))
    endpoint = made["id"]
    assert made["account"] is None
    shown = invoke("webhook", "show", endpoint, *where).stdout
    assert re.search(r"account +the provider", shown)
    assert re.search(r"hears of +all", shown)
    changed = printed(invoke("webhook", "change", endpoint, "--off", "--event", "tier.reached", "--json", *where))
    assert (changed["off_reason"], changed["events"]) == ("by_hand", ["tier.reached"])
    assert "off (by hand)" in invoke("webhook", "list", *where).stdout
    again = invoke("webhook", "change", endpoint, "--on", "--event", "all", "--target", f"{URL}/2", *where).stdout
    assert re.search(r"state +on", again)
    assert f"{URL}/2" in again
    rotated = invoke("webhook", "rotate", endpoint, "--overlap", "2h", *where)
    assert rotated.stdout.startswith("whsec_")
    assert rotated.stdout.strip() != made["secret"]
    assert invoke("webhook", "remove", endpoint, *where).exit_code == 0
    assert "no endpoints yet" in invoke("webhook", "list", *where).stderr
    missing = invoke("webhook", "show", endpoint, *where)
    assert (missing.exit_code, missing.stderr) == (1, "error: there is no such webhook endpoint\n")


def test_a_test_event_its_log_and_a_replay(where: tuple[str, str]) -> None:
    endpoint = printed(invoke("webhook", "create", URL, "--account", "acme", "--json", *where))["id"]
    assert "nothing was sent" in invoke("webhook", "deliveries", endpoint, *where).stderr
    sent = printed(invoke("webhook", "test", endpoint, "--json", *where))
    assert "is on its way" in invoke("webhook", "replay", endpoint, sent["notice"], *where).stderr
    assert "not tried yet" in invoke("webhook", "deliveries", endpoint, "--notice", sent["notice"], *where).stderr
    with Ledger(where[1]) as ledger:
        tasks = ledger.deliveries.work([], Room(1, 1, lambda _: 1), Policy())
        failed = [Attempted(task, ledger.deliveries.now(), 1234, 503, "not a status of success") for task in tasks]
        ledger.deliveries.work(failed, Room(0, 0, lambda _: 0), Policy())
    listed = invoke("webhook", "deliveries", endpoint, *where).stdout
    assert max(map(len, listed.splitlines())) <= 80
    assert re.search(rf"{sent['notice']} +webhook\.test +waiting +1 +\d", listed)
    assert printed(invoke("webhook", "deliveries", endpoint, "--state", "failed", "--json", *where))["deliveries"] == []
    log = invoke("webhook", "deliveries", endpoint, "--notice", sent["notice"], *where).stdout
    assert re.search(r"1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +503 +1,234 +not a status of success", log)
    assert '"type":"webhook.test"' in log.replace("\n", "").replace(" ", "")


def test_what_was_missed_is_replayed(where: tuple[str, str]) -> None:
    endpoint = printed(invoke("webhook", "create", URL, "--json", *where))["id"]
    with Ledger(where[1]) as ledger:
        ledger.webhooks.change(endpoint, on=False)
        ledger.notices.look()
        ledger.webhooks.change(endpoint, on=True)
    assert invoke("webhook", "replay", endpoint, "--since", "1h", *where).stdout == "1 on their way\n"
    assert printed(invoke("webhook", "replay", endpoint, "--since", "29d", "--json", *where)) == {"replayed": 0}
    too_early = invoke("webhook", "replay", endpoint, "--since", "2025-01-01T00:00:00Z", *where)
    assert too_early.exit_code == 1
    assert "where the log of deliveries begins" in too_early.stderr
    for arguments in ([], ["ntc_1", "--since", "1h"], ["--since", "yesterday"]):
        assert invoke("webhook", "replay", endpoint, *arguments, *where).exit_code == 2


def test_a_key_is_printed_alone_and_seals(tmp_path: Path, where: tuple[str, str]) -> None:
    key = invoke("webhook", "key")
    file = tmp_path / "webhook.key"
    file.write_text(key.stdout)
    file.chmod(0o600)
    secret = invoke("webhook", "create", URL, *where, TALLYSTICK_WEBHOOK_KEY_FILE=str(file)).stdout.strip()
    assert secret.removeprefix("whsec_").encode() not in (tmp_path / "tallystick.db").read_bytes()
    assert list(printed(invoke("webhook", "key", "--json"))) == ["key"]
    refused = invoke("webhook", "list", *where, TALLYSTICK_WEBHOOK_KEY_FILE=str(tmp_path / "none"))
    assert "TALLYSTICK_WEBHOOK_KEY_FILE: cannot be read" in refused.stderr


def test_a_customer_manages_its_own_endpoints_over_a_server(service: Service) -> None:
    service.ledger.accounts.create("mine")
    token = service.ledger.tokens.create("manage", account="mine").token
    server = {"TALLYSTICK_URL": service.url, "TALLYSTICK_TOKEN": token}
    made = printed(invoke("webhook", "create", URL, "--json", **server))
    assert made["account"] == "mine"
    assert [one["id"] for one in printed(invoke("webhook", "list", "--json", **server))["webhooks"]] == [made["id"]]
    assert printed(invoke("webhook", "test", made["id"], "--json", **server))["state"] == "waiting"
    assert printed(invoke("webhook", "change", made["id"], "--off", "--json", **server))["off_reason"] == "by_hand"
    for arguments in (["create", URL], ["change", made["id"]]):
        refused = invoke("webhook", *arguments, "--event", "account.created", **server)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "/events: must be of: free_jobs.low, " in refused.stderr
        assert "; of account.created the provider alone hears" in refused.stderr
    assert invoke("webhook", "remove", made["id"], **server).exit_code == 0
