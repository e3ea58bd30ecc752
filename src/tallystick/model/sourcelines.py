"""On which line of a TOML or JSON text each key stands; no parser of either tells.

The text has been parsed already, so that it is known to be sound: this reads just as much of the grammar as it takes
to tell keys from what merely looks like one, in strings and comments.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

_SKIPPED: Final = re.compile(r"(?:\s|#[^\n]*)*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r"""
    \"{3} (?: \\. | [^\\] )*? \"{3,5} (?!\")    # several lines; two quotes more may stand before the end
    | '{3} .*? '{3,5} (?!')
    | \" (?: \\. | [^\"\\] )* \"
    | ' [^']* '
    """,
    re.DOTALL | re.VERBOSE,
)
_SCALAR: Final = re.compile(r"[^,\]}\n#]*")
_NESTING: Final = re.compile(rf"{_STRING.pattern} | \#[^\n]* | (?P<opened>[\[{{]) | (?P<closed>[\]}}])", _STRING.flags)


def key_lines(text: str) -> dict[str, int]:
    """The line, from 1, of each key, table and list entry of a sound text, by paths such as ``meters[1].price``."""
    scanner = _Scanner(text)
    # What lies deeper than Python calls is no part of a plan.
    with suppress(RecursionError):
        scanner.json() if text.lstrip().startswith("{") else scanner.toml()
    return scanner.lines


def repeated_keys(text: str) -> dict[str, int]:
    """The keys that stand in an object of a sound JSON text where they stood before, by path, each with its line.

    JSON's parsers take the last of them and say nothing; TOML's refuse them.
    """
    scanner = _Scanner(text)
    with suppress(RecursionError):
        scanner.json()
    return scanner.repeated


def line_at(text: str, place: int) -> int:
    """The line, from 1, of a place in a text."""
    return text.count("\n", 0, place) + 1


def deepest_line(text: str) -> int:
    """The line of the innermost bracket, the first of several, in a text that need not be sound."""
    depth = deepest = place = 0
    for token in _NESTING.finditer(text):
        depth += bool(token["opened"]) - bool(token["closed"])
        if depth > deepest:
            deepest, place = depth, token.start()
    return line_at(text, place)


def line_of_word(word: str, text: str) -> int:
    """The line on which a word of a JSON text stands first, strings passed over; 1 where it does not."""
    found = re.finditer(rf"{_STRING.pattern} | (?P<word>{re.escape(word)})", text, _STRING.flags)
    return next((line_at(text, token.start()) for token in found if token["word"]), 1)


def line_of(path: str, lines: Mapping[str, int]) -> int:
    """The line of a path; where it is missing, that of what should have held it; the first for the document itself."""
    return next((lines[place] for place in _upwards(path) if place in lines), 1)


def _upwards(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path[: max(path.rfind("."), path.rfind("["), 0)]


class _Scanner:
    """Walks over a text and notes where keys begin."""

    def __init__(self, text: str) -> None:
        self.lines: dict[str, int] = {}
        self.repeated: dict[str, int] = {}
        self._text = text
        self._read_key = json.loads if text.lstrip().startswith("{") else _toml_key
        self._at = 0
        self._line = 1
        self._counted = 0
        self._entries: dict[str, int] = {}

    def json(self) -> None:
        """The whole text as one value."""
        self._skip()
        self._value("")

    def toml(self) -> None:
        """The whole text as statements: headers of tables, and keys with their values."""
        table = ""
        self._skip()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _header(self) -> str:
        is_list = self._text.startswith("[[", self._at)
        self._at += 2 if is_list else 1
        start = self._at
        self._skip()
        *outer, name = self._key()
        path = ""
        for part in outer:
            path = self._newest(_join(path, part))
        path = _join(path, name)
        self._note(path, start, again=False)
        if is_list:
            self._entries[path] = self._entries.get(path, -1) + 1
            path = f"{path}[{self._entries[path]}]"
            self._note(path, start)
        else:
            path = self._newest(path)
        self._skip()
        self._at += 2 if is_list else 1
        return path

    def _newest(self, path: str) -> str:
        """A path of a header goes into the last entry of a list of tables."""
        return f"{path}[{self._entries[path]}]" if path in self._entries else path

    def _pair(self, table: str) -> str:
        start = self._at
        path = table
        for part in self._key():
            path = _join(path, part)
            self._note(path, start, again=False)
        self._note(path, start)
        self._skip()
        self._at += 1  # = or :
        self._skip()
        self._value(path)
        return path

    def _key(self) -> list[str]:
        parts = [self._key_part()]
        self._skip()
        while self._text.startswith(".", self._at):
            self._at += 1
            self._skip()
            parts.append(self._key_part())
            self._skip()
        return parts

    def _key_part(self) -> str:
        bare = _BARE_KEY.match(self._text, self._at)
        if bare:
            self._at = bare.end()
            return bare[0]
        quoted = self._string()
        return str(self._read_key(quoted)) if quoted else ""

    def _value(self, path: str) -> None:
        opening = self._text[self._at : self._at + 1]
        if opening == "{":
            self._inside("}", path)
        elif opening == "[":
            self._inside("]", path)
        elif not self._string():
            self._take(_SCALAR)

    def _inside(self, closing: str, path: str) -> None:
        self._at += 1
        self._skip()
        number = 0
        seen: set[str] = set()
        while self._at < len(self._text) and self._text[self._at] != closing:
            if closing == "}":
                inner = self._pair(path)
                if inner in seen:
                    self.repeated[inner] = self.lines[inner]
                seen.add(inner)
            else:
                self._note(f"{path}[{number}]", self._at)
                self._value(f"{path}[{number}]")
                number += 1
            self._skip()
            if self._text.startswith(",", self._at):
                self._at += 1
                self._skip()
        self._at += 1

    def _string(self) -> str:
        return self._take(_STRING)

    def _skip(self) -> None:
        self._take(_SKIPPED)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if not found:
            return ""
        self._at = found.end()
        return found[0]

    def _note(self, path: str, at: int, *, again: bool = True) -> None:
        self._line += self._text.count("\n", self._counted, at)
        self._counted = at
        if again or path not in self.lines:
            self.lines[path] = self._line


def _toml_key(quoted: str) -> object:
    return tomllib.loads(f"key = {quoted}")["key"]


def _join(path: str, part: str) -> str:
    return f"{path}.{part}" if path else part
