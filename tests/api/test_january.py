"""The contract's January over HTTP."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal

import pytest

from tests.api.service import JANUARY, JANUARY_JOBS, JANUARY_REPORT, LINES, Service
from tests.databases import Databases


@pytest.fixture(scope="module")
def engine(databases: Databases) -> Databases:
    """Every call answers alike on each engine."""
    return databases


def ordered(text: str) -> object:
    """JSON with numbers as their digits and objects as lists of pairs, so that the order of members counts."""
    return json.loads(text, parse_float=Decimal, object_pairs_hook=list)


def as_array(lines: bytes) -> bytes:
    return b"[" + b",".join(lines.splitlines()) + b"]"


@pytest.mark.parametrize("path", ["/usage", "/user/usage"])
def test_the_report_of_the_contract_comes_out_digit_for_digit_in_its_order(shared: Service, path: str) -> None:
    response = shared.call("GET", path, params=JANUARY, token=shared.token("usage", "acme"))
    assert response.status_code == 200
    assert ordered(response.text) == ordered(JANUARY_REPORT)
    assert "".join(response.text.split()) == "".join(JANUARY_REPORT.split())
    assert response.headers["tallystick-currency"] == "USD"


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("form", ["lines", "array", "single"])
def test_the_history_gives_the_report_in_whatever_form_it_was_sent(fresh: Service, form: str, zipped: bool) -> None:
    bodies = {"lines": [JANUARY_JOBS], "array": [as_array(JANUARY_JOBS)], "single": JANUARY_JOBS.splitlines()}[form]
    headers = {"Content-Encoding": "gzip"} if zipped else {}
    for body in bodies:
        sent = gzip.compress(body) if zipped else body
        response = fresh.post_jobs(sent, kind=LINES if form == "lines" else "application/json", headers=headers)
        assert response.status_code == 200
        assert response.json()["rejected"] == []
    report = fresh.admin("GET", "/usage", params={**JANUARY, "account": "acme"})
    assert ordered(report.text) == ordered(JANUARY_REPORT)


def test_sending_the_history_again_changes_nothing(fresh: Service) -> None:
    fresh.post_jobs(JANUARY_JOBS, kind=LINES)
    again = fresh.post_jobs(as_array(JANUARY_JOBS))
    assert again.json() == {"accepted": 0, "duplicates": 108, "rejected": []}
    report = fresh.admin("GET", "/usage", params={**JANUARY, "account": "acme"})
    assert ordered(report.text) == ordered(JANUARY_REPORT)
