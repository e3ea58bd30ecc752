"""What goes wrong keeps the page: it says what happened, what to do, and the request's id."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger
from tests.api.service import Records, Service, recording
from tests.web.site import PREFIX, Visitor


def test_an_address_without_a_page_says_so(customer: Visitor) -> None:
    answer = customer.get("/nothing/here")
    assert answer.status_code == 404
    assert "No page has this address" in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert ">Ledger<" in answer.text, "the ways to the other pages stay"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
def test_another_method_is_a_page_too(customer: Visitor, method: str) -> None:
    answer = customer.client.request(method, f"{PREFIX}/jobs")
    assert answer.status_code == 405
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("?start_month=2025-13", "must be a month of the form YYYY-MM"),
        ("?start_month=2025-03&end_month=2025-01", "lies before start_month"),
        ("?start_month=1990-01&end_month=2025-01", "at most 120"),
        ("?months_sort=cost", "is not a column; known are month, jobs"),
        ("?keys_sort=", None),
        ("?keys_page=0", "from 1"),
        ("?keys_page=-1", "from 1"),
        ("?keys_page=99999999999", "from 1"),
        ("?keys_page=٣", "from 1"),
        ("?start_month=%ff", "cannot be read"),
        ("?" + "&".join(f"a{n}=1" for n in range(60)), "cannot be read"),
        ("/jobs?behind=nonsense", "must be a whole number"),
    ],
)
def test_an_address_that_does_not_fit_says_where(customer: Visitor, path: str, told: str | None) -> None:
    answer = customer.get(path)
    if told is None:
        assert answer.status_code == 200
        return
    assert answer.status_code == 400
    assert told in answer.text
    assert ">Ledger<" in answer.text


def test_an_account_that_does_not_exist_is_told_to_the_provider(provider: Visitor) -> None:
    answer = provider.get("/accounts/nobody%20knows")
    assert answer.status_code == 404
    assert "There is no such account" in answer.text
    assert provider.get("/accounts/%ff").status_code == 400


@pytest.fixture
def broken(shared: Service, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets the report fail with what it is given."""

    def fail_with(error: Exception) -> None:
        def usage(*_: object) -> None:
            raise error

        monkeypatch.setattr(Ledger, "usage", usage)

    return fail_with


def test_an_error_of_ours_keeps_the_page_and_tells_the_log(shared: Service, customer: Visitor, broken: Any) -> None:
    broken(ZeroDivisionError("secret figures"))
    records: Records
    with recording() as records:
        answer = customer.get()
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "secret figures" not in answer.text
    request_id = re.search(r"Request id <code>(\w+)</code>", answer.text)
    assert request_id
    assert request_id[1] == answer.headers["x-request-id"]
    assert any(request_id[1] in line and "ZeroDivisionError" in line for line in records.errors())


def test_a_database_that_cannot_be_reached_says_to_try_again(customer: Visitor, broken: Any) -> None:
    broken(StoreUnavailable("postgresql://user:password@host is down"))
    answer = customer.get()
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "Try again in a moment" in answer.text
    assert "password" not in answer.text


def test_tokens_are_struck_out_of_what_a_page_tells(shared: Service, customer: Visitor) -> None:
    token = shared.token("admin")
    answer = customer.get("", start_month=token)
    assert answer.status_code == 400
    assert token not in answer.text
