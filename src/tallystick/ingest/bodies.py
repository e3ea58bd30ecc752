"""Reading bodies: JSON (one object or an array) and NDJSON, item by item.

A body in which everything is right is decoded in one go. Otherwise it is read again, tolerantly: each item is
found by its extent in the text, so that one broken item is refused alone and kept as it was sent.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from tallystick.errors import InvalidInput, TooLarge
from tallystick.model.instants import format_instant, from_datetime
from tallystick.model.jobs import MAX_TOKENS, Job
from tallystick.model.tokens import strike_tokens

_SPACE: Final = " \t\n\r"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_LONGEST_INTEGER: Final = 30
"""Digits of an integer that is still read as one; far beyond any token count, far below what costs time."""
_LONGEST_WRITTEN: Final = 2**20
_SHORTEST_JOB: Final = 64
"""Bytes of a line that is shorter than that of any job."""


class BodyForm(enum.Enum):
    """How the items of a body are told apart."""

    JSON = "json"
    LINES = "lines"


class WireJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A job exactly as it may stand on the wire."""

    id: str
    account: str
    api_key: str
    completed_at: str
    tokens: dict[str, Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)]]
    sandbox: bool = False


class Item(msgspec.Struct, frozen=True, gc=False):
    """One item of a body: the job that it holds, or the reason why it holds none.

    `number` is its place, from 0. `text` is what was sent, where it could not be read as a job; `id` whatever stood
    in its place for an id.
    """

    number: int
    job: WireJob | None
    text: str = ""
    reason: str = ""
    id: object = None


_ONE: Final = msgspec.json.Decoder(WireJob)
_MANY: Final = msgspec.json.Decoder(list[WireJob])


def read_body(body: bytes, form: BodyForm, *, max_jobs: int) -> Iterable[Item]:
    """The items of a body in their order.

    `number` counts from 0: the place in the array, or the line of NDJSON (empty lines count and hold no item).
    Raises `InvalidInput` where the body cannot be read at all, `TooLarge` for an array of more than `max_jobs` or for
    more lines than jobs would fit into the body.
    """
    body = body.removeprefix(_BYTE_ORDER_MARK)
    return _lines(body, max_jobs) if form is BodyForm.LINES else _json(body, max_jobs)


def read_jobs(jobs: Iterable[Job | Mapping[str, Any]]) -> Iterator[Item]:
    """The items that Python objects make; what is wrong with one is told by its item, as for a body."""
    for index, job in enumerate(jobs):
        try:
            wire = msgspec.structs.asdict(job) if isinstance(job, Job) else dict(job)
        except (TypeError, ValueError):
            yield Item(index, None, _written(job), f"must be a Job or a mapping, not {type(job).__name__}")
            continue
        try:
            moment = wire.get("completed_at")
            if isinstance(moment, datetime):
                wire["completed_at"] = format_instant(from_datetime(moment))
        except InvalidInput as error:
            yield Item(index, None, _written(wire), f"completed_at {error.detail}", wire.get("id"))
        else:
            yield _converted(index, wire, _written)


def _json(body: bytes, max_jobs: int) -> Iterable[Item]:
    start = body.lstrip()[:1]
    try:
        if start == b"[":
            jobs = _MANY.decode(body)
            _check_number(len(jobs), max_jobs)
            return map(Item, range(len(jobs)), jobs)
        return [Item(0, _ONE.decode(body))]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _tolerant(_text(body), max_jobs)


def _check_number(jobs: int, max_jobs: int) -> None:
    if jobs > max_jobs:
        raise TooLarge(f"the array holds more than {max_jobs} jobs; send several requests", code="too_many_jobs")


def _text(body: bytes) -> str:
    if not body.strip():
        raise InvalidInput.pointer("", "is empty; send a job, an array of jobs, or NDJSON", code="invalid_json")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput.pointer("", f"is not UTF-8 (byte {error.start})", code="invalid_json") from None


def _tolerant(text: str, max_jobs: int) -> list[Item]:
    found = list(_extents(text, max_jobs))
    return [_converted(index, value, lambda _, sent=sent: sent) for index, (sent, value) in enumerate(found)]


