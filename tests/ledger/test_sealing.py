"""Secrets in the database: sealed with a key that is not there, or plain where none is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallystick.errors import InvalidInput, StoreError
from tallystick.ledger.sealing import Seal, new_key

KEY = "w9oLxtQEOQBH49_YaRTiiBaIvQuLtemBT5rLfCKqC0s="


def key_file(folder: Path, *keys: str) -> str:
    file = folder / "webhook.key"
    file.write_text("\n".join(keys) + "\n")
    file.chmod(0o600)
    return str(file)


def test_a_sealed_secret_opens_with_its_key_and_shows_nothing_of_itself(tmp_path: Path) -> None:
    seal = Seal(key_file(tmp_path, new_key()))
    stored = seal.close("whsec_abc")
    assert "whsec" not in stored
    assert seal.close("whsec_abc") != stored
    assert seal.open(stored) == "whsec_abc"


def test_a_key_is_changed_by_a_line_before_the_old_one(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    stored = Seal(key_file(tmp_path, old)).close("whsec_abc")
    both = Seal(key_file(tmp_path, new, old))
    assert both.open(stored) == "whsec_abc"
    assert Seal(key_file(tmp_path, new)).open(both.close("whsec_x")) == "whsec_x"


def test_a_secret_that_was_stored_without_a_key_opens_also_with_one(tmp_path: Path) -> None:
    stored = Seal().close("whsec_abc")
    assert Seal().open(stored) == Seal(key_file(tmp_path, new_key())).open(stored) == "whsec_abc"


def test_a_sealed_secret_does_not_open_without_its_key(tmp_path: Path) -> None:
    stored = Seal(key_file(tmp_path, new_key())).close("whsec_abc")
    for seal in (Seal(), Seal(key_file(tmp_path, new_key()))):
        with pytest.raises(StoreError) as caught:
            seal.open(stored)
        assert caught.value.code == "sealed"


@pytest.mark.parametrize("content", ["", "not a key", "é", "c2hvcnQ=", f"{KEY}\nbroken"])
def test_a_file_without_keys_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    file = tmp_path / "webhook.key"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(InvalidInput, match="TALLYSTICK_WEBHOOK_KEY_FILE") as caught:
        Seal(str(file))
    assert not content or content not in caught.value.detail


def test_a_file_that_is_not_there_is_named_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="TALLYSTICK_WEBHOOK_KEY_FILE: cannot be read"):
        Seal(str(tmp_path / "none"))


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = Path(key_file(tmp_path, KEY))
    for mode in (0o640, 0o604):
        file.chmod(mode)
        with pytest.raises(InvalidInput, match="can be read by others: chmod 600"):
            Seal(str(file))
