"""Budgets over HTTP: who may see and set whose, and what is refused."""

from __future__ import annotations

import pytest

from tests.api.service import Service, job, places, problem
from tests.databases import Databases

PATH = "/usage/budget"
CURRENT = "2025-02-01T11:00:00Z"


@pytest.fixture(scope="module")
def engine(databases: Databases) -> Databases:
    """Nobody may see another's budgets on either engine."""
    return databases


@pytest.fixture
def account(shared: Service) -> str:
    """A new account with a job of the current month."""
    name = shared.account()
    shared.post_jobs(job(name, completed_at=CURRENT))
    return name


def test_a_budget_is_set_seen_and_removed_by_the_account_itself(shared: Service, account: str) -> None:
    manage = shared.token("manage", account)
    body = {"amount": "250.00", "thresholds": [80, 50]}
    answer = shared.call("PUT", PATH, token=manage, json=body)
    assert answer.headers["tallystick-currency"] == "USD"
    assert answer.text == (
        '{"month":"2025-02","budgets":[{"api_key":null,"amount":250.0,"thresholds":[50,80],"cost":0.0,"left":250.0,'
        '"used_percentage":0.0,"thresholds_passed":[]}]}'
    )
    for token in (manage, shared.token("usage", account)):
        seen = shared.call("GET", PATH, token=token)
        assert (seen.text, seen.headers["tallystick-currency"]) == (answer.text, "USD")
        assert shared.call("GET", PATH, token=token, headers={"If-None-Match": seen.headers["etag"]}).status_code == 304
    assert shared.call("DELETE", PATH, token=manage).status_code == 204
    assert shared.call("GET", PATH, token=manage).json() == {"month": "2025-02", "budgets": []}
    problem(shared.call("DELETE", PATH, token=manage), 404, "unknown_budget")


def test_an_admin_sets_sees_and_removes_any_accounts(shared: Service, account: str) -> None:
    place = {"account": account, "api_key": "a key"}
    assert shared.admin("PUT", PATH, params=place, json={"amount": 1}).status_code == 200
    seen = shared.admin("GET", PATH, params={"account": account}).json()
    assert [budget["api_key"] for budget in seen["budgets"]] == ["a key"]
    assert shared.admin("DELETE", PATH, params=place).status_code == 204
    for method, body in (("GET", None), ("PUT", {"amount": 1}), ("DELETE", None)):
        document = problem(shared.admin(method, PATH, json=body), 400, "invalid_parameter")
        assert places(document) == ["account"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("other", ["theirs", "nobody's"])
def test_a_token_of_one_account_reaches_no_other(shared: Service, account: str, method: str, other: str) -> None:
    """Whether the other account exists or not, the answer is the same, and nothing happens."""
    theirs = shared.account()
    shared.ledger.accounts.create_key(theirs, "their key")
    shared.ledger.budgets.set(theirs, amount="7654.321")
    body = {"amount": 1} if method == "PUT" else None
    name = theirs if other == "theirs" else "there is no such account"
    for scope in ("manage", "usage"):
        answer = shared.call(method, PATH, token=shared.token(scope, account), params={"account": name}, json=body)
        document = problem(answer, 403, "forbidden")
        assert "7654.321" not in answer.text
        assert name not in document["detail"]
    if method != "GET":
        place = {"api_key": "their key"}
        answer = shared.call(method, PATH, token=shared.token("manage", account), params=place, json=body)
        problem(answer, 404, "unknown_key")
    (kept,) = shared.ledger.budgets.list(theirs).budgets
    assert (kept.api_key, str(kept.amount)) == (None, "7654.321")
    assert shared.ledger.budgets.list(account).budgets == ()


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_usage_token_changes_nothing(shared: Service, account: str, method: str) -> None:
    shared.ledger.budgets.set(account, amount="5")
    answer = shared.call(method, PATH, token=shared.token("usage", account), json={"amount": 1})
    problem(answer, 403, "forbidden")
    assert [str(use.amount) for use in shared.ledger.budgets.list(account).budgets] == ["5.0"]


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        (b"", "invalid_json", []),
        (b"[]", "invalid", [""]),
        (b"{}", "invalid", ["/amount"]),
        (b'{"amount": null}', "invalid", ["/amount"]),
        (b'{"amount": true}', "invalid", ["/amount"]),
        (b'{"amount": "x"}', "invalid", ["/amount"]),
        (b'{"amount": "NaN"}', "invalid", ["/amount"]),
        (b'{"amount": 0}', "invalid", ["/amount"]),
        (b'{"amount": -0.01}', "invalid", ["/amount"]),
        (b'{"amount": 1e400}', "invalid", ["/amount"]),
        (b'{"amount": "1", "amonut": 2}', "invalid", ["/amonut"]),
        (b'{"amount": 1, "thresholds": 50}', "invalid", ["/thresholds"]),
        (b'{"amount": 1, "thresholds": [50.5]}', "invalid", ["/thresholds/0"]),
        (b'{"amount": 1, "thresholds": [50, 0]}', "invalid", ["/thresholds"]),
        (b'{"amount": 1, "thresholds": [18446744073709551616]}', "invalid", ["/thresholds"]),
    ],
)
def test_a_body_that_is_no_budget_is_refused_with_its_place(
    shared: Service, account: str, body: bytes, code: str, place: list[str]
) -> None:
    answer = shared.call("PUT", PATH, token=shared.token("manage", account), content=body)
    assert places(problem(answer, 400, code)) == place
    assert shared.ledger.budgets.list(account).budgets == ()


def test_an_amount_is_read_from_its_digits_with_and_without_quotes(shared: Service, account: str) -> None:
    for written in (b"123456789012.123456789012", b'"123456789012.123456789012"'):
        answer = shared.call(
            "PUT", PATH, token=shared.token("manage", account), content=b'{"amount": ' + written + b"}"
        )
        assert '"amount":123456789012.123456789012,' in answer.text


def test_a_key_that_is_sandbox_or_unknown_is_refused_by_name(shared: Service, account: str) -> None:
    shared.ledger.accounts.create_key(account, "trial", kind="sandbox")
    manage = shared.token("manage", account)
    answer = shared.call("PUT", PATH, token=manage, params={"api_key": "trial"}, json={"amount": 1})
    assert places(problem(answer, 400, "invalid")) == ["api_key"]
    problem(shared.call("PUT", PATH, token=manage, params={"api_key": "no"}, json={"amount": 1}), 404, "unknown_key")
    problem(shared.call("PUT", PATH, token=manage, params={"key": "no"}, json={"amount": 1}), 400, "invalid_parameter")
