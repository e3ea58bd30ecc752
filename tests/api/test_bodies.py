"""Reading bodies: decompression piece by piece, and pointers to what does not fit."""

from __future__ import annotations

import gzip
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.api.bodies import Inflater, decode_json
from tallystick.errors import InvalidInput, TooLarge


def inflate(data: bytes, limit: int, step: int) -> bytes:
    inflater = Inflater(limit)
    for at in range(0, len(data), step):
        inflater.feed(data[at : at + step])
    return inflater.finish()


@given(st.binary(max_size=3000), st.integers(1, 700), st.integers(0, 3000))
def test_a_body_comes_out_as_it_went_in_however_it_is_cut(body: bytes, step: int, room: int) -> None:
    assert inflate(gzip.compress(body), len(body) + room, step) == body


@given(st.lists(st.binary(max_size=500), min_size=1, max_size=6), st.integers(1, 200))
def test_files_that_follow_each_other_are_one_body(parts: list[bytes], step: int) -> None:
    whole = b"".join(parts)
    assert inflate(b"".join(map(gzip.compress, parts)), len(whole), step) == whole


@given(st.binary(min_size=1, max_size=3000), st.integers(1, 700))
def test_one_byte_over_the_limit_is_too_large(body: bytes, step: int) -> None:
    with pytest.raises(TooLarge, match=str(len(body) - 1)):
        inflate(gzip.compress(body), len(body) - 1, step)


@given(st.binary(max_size=500), st.data())
def test_a_body_that_is_cut_off_anywhere_is_refused(body: bytes, data: st.DataObject) -> None:
    whole = gzip.compress(body)
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(InvalidInput) as error:
        inflate(whole[:end], 10_000, 100)
    assert error.value.code == "invalid_encoding"


def test_a_bomb_is_noticed_before_more_than_the_limit_is_held() -> None:
    inflater = Inflater(10_000)
    with pytest.raises(TooLarge):
        inflater.feed(gzip.compress(bytes(10**8)))
    assert inflater._size == 10_001


def test_a_body_of_countless_members_is_refused_quickly() -> None:
    empty = gzip.compress(b"")
    with pytest.raises(InvalidInput, match="members"):
        inflate(empty * 20_000, 10_000, 64 * 1024)


def test_what_is_deflated_without_gzip_is_refused() -> None:
    with pytest.raises(InvalidInput):
        inflate(zlib.compress(b"x"), 10, 10)


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    ids: list[int] = []


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    inner: Inner | None = None
    more: dict[str, int] = {}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"[]", ""),
        (b"{}", "/name"),
        (b'{"name": 1}', "/name"),
        (b'{"name": "x", "inner": {"ids": [1, "2"]}}', "/inner/ids/1"),
        (b'{"name": "x", "inner": {"other": 1}}', "/inner/other"),
        (b'{"name": "x", "more": {"a": "b"}}', "/more"),
        (b'{"name": "x", "a/b~": 1}', "/a~1b~0"),
    ],
)
def test_what_does_not_fit_is_pointed_at(body: bytes, pointer: str) -> None:
    with pytest.raises(InvalidInput) as error:
        decode_json(body, Outer)
    assert [place.pointer for place in error.value.errors] == [pointer]
    assert error.value.code == "invalid"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"name": "\xff"}', b'{"name": "x"} {}', b"9" * 10_000])
def test_what_is_no_json_is_told_so(body: bytes) -> None:
    with pytest.raises(InvalidInput) as error:
        decode_json(body, Outer)
    assert error.value.code in {"invalid_json", "invalid"}
    assert error.value.detail
