"""A price plan as its author writes it, in TOML or JSON: read so that each mistake is told with its line."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tallystick.errors import FieldError, InvalidPlan
from tallystick.model.plans import Plan, parse_plan
from tallystick.model.sourcelines import deepest_line, key_lines, line_at, line_of, line_of_word, repeated_keys
from tallystick.model.wire import decode

AGAIN: Final = "stands there again; which one holds?"
"""What is told of a key that a JSON object has twice."""

_AT_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")
_MANY_DIGITS: Final = re.compile(r"[0-9][0-9_]{1000}")
"""No number of a plan has as many, and Python refuses to read them."""


def read_plan(text: str) -> Plan:
    """The plan that a text holds, JSON where it begins with a brace, TOML otherwise.

    Raises `InvalidPlan`, naming key and line of every error, in the order of the lines.
    """
    if many := _MANY_DIGITS.search(text):
        raise InvalidPlan([FieldError("is a number of more than 1,000 digits", line=line_at(text, many.start()))])
    is_json = text.lstrip().startswith("{")
    document = _json(text) if is_json else _toml(text)
    told = [FieldError(AGAIN, key=key, line=line) for key, line in (repeated_keys(text) if is_json else {}).items()]
    try:
        plan = parse_plan(document)
    except InvalidPlan as error:
        lines = key_lines(text)
        told += [msgspec.structs.replace(each, line=line_of(each.key, lines)) for each in error.errors]
    else:
        if not told:
            return plan
    raise InvalidPlan(sorted(told, key=lambda each: each.line))


def read_plan_bytes(body: bytes) -> Plan:
    """`read_plan` of a file's bytes, which must be UTF-8; a byte order mark is passed over."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise InvalidPlan([FieldError(f"is not UTF-8: {error.reason}", line=line)]) from None
    return read_plan(text)


def plan_toml(document: Mapping[str, Any]) -> str:
    """A plan's document as TOML; `read_plan` takes it back unchanged."""
    tables = [document["meters"], document["tiers"]]
    lines = [
        f"{key} = {_toml_value(document[key])}" for key in ("name", "currency", "free_jobs", "free_jobs_reset", "reset")
    ]
    for name, entries in zip(("meters", "tiers"), tables, strict=True):
        for entry in entries:
            lines += ["", f"[[{name}]]", *(f"{key} = {_toml_value(value)}" for key, value in entry.items())]
    return "\n".join(lines) + "\n"


def _toml_value(value: str | int) -> str:
    # A name holds no control characters, so a backslash and a quote are all that needs an escape.
    return str(value) if isinstance(value, int) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _AT_LINE.search(str(error))
        line = int(place[1]) if place else line_at(text, len(text.rstrip()))
        raise InvalidPlan([FieldError(f"is not TOML: {error}", line=line)]) from None
    except RecursionError:
        raise _too_deep(text) from None


def _json(text: str) -> Any:
    # The integers and the quoted decimals of a plan are the same in JSON; an unquoted decimal is refused there too.
    try:
        return decode(text)
    except json.JSONDecodeError as error:
        raise InvalidPlan([FieldError(f"is not JSON: {error.msg}", line=error.lineno)]) from None
    except ValueError as error:
        # It begins with what it is about, ``NaN`` or ``1e999999``.
        line = line_of_word(str(error).partition(" ")[0], text)
        raise InvalidPlan([FieldError(f"is not JSON: {error}", line=line)]) from None
    except RecursionError:
        raise _too_deep(text) from None


def _too_deep(text: str) -> InvalidPlan:
    return InvalidPlan([FieldError("is not a plan: it is nested too deeply", line=deepest_line(text))])
