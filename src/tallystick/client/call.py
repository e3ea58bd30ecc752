"""A call of the API as a value: what to send, and how to read the answer. Nothing here sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from tallystick.errors import InvalidInput
from tallystick.model.instants import format_instant, read_instant
from tallystick.model.names import check_name
from tallystick.model.wire import decode

Result = TypeVar("Result")
Noun = TypeVar("Noun")

JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv"
PARQUET: Final = "application/vnd.apache.parquet"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said. `headers` has its names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One request, and the function that reads its result from the answer.

    `repeatable` says that sending it twice leaves the server as sending it once does. A call that is not so is
    sent again only where the first one surely was not carried out (`tallystick.client.retries`). `accept` is the
    media type of an answer that is read in chunks.
    """

    method: str
    path: str
    parse: Callable[[Answer], Result]
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    repeatable: bool = True
    media_type: str = JSON
    accept: str = JSON

    @property
    def target(self) -> str:
        """The path with its query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def headers(self) -> dict[str, str]:
        """The headers that belong to this call alone."""
        return {} if self.body is None else {"Content-Type": self.media_type}


def path_of(*segments: str) -> str:
    """A path of these segments. Each is percent-encoded, slashes too, so that a name stays one segment."""
    return "".join(f"/{_segment(segment)}" for segment in segments)


def _segment(text: str) -> str:
    # quote() leaves dots alone, and a segment of one or two dots would be resolved away.
    return text.replace(".", "%2E") if text in {".", ".."} else quote(text, safe="")


def named(parameter: str, name: str) -> str:
    """`name`, if it can be one: an empty or broken name would make another path. Raises `InvalidInput`."""
    if not isinstance(name, str):
        raise InvalidInput.parameter(parameter, f"must be text, not {type(name).__name__}")
    try:
        return check_name(name)
    except InvalidInput as error:
        raise InvalidInput.parameter(parameter, error.detail, code=error.code) from None


def moment(parameter: str, given: str | datetime) -> str:
    """An instant as it is sent: an aware `datetime` in UTC, and a text as it is, which the server judges.

    Raises `InvalidInput` naming the parameter for a naive `datetime` and for anything else.
    """
    return given if isinstance(given, str) else format_instant(read_instant(given, parameter))


def query_of(**parameters: str | int | None) -> dict[str, str]:
    """The query parameters that were given, as text."""
    return {name: str(value) for name, value in parameters.items() if value is not None}


def body_of(**members: Any) -> bytes:
    """A JSON object of the members that were given."""
    return json_body({name: value for name, value in members.items() if value is not None})


def json_body(value: Any) -> bytes:
    """`value` as JSON. Raises `InvalidInput` for what JSON cannot say."""
    try:
        # Escapes carry a lone surrogate to the server, which says what is wrong with it.
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"cannot be written as JSON: {error}") from None


def one(kind: type[Noun]) -> Callable[[Answer], Noun]:
    """Reads an answer that is one noun."""
    return lambda answer: msgspec.convert(decode(answer.body), kind)


def many(member: str, kind: type[Noun]) -> Callable[[Answer], tuple[Noun, ...]]:
    """Reads an answer whose `member` is a list of nouns."""
    return lambda answer: tuple(msgspec.convert(decode(answer.body)[member], list[kind]))  # type: ignore[valid-type]


def is_of(headers: Mapping[str, str], media_type: str) -> bool:
    """Whether an answer with these headers is of that media type.

    Nothing else tells lines or a table from a page that something on the way has put in their place.
    """
    return headers.get("content-type", "").partition(";")[0].strip().lower() == media_type


def check_media_type(answer: Answer, expected: str) -> None:
    """Raises `ValueError` for an answer of another media type."""
    if not is_of(answer.headers, expected):
        raise ValueError(f"is not {expected}")


def nothing(_: Answer) -> None:
    """Reads an answer that says no more than that it is done."""
