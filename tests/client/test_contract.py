"""The contract's report through the SDK: every digit and the order of keys come out as they came in."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final

import msgspec
import pytest

from tallystick import IngestResult, UsageReport
from tests.client.scripted import Twin, answer

MakeTwin = Callable[..., Twin]

DATA: Final = files("tallystick.demo") / "data"


@pytest.fixture(scope="module")
def body() -> bytes:
    return (DATA / "january-2025.report.json").read_bytes()


@pytest.fixture
def usage(twin: MakeTwin, body: bytes) -> UsageReport:
    client = twin(answer(body=body, Tallystick_Currency="USD"))
    report: UsageReport = client.call("usage.get", start_month="2025-01", end_month="2025-01")
    return report


def exact(text: bytes | str) -> Any:
    """JSON with decimals for numbers, and pairs for objects, so that order counts."""
    return json.loads(text, parse_float=Decimal, object_pairs_hook=list)


def test_to_json_is_the_contracts_report(usage: UsageReport, body: bytes) -> None:
    assert exact(usage.to_json()) == exact(body)
    assert usage.to_json(indent=2) == body.decode().strip()


def test_to_dict_is_the_contracts_report_with_exact_money(usage: UsageReport, body: bytes) -> None:
    wire = usage.to_dict()
    assert wire == json.loads(body, parse_float=Decimal)
    assert list(wire) == ["period", "totals", "monthly_breakdown", "api_keys"]
    assert list(wire["api_keys"]) == ["some api key", "another api key"]


def test_money_is_decimal_from_the_digits(usage: UsageReport) -> None:
    assert usage.totals.final_cost == Decimal("0.07592")
    assert isinstance(usage.totals.final_cost, Decimal)
    assert usage.api_keys["another api key"].costs.base == Decimal("0.00836")
    assert (usage.totals.jobs, usage.totals.transcription_tokens, usage.totals.note_tokens) == (108, 1672, 2905)
    assert usage.monthly_breakdown[0].tiers == {"tier1": 108, "tier2": 0, "tier3": 0, "tier4": 0}
    assert usage.currency == "USD"
    assert no_floats(usage.to_dict())


def no_floats(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(no_floats, value.values()))
    if isinstance(value, list):
        return all(map(no_floats, value))
    return not isinstance(value, float)


def test_a_report_cannot_be_changed(usage: UsageReport) -> None:
    for part in (usage, usage.period, usage.totals, usage.monthly_breakdown[0], usage.api_keys["some api key"]):
        assert isinstance(part, msgspec.Struct)
        with pytest.raises(AttributeError):
            setattr(part, part.__struct_fields__[0], None)


def test_print_shows_a_table(usage: UsageReport, capsys: pytest.CaptureFixture[str]) -> None:
    print(usage)  # noqa: T201 what is tested
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "Usage 2025-01",
        "",
        "month    jobs  transcription_tokens  note_tokens  base (USD)  savings    final",
        "-------  ----  --------------------  -----------  ----------  -------  -------",
        "2025-01   108                  1672         2905     0.07592      0.0  0.07592",
        "-------  ----  --------------------  -----------  ----------  -------  -------",
        "total     108                  1672         2905     0.07592      0.0  0.07592",
        "",
        "api key          jobs  transcription_tokens  note_tokens  base (USD)  savings    final",
        "---------------  ----  --------------------  -----------  ----------  -------  -------",
        "some api key      107                  1520         2715     0.06756      0.0  0.06756",
        "another api key     1                   152          190     0.00836      0.0  0.00836",
        "",
        "effective discount 0.0 %, free jobs left 0",
    ]


def test_without_the_currency_header_the_report_has_none(twin: MakeTwin, body: bytes) -> None:
    report = twin(answer(body=body)).call("usage.get")
    assert report.currency == ""
    assert "(USD)" not in str(report)


def test_the_contracts_history_is_sent_as_it_was_written(twin: MakeTwin) -> None:
    lines = (DATA / "january-2025.jobs.ndjson").read_bytes().splitlines()
    client = twin(answer(body={"accepted": 54, "duplicates": 0, "rejected": []}))
    total = client.call("jobs.record_many", map(json.loads, lines), batch_size=54)
    assert total == IngestResult(108, 0)
    sent = [job for request in client.script.requests for job in json.loads(request.content)]
    assert sent == [json.loads(line) for line in lines]
