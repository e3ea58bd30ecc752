"""Ids have 1 to 255 bytes, names 1 to 200 characters in NFC; neither has control characters (design rule 9)."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import InvalidInput
from tallystick.model.names import check_id, check_name, is_meter_id
from tallystick.model.tokens import make_token

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60)
BOTH = pytest.mark.parametrize("check", [check_id, check_name])


@given(TEXT)
def test_any_text_without_control_characters_is_an_id(text: str) -> None:
    assert check_id(text) == text


@given(TEXT.map(lambda text: unicodedata.normalize("NFC", text).strip()).filter(bool))
def test_any_such_text_in_nfc_without_outer_spaces_is_a_name(text: str) -> None:
    assert check_name(text) == text


@BOTH
def test_the_empty_text_identifies_nothing(check: Callable[[str], str]) -> None:
    with pytest.raises(InvalidInput, match="must not be empty"):
        check("")


@pytest.mark.parametrize("character", ["a", "é", "語", "😀"])
def test_an_id_has_at_most_255_bytes_not_characters(character: str) -> None:
    size = len(character.encode())
    longest = character * (255 // size) + "a" * (255 % size)
    assert check_id(longest) == longest
    with pytest.raises(InvalidInput, match="at most 255 bytes"):
        check_id(longest + "a")


@pytest.mark.parametrize("character", ["a", "é", "語", "😀"])
def test_a_name_has_at_most_200_characters_not_bytes(character: str) -> None:
    assert check_name(character * 200) == character * 200
    with pytest.raises(InvalidInput, match="at most 200 characters"):
        check_name(character * 201)


@BOTH
@pytest.mark.parametrize("control", ["\x00", "\t", "\n", "\r", "\x1f", "\x7f", "\x80", "\x85", "\x9f"])
def test_control_characters_are_refused(check: Callable[[str], str], control: str) -> None:
    for text in (f"a{control}b", f"é{control}é"):
        with pytest.raises(InvalidInput, match="control characters"):
            check(text)


@BOTH
@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "é\ud83d"])
def test_a_lone_surrogate_is_refused(check: Callable[[str], str], text: str) -> None:
    with pytest.raises(InvalidInput, match="lone surrogate"):
        check(text)


@pytest.mark.parametrize("text", [" a", "a ", "\u00a0a", "a\u2003", " "])
def test_outer_spaces_are_refused_in_names_and_kept_in_ids(text: str) -> None:
    with pytest.raises(InvalidInput, match="begin or end with a space"):
        check_name(text)
    assert check_id(text) == text


def test_another_normal_form_is_refused_in_names_and_kept_in_ids() -> None:
    with pytest.raises(InvalidInput, match="NFC"):
        check_name("e\u0301")
    assert check_id("e\u0301") == "e\u0301"


@BOTH
def test_a_secret_is_refused_as_a_name_with_a_code_of_its_own(check: Callable[[str], str]) -> None:
    token = make_token(bytes(32))
    for text in (token, f"key {token}", f"é{token}"):
        with pytest.raises(InvalidInput) as caught:
            check(text)
        assert caught.value.code == "secret"
        assert token not in caught.value.detail


@pytest.mark.parametrize("text", ["a", "note_generation", "a1", "a" * 40])
def test_a_meter_id_is_lower_case(text: str) -> None:
    assert is_meter_id(text)


@pytest.mark.parametrize("text", ["", "A", "1a", "_a", "a-b", "a b", "é", "a" * 41, "a\n", "a٣"])
def test_another_text_is_no_meter_id(text: str) -> None:
    assert not is_meter_id(text)
