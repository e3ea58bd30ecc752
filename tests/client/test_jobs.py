"""Reporting jobs: what goes on the wire, what is refused before, and batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import httpx
import pytest

from tallystick import IngestResult, Job
from tallystick.client.calls.jobs import BATCH_BYTES, record_jobs
from tallystick.errors import InvalidInput, ServerFailed
from tallystick.model.jobs import Rejection
from tests.client.scripted import INGESTED, Twin, answer

MakeTwin = Callable[..., Twin]

FIELDS: Final[dict[str, Any]] = {
    "id": "job_0001",
    "account": "acme",
    "api_key": "some api key",
    "completed_at": "2025-01-11T20:12:01Z",
    "tokens": {"transcription": 5, "note_generation": 10},
}


def numbered(number: int) -> dict[str, Any]:
    return {**FIELDS, "id": f"job_{number}"}


class Whole:
    """A whole number of another library, as numpy has them."""

    def __index__(self) -> int:
        return 5


@pytest.mark.parametrize("form", ["fields", "job", "mapping"])
def test_a_job_goes_on_the_wire_as_the_design_writes_it(twin: MakeTwin, form: str) -> None:
    client = twin()
    if form == "fields":
        result = client.call("jobs.record", **FIELDS)
    else:
        result = client.call("jobs.record", Job(**FIELDS) if form == "job" else MappingProxyType(FIELDS))
    assert result == IngestResult(1, 0)
    assert (client.script.request.method, client.script.request.url.path) == ("POST", "/jobs")
    assert client.script.body == FIELDS


def test_sandbox_is_sent_only_where_it_is_true(twin: MakeTwin) -> None:
    for given in ({}, {"sandbox": False}):
        client = twin()
        client.call("jobs.record", **FIELDS, **given)
        client.call("jobs.record", {**FIELDS, **given})
        client.call("jobs.record", Job(**{**FIELDS, **given}))
        assert [json.loads(request.content) for request in client.script.requests] == [FIELDS] * 3
    client = twin()
    client.call("jobs.record", **FIELDS, sandbox=True)
    assert client.script.body == {**FIELDS, "sandbox": True}


@pytest.mark.parametrize(
    ("moment", "sent"),
    [
        (datetime(2025, 1, 11, 20, 12, 1, tzinfo=UTC), "2025-01-11T20:12:01Z"),
        (datetime(2025, 1, 1, 0, 0, 0, 1, timezone(timedelta(hours=5, minutes=30))), "2024-12-31T18:30:00.000001Z"),
        ("2025-01-11T20:12:01.123456789+05:45", "2025-01-11T20:12:01.123456789+05:45"),
    ],
)
def test_an_aware_datetime_is_sent_in_utc_and_a_text_as_it_is(twin: MakeTwin, moment: Any, sent: str) -> None:
    client = twin()
    client.call("jobs.record", **{**FIELDS, "completed_at": moment})
    assert client.script.body["completed_at"] == sent


def test_whole_numbers_of_other_libraries_count(twin: MakeTwin) -> None:
    client = twin()
    client.call("jobs.record", **{**FIELDS, "tokens": MappingProxyType({"transcription": Whole()})})
    assert client.script.body["tokens"] == {"transcription": 5}


REFUSED: Final = [
    ({"completed_at": datetime(2025, 1, 11, 20, 12, 1)}, "/completed_at", "time zone"),  # noqa: DTZ001 the point
    ({"completed_at": datetime(1969, 12, 31, 23, 59, tzinfo=UTC)}, "/completed_at", "1970"),
    ({"tokens": {"a/b~": 5.0}}, "/tokens/a~1b~0", "not float"),
    ({"tokens": {"transcription": float("nan")}}, "/tokens/transcription", "not float"),
    ({"tokens": {"transcription": Decimal(5)}}, "/tokens/transcription", "not Decimal"),
    ({"tokens": {"transcription": "5"}}, "/tokens/transcription", "not str"),
    ({"tokens": {"transcription": True}}, "/tokens/transcription", "not bool"),
    ({"tokens": {"transcription": None}}, "/tokens/transcription", "not NoneType"),
    ({"id": b"job"}, "", "JSON"),
]


@pytest.mark.parametrize(("change", "pointer", "says"), REFUSED)
@pytest.mark.parametrize("form", ["fields", "job", "mapping"])
def test_what_cannot_be_sent_truthfully_is_refused_before_any_request(
    twin: MakeTwin, form: str, change: dict[str, Any], pointer: str, says: str
) -> None:
    client = twin()
    fields = {**FIELDS, **change}
    arguments = {"fields": (), "job": (Job(**fields),), "mapping": (fields,)}[form]
    with pytest.raises(InvalidInput, match=says) as caught:
        client.call("jobs.record", *arguments, **(fields if form == "fields" else {}))
    assert client.script.requests == []
    assert [error.pointer for error in caught.value.errors] == [pointer]


@pytest.mark.parametrize(
    "change",
    [
        {"tokens": {"transcription": -1}},
        {"tokens": {"transcription": 10**30}},
        {"tokens": [1]},
        {"id": ""},
        {"account": "\ud800"},
        {"completed_at": "yesterday"},
        {"colour": "red"},
    ],
)
def test_what_json_can_say_is_the_servers_to_judge(twin: MakeTwin, change: dict[str, Any]) -> None:
    refused = {"index": 0, "id": "job_0001", "code": "invalid", "detail": "is wrong"}
    client = twin(answer(body={"accepted": 0, "duplicates": 0, "rejected": [refused]}))
    result = client.call("jobs.record", {**FIELDS, **change})
    assert result == IngestResult(0, 0, (Rejection(0, "job_0001", "invalid", "is wrong"),))
    assert result.to_dict()["rejected"] == [refused]
    assert client.script.body == {**FIELDS, **change}


@pytest.mark.parametrize("missing", FIELDS)
def test_a_field_left_out_is_a_mistake_in_the_program(twin: MakeTwin, missing: str) -> None:
    client = twin()
    with pytest.raises(TypeError, match=f"lacks {missing}$"):
        client.call("jobs.record", **{name: value for name, value in FIELDS.items() if name != missing})
    assert client.script.requests == []


@pytest.mark.parametrize("given", [{"id": "x"}, {"sandbox": True}])
def test_a_job_and_fields_together_are_a_mistake_in_the_program(twin: MakeTwin, given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="not both"):
        twin().call("jobs.record", Job(**FIELDS), **given)


def test_something_else_than_a_job_is_refused(twin: MakeTwin) -> None:
    with pytest.raises(InvalidInput, match="must be a Job or a mapping, not str"):
        twin().call("jobs.record", "job_0001")
    with pytest.raises(InvalidInput, match=r"/0: must be a Job or a mapping, not str") as caught:
        twin().call("jobs.record_many", FIELDS)
    assert caught.value.errors[0].pointer == "/0"


def test_lines_are_sent_as_they_are(twin: MakeTwin) -> None:
    lines = b'{"id":"a"}\n\xff broken\n'
    refused = {"index": 1, "id": None, "code": "invalid", "detail": "is not JSON"}
    client = twin(answer(body={"accepted": 1, "duplicates": 0, "rejected": [refused]}))
    result = client.call("jobs.record_lines", lines)
    assert result == IngestResult(1, 0, (Rejection(1, None, "invalid", "is not JSON"),))
    assert client.script.request.content == lines
    assert client.script.request.headers["content-type"] == "application/x-ndjson"


# Batches.


@pytest.mark.parametrize(
    ("jobs", "batch_size", "sizes"),
    [(0, 2, []), (1, 2, [1]), (2, 2, [2]), (5, 2, [2, 2, 1]), (3, 1, [1, 1, 1]), (3, 10_000, [3])],
)
def test_batches_hold_every_job_once_in_order(twin: MakeTwin, jobs: int, batch_size: int, sizes: list[int]) -> None:
    client = twin()
    result = client.call("jobs.record_many", map(numbered, range(jobs)), batch_size=batch_size)
    bodies = [json.loads(request.content) for request in client.script.requests]
    assert [len(body) for body in bodies] == sizes
    assert [job for body in bodies for job in body] == [numbered(i) for i in range(jobs)]
    assert result == IngestResult(len(sizes), 0)


def test_a_batch_has_a_thousand_jobs_unless_told_otherwise(twin: MakeTwin) -> None:
    client = twin()
    client.call("jobs.record_many", map(numbered, range(1001)))
    assert [len(json.loads(request.content)) for request in client.script.requests] == [1000, 1]


def test_jobs_and_mappings_mix(twin: MakeTwin) -> None:
    client = twin()
    client.call("jobs.record_many", [Job(**FIELDS), FIELDS])
    assert client.script.body == [FIELDS, FIELDS]


def test_the_results_of_all_batches_add_up_and_rejections_name_the_place_in_the_iterable(twin: MakeTwin) -> None:
    def result(accepted: int, duplicates: int, *refused: int) -> httpx.Response:
        rejected = [{"index": i, "id": None, "code": "invalid", "detail": "no"} for i in refused]
        return answer(body={"accepted": accepted, "duplicates": duplicates, "rejected": rejected})

    client = twin(result(1, 1, 2), result(0, 1, 0, 2), result(1, 0))
    total = client.call("jobs.record_many", map(numbered, range(7)), batch_size=3)
    assert total == IngestResult(2, 2, tuple(Rejection(i, None, "invalid", "no") for i in (2, 3, 5)))


def test_a_batch_ends_before_its_body_grows_large(twin: MakeTwin) -> None:
    """A name of 200 characters takes up to 2,400 bytes; 10,000 such jobs would be more than a server takes."""
    client = twin()
    long = {**FIELDS, "account": "\N{RECEIPT}" * 200, "api_key": "\N{KEY}" * 200}
    client.call("jobs.record_many", [long] * 2000, batch_size=10_000)
    sizes = [len(request.content) for request in client.script.requests]
    assert len(sizes) == 3
    assert max(sizes) < BATCH_BYTES + 10_000
    assert sum(len(json.loads(request.content)) for request in client.script.requests) == 2000


def test_only_one_batch_is_read_ahead() -> None:
    read: list[int] = []

    def source() -> Iterator[dict[str, Any]]:
        for number in range(100):
            read.append(number)
            yield numbered(number)

    calls = record_jobs(source(), 10)
    next(calls)
    assert len(read) <= 11
    next(calls)
    assert len(read) <= 21


@pytest.mark.parametrize("batch_size", [0, -1, 10_001, 2.0, True, "5"])
def test_a_wrong_batch_size_is_refused_before_a_job_is_read(twin: MakeTwin, batch_size: Any) -> None:
    client = twin()
    jobs = iter([FIELDS])
    with pytest.raises(InvalidInput) as caught:
        client.call("jobs.record_many", jobs, batch_size=batch_size)
    assert caught.value.errors[0].parameter == "batch_size"
    assert list(jobs) == [FIELDS]
    assert client.script.requests == []


def test_a_job_that_cannot_be_sent_stops_before_its_batch_and_names_its_place(twin: MakeTwin) -> None:
    client = twin()
    jobs = [numbered(i) for i in range(5)]
    jobs[3]["completed_at"] = datetime(2025, 1, 1)  # noqa: DTZ001 the point
    with pytest.raises(InvalidInput) as caught:
        client.call("jobs.record_many", jobs, batch_size=2)
    assert caught.value.errors[0].pointer == "/3/completed_at"
    assert [len(json.loads(request.content)) for request in client.script.requests] == [2]


def test_a_batch_is_retried_alone(twin: MakeTwin) -> None:
    client = twin(answer(body=INGESTED), answer(503), answer(body=INGESTED))
    result = client.call("jobs.record_many", map(numbered, range(4)), batch_size=2)
    first, second, repeat = (request.content for request in client.script.requests)
    assert result == IngestResult(2, 0)
    assert second == repeat != first


def test_a_batch_without_an_answer_raises(twin: MakeTwin) -> None:
    client = twin(answer(body=INGESTED), answer(500), max_retries=0)
    with pytest.raises(ServerFailed):
        client.call("jobs.record_many", map(numbered, range(6)), batch_size=2)
    assert len(client.script.requests) == 2
