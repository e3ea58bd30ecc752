"""Tokens have a form that scanners know, a checksum, and are struck out of whatever is kept."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.tokens import (
    PREFIX,
    STRUCK_OUT,
    Scope,
    hash_token,
    holds_token,
    is_token,
    make_token,
    strike_tokens,
)

SECRETS = st.binary(min_size=32, max_size=32)


@given(SECRETS)
def test_a_token_has_the_form_that_is_promised(secret: bytes) -> None:
    token = make_token(secret)
    assert re.fullmatch(r"tally_[0-9A-Za-z]{49}", token)
    assert is_token(token)
    assert holds_token(token)


@given(SECRETS, SECRETS)
def test_different_secrets_make_different_tokens_and_hashes(one: bytes, other: bytes) -> None:
    same = one == other
    assert (make_token(one) == make_token(other)) == same
    assert (hash_token(make_token(one)) == hash_token(make_token(other))) == same


@given(SECRETS, st.integers(len(PREFIX), len(PREFIX) + 48), st.sampled_from("019AZaz"))
def test_a_changed_character_breaks_the_checksum(secret: bytes, place: int, character: str) -> None:
    token = make_token(secret)
    changed = token[:place] + character + token[place + 1 :]
    assert is_token(changed) == (changed == token)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_secret_of_another_length_makes_no_token(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        make_token(bytes(length))


@pytest.mark.parametrize("text", ["", "tally_", "x", "tally_" + "0" * 48, "tally_" + "0" * 50, "TALLY_" + "0" * 49])
def test_another_text_is_no_token(text: str) -> None:
    assert not is_token(text)


@given(SECRETS, st.text(), st.text())
def test_a_token_is_struck_out_wherever_it_stands(secret: bytes, before: str, behind: str) -> None:
    token = make_token(secret)
    struck = strike_tokens(f"{before}{token}{behind}")
    assert token not in struck
    assert STRUCK_OUT in struck
    assert not holds_token(struck)


def test_a_token_with_a_wrong_checksum_is_struck_out_as_well() -> None:
    almost = make_token(bytes(32))[:-1] + "~"
    wrong = "tally_" + "a" * 49
    assert not is_token(wrong)
    assert strike_tokens(f"{wrong} {almost}") == f"{STRUCK_OUT} {almost}"


def test_text_without_a_token_stays_as_it_is() -> None:
    for text in ("", "tally_ho", "nothing here"):
        assert strike_tokens(text) == text
        assert not holds_token(text)


def test_the_hash_reveals_nothing_of_the_token() -> None:
    token = make_token(bytes(range(32)))
    assert re.fullmatch(r"[0-9a-f]{64}", hash_token(token))
    assert hash_token(token) == hash_token(token)


def test_the_scopes_are_those_of_the_design() -> None:
    assert sorted(Scope) == ["admin", "ingest", "manage", "usage"]
