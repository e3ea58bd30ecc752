"""``tallystick budget``, over a database and over a server."""

from __future__ import annotations

import json

from tallystick.ledger import Ledger
from tests.cli.conftest import Service
from tests.cli.running import invoke


def test_budgets_are_set_listed_and_removed_in_a_database(acme: str) -> None:
    where = ("--account", "acme", "--database", acme)
    assert "no budgets" in invoke("budget", "list", *where).stderr
    invoke("budget", "set", "250", *where)
    done = invoke("budget", "set", "99.50", "--key", "some api key", "--thresholds", "80,120", *where)
    assert done.exit_code == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][2:5] == ["USD", "a", "month"]
    assert lines[2][2:5] == ["250.0", "0.0", "250.0"]
    assert lines[3][3:6] == ["99.5", "0.0", "99.5"]
    assert max(map(len, done.stdout.splitlines())) <= 80
    with Ledger(acme) as ledger:
        assert [use.thresholds for use in ledger.budgets.list("acme").budgets] == [(50, 80, 100), (80, 120)]
    removed = invoke("budget", "remove", "--key", "some api key", "--json", *where)
    assert [budget["api_key"] for budget in json.loads(removed.stdout)["budgets"]] == [None]
    refused = invoke("budget", "remove", "--key", "some api key", *where)
    assert (refused.exit_code, refused.stderr) == (1, "error: the API key has no budget\n")


def test_budgets_of_a_server_are_its_tokens_own(service: Service) -> None:
    manage = service.ledger.tokens.create("manage", account="acme").token
    server = {"TALLYSTICK_URL": service.url, "TALLYSTICK_TOKEN": manage}
    set_one = invoke("budget", "set", "0.5", "--thresholds", "none", "--json", **server)
    assert json.loads(set_one.stdout)["budgets"][0]["thresholds"] == []
    listed = invoke("budget", "list", "--json", **{**server, "TALLYSTICK_TOKEN": service.usage})
    assert listed.stdout == set_one.stdout
    refused = invoke("budget", "set", "1", **{**server, "TALLYSTICK_TOKEN": service.usage})
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "scope admin or manage" in refused.stderr
    assert invoke("budget", "remove", **server).exit_code == 0
    assert service.ledger.budgets.list("acme").budgets == ()


def test_what_is_no_budget_is_refused_in_a_sentence(acme: str) -> None:
    where = ("--account", "acme", "--database", acme)
    assert invoke("budget", "set", "0", *where).stderr == "error: amount: must be more than 0\n"
    assert "whole percents" in invoke("budget", "set", "1", "--thresholds", "half", *where).stderr
    assert "between 1 and 1000" in invoke("budget", "set", "1", "--thresholds", "0", *where).stderr
    needed = invoke("budget", "list", "--database", acme)
    assert needed.exit_code == 2
    assert "--account is needed" in needed.stderr
