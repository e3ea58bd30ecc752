"""Request bodies: read piece by piece under a limit, decompressed, told apart by media type, decoded.

The limit holds for the bytes that arrive and for what they decompress to. Both are counted as they come, since
neither Content-Length nor what gzip says of itself needs to be true.
"""

from __future__ import annotations

import re
import tomllib
import zlib
from collections.abc import AsyncIterator, Callable, Collection
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from tallystick.api.calls import JSON
from tallystick.api.problems import ClientGone
from tallystick.api.request import ApiRequest, in_thread
from tallystick.errors import FieldError, InvalidInput, InvalidPlan, TooLarge, UnsupportedMedia

TOML: Final = "application/toml"
DOCUMENT_BYTES: Final = 1024 * 1024
"""Largest body of a call that is not about jobs."""

_TOML_BYTES: Final = 64 * 1024
_TOML_LINE_CHARACTERS: Final = 500
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_MAX_MEMBERS: Final = 10_000
_UTF8: Final = frozenset({"", "utf-8", "utf8"})

_Document = TypeVar("_Document")
_Result = TypeVar("_Result")


def media_type_of(request: ApiRequest, taken: Collection[str]) -> str:
    """The media type of a request's body, the first of `taken` where it names none.

    Raises `UnsupportedMedia` for one that is not taken, and for another character set than UTF-8.
    """
    header = request.headers.get("content-type", "")
    name, *parameters = (part.strip() for part in header.split(";"))
    media_type = name.lower() or next(iter(taken))
    if media_type not in taken:
        raise UnsupportedMedia(f"Content-Type: this call takes {', '.join(taken)}.")
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset" and value.strip().strip('"').lower() not in _UTF8:
            raise UnsupportedMedia("Content-Type: the charset must be utf-8.")
    return media_type


async def read_body(request: ApiRequest, limit: int) -> bytes:
    """The body, decompressed. Raises `TooLarge` as soon as it exceeds `limit` bytes, `UnsupportedMedia` for an
    encoding other than gzip, `InvalidInput` (code ``invalid_encoding``) for broken gzip.
    """
    compressed = _is_gzip(request)
    _refuse_early(request, limit)
    if compressed:
        return await _read_gzip(request, limit)
    parts, size = [], 0
    async for part in _parts(request):
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
    return b"".join(parts)


async def _read_gzip(request: ApiRequest, limit: int) -> bytes:
    inflater, size = Inflater(limit), 0
    async for part in _parts(request):
        size += len(part)
        if size > limit:
            raise too_large(limit)
        await in_thread(inflater.feed, part)
    return inflater.finish()


def _is_gzip(request: ApiRequest) -> bool:
    encoding = ", ".join(request.headers.getall("content-encoding", [])).strip().lower()
    if encoding in {"", "identity"}:
        return False
    if encoding in _GZIP:
        return True
    raise UnsupportedMedia("Content-Encoding: only gzip is taken, once, or none.")


def _refuse_early(request: ApiRequest, limit: int) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
        raise too_large(limit)


def too_large(limit: int) -> TooLarge:
    """The error for a body of more than `limit` bytes."""
    return TooLarge(f"The body exceeds {limit} bytes, which is the most that this call takes, also decompressed.")


async def _parts(request: ApiRequest) -> AsyncIterator[bytes]:
    while True:
        message: Any = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