def _extents(text: str, max_jobs: int) -> Iterator[tuple[str, Any]]:
    """The text and value of each item of a JSON text that is an object or an array."""
    position = _skip(text, 0)
    if text[position] == "{":
        value, end = _scan(text, position)
        _expect_end(text, end)
        yield text[position:end], value
        return
    if text[position] != "[":
        raise InvalidInput.pointer("", "must be a JSON object, an array of objects, or NDJSON", code="invalid_json")
    position = _skip(text, position + 1)
    number = 0
    while number or text[position : position + 1] != "]":
        value, end = _scan(text, position)
        number += 1
        _check_number(number, max_jobs)
        yield text[position:end], value
        position = _skip(text, end)
        closing = text[position : position + 1]
        if closing == "]":
            break
        if closing != ",":
            raise _broken(text, position, "expected a comma or a closing bracket")
        position = _skip(text, position + 1)
    _expect_end(text, position + 1)


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position


def _expect_end(text: str, position: int) -> None:
    position = _skip(text, position)
    if position < len(text):
        raise _broken(text, position, "there is more after the end; for several objects use an array or NDJSON")


def _broken(text: str, position: int, reason: str) -> InvalidInput:
    line = text.count("\n", 0, position) + 1
    return InvalidInput.pointer("", f"is not JSON: {reason} (line {line}, character {position})", code="invalid_json")


def _scan(text: str, position: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        raise _broken(text, error.pos, error.msg) from None
    except StopIteration:
        raise _broken(text, position, "a value is missing") from None
    except RecursionError:
        raise _broken(text, position, "it is nested too deeply") from None


def _integer(digits: str) -> int:
    # Reading an integer of a million digits takes long; one that is too large as well is refused all the same.
    if len(digits) <= _LONGEST_INTEGER:
        return int(digits)
    too_large: int = 10**_LONGEST_INTEGER
    return -too_large if digits.startswith("-") else too_large


def _no_constant(name: str) -> None:
    raise json.JSONDecodeError(f"{name} is not JSON", "", 0)


_DECODER: Final = json.JSONDecoder(parse_int=_integer, parse_constant=_no_constant)


def _lines(body: bytes, max_jobs: int) -> Iterator[Item]:
    # Lines cost memory and an answer each, however short they are.
    most = max(max_jobs, len(body) // _SHORTEST_JOB)
    if body.count(b"\n") > most:
        detail = f"the body holds more than {most} lines, most of which are too short for a job; leave those out"
        raise TooLarge(detail, code="too_many_jobs")
    return (_line(index, line) for index, line in enumerate(body.split(b"\n")) if line.strip())


def read_item(text: str) -> Item:
    """The item of a text that holds one, as the quarantine keeps it: line ends between its parts do not matter."""
    return _line(0, text.encode())


def _line(index: int, line: bytes) -> Item:
    try:
        return Item(index, _ONE.decode(line))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _broken_line(index, line.strip())


def _broken_line(index: int, line: bytes) -> Item:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        # The words in front keep what stands in place of the bytes from ever being read as a job.
        kept = "not UTF-8: " + line.decode(errors="backslashreplace")
        return Item(index, None, kept, f"is not UTF-8 (byte {error.start})")
    try:
        value, end = _scan(text, 0)
        _expect_end(text, end)
    except InvalidInput as error:
        return Item(index, None, text, error.errors[0].detail)
    return _converted(index, value, lambda _: text)


def _converted(index: int, value: Any, sent: Any) -> Item:
    """The item of a value; `sent` gives its text, which is needed only where it is refused."""
    found = value.get("id") if isinstance(value, Mapping) else None
    try:
        return Item(index, msgspec.convert(value, WireJob))
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at ")
        where = path.strip("`").removeprefix("$").removeprefix(".")
        return Item(index, None, sent(value), _explained(reason, where, value), found)
    except UnicodeEncodeError:
        return Item(index, None, sent(value), "the name of a field holds a lone surrogate, which is not text", found)


def _explained(reason: str, where: str, value: Any) -> str:
    if where.startswith("tokens[") and isinstance(value, Mapping):
        where = _wrong_count(value["tokens"]) or where
    return f"{where}: {reason}" if where else reason


def _wrong_count(tokens: Mapping[Any, Any]) -> str:
    for name, count in tokens.items():
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MAX_TOKENS:
            # Struck out before it is cut: half a secret is not known for one.
            return f"tokens.{strike_tokens(str(name))[:40]}"
    return ""


def _written(value: Any) -> str:
    try:
        text = json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        text = f"a {type(value).__name__} that has no form in JSON"
    return strike_tokens(text)[:_LONGEST_WRITTEN]