class Inflater:
    """Decompresses gzip piece by piece and never holds more than `limit` bytes of what comes out."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._parts: list[bytes] = []
        self._members = 0
        self._member = self._next_member()

    def feed(self, data: bytes) -> None:
        """Takes the next piece. Raises `TooLarge` or `InvalidInput`."""
        while data:
            if self._member.eof:
                self._member = self._next_member()
            try:
                # One byte more than there is room for tells "just fits" from "too much".
                part = self._member.decompress(data, self._limit - self._size + 1)
            except zlib.error:
                raise _broken_gzip("The body is not valid gzip.") from None
            self._size += len(part)
            if self._size > self._limit:
                raise too_large(self._limit)
            self._parts.append(part)
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def finish(self) -> bytes:
        """Everything decompressed. Raises `InvalidInput` where the end is missing."""
        if not self._member.eof:
            raise _broken_gzip("The gzip body is cut off before its end.")
        return b"".join(self._parts)

    def _next_member(self) -> zlib._Decompress:
        # Gzip files may be concatenated. Each member costs a copy of what follows, hence a bound.
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise _broken_gzip(f"The gzip body has more than {_MAX_MEMBERS} members.")
        return zlib.decompressobj(_GZIP_WINDOW)


def _broken_gzip(detail: str) -> InvalidInput:
    return InvalidInput(detail, code="invalid_encoding")


async def read_document(request: ApiRequest, shape: type[_Document], *, empty: _Document | None = None) -> _Document:
    """The JSON body in its shape; `empty` stands for a missing body where that is allowed.

    Raises `InvalidInput` with a pointer to what does not fit.
    """
    media_type_of(request, (JSON,))
    body = await read_body(request, min(DOCUMENT_BYTES, request.settings.max_body_bytes))
    if empty is not None and not body.strip():
        return empty
    return decode_json(body, shape)


def decode_json(body: bytes, shape: type[_Document]) -> _Document:
    """The JSON of `body` in its shape. Raises `InvalidInput`: code ``invalid_json`` for what is no JSON at all,
    else ``invalid`` with the pointer of the first thing that does not fit.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise _misfit(str(error)) from None
    except UnicodeDecodeError:
        raise InvalidInput("The body is not UTF-8.", code="invalid_json") from None
    except RecursionError:
        raise InvalidInput("The body is nested too deeply.", code="invalid_json") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidInput(f"The body is not JSON: {error}.", code="invalid_json") from None


_MEMBER: Final = re.compile(r"Object (?:missing required|contains unknown) field `(.*)`$", re.DOTALL)


def _misfit(message: str) -> InvalidInput:
    """msgspec's message, such as ``Expected `int`, got `str` - at `$.ids[1]```, with a JSON pointer."""
    detail, _, path = message.partition(" - at `$")
    # A member of a mapping is told as [...], without its name: the pointer ends before it.
    known = path.removesuffix("`").partition("[...]")[0]
    pointer = re.sub(r"\[(\d+)\]", r"/\1", known).replace(".", "/")
    member = _MEMBER.match(detail)
    if member:
        pointer += "/" + member[1].replace("~", "~0").replace("/", "~1")
        missing = detail.startswith("Object missing")
        return InvalidInput.pointer(pointer, "is missing" if missing else "is not a member that this call takes")
    return InvalidInput.pointer(pointer, detail[:1].lower() + detail[1:])


def members_given(form: msgspec.Struct) -> dict[str, Any]:
    """The members of a body that stood in it."""
    return {name: value for name, value in msgspec.structs.asdict(form).items() if value is not msgspec.UNSET}


async def submit(work: Callable[..., _Result], form: msgspec.Struct, *arguments: Any) -> _Result:
    """Runs `work` with what the body holds, beside the event loop.

    The ledger calls the members of `form` parameters; to the client they are places in its body.
    """
    try:
        return await in_thread(partial(work, *arguments, **members_given(form)))
    except InvalidInput as error:
        raise _pointed(error, frozenset(form.__struct_fields__)) from None


def _pointed(error: InvalidInput, members: frozenset[str]) -> InvalidInput:
    errors = [
        FieldError(each.detail, pointer=f"/{each.parameter}") if each.parameter in members else each
        for each in error.errors
    ]
    return InvalidInput(error.detail, code=error.code, errors=errors)


def decode_toml(body: bytes) -> dict[str, Any]:
    """The table that a TOML body holds. Raises `InvalidPlan` for what is not TOML, `TooLarge` for a large one."""
    if len(body) > _TOML_BYTES:
        raise too_large(_TOML_BYTES)
    try:
        text = body.decode()
        if any(len(line) > _TOML_LINE_CHARACTERS for line in text.splitlines()):
            # A key of thousands of dotted parts would take the parser gigabytes.
            raise InvalidPlan([FieldError(f"has a line of more than {_TOML_LINE_CHARACTERS} characters")])
        return tomllib.loads(text)
    except UnicodeDecodeError:
        raise InvalidPlan([FieldError("is not UTF-8")]) from None
    except RecursionError:
        raise InvalidPlan([FieldError("is nested too deeply")]) from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidPlan([FieldError(f"is not TOML: {error}")]) from None
