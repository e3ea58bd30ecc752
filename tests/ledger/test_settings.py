"""Settings come from one table, and what the environment says wrong is told by the name of its variable."""

from __future__ import annotations

import pytest

from tallystick.errors import InvalidInput
from tallystick.settings import Settings, settings_from


def test_without_an_environment_everything_has_its_default() -> None:
    assert settings_from({}) == Settings()
    assert settings_from({"HOME": "/root", "TALLYSTICK_DATABASE": "x", "TALLYSTICK_TOKEN": "y"}) == Settings()


def test_the_defaults_are_those_of_the_design() -> None:
    defaults = Settings()
    assert (defaults.register, defaults.default_time_zone, defaults.default_plan) == (True, "UTC", "standard")
    assert (defaults.future_seconds, defaults.max_jobs, defaults.max_body_bytes) == (300, 10_000, 16 * 2**20)
    assert (defaults.quarantine_items, defaults.quarantine_bytes, defaults.quarantine_days) == (10_000, 64 * 2**20, 90)


def test_every_setting_has_a_variable_and_a_meaning() -> None:
    environment = {f"TALLYSTICK_{name.upper()}": str(getattr(Settings(), name)) for name in Settings.__struct_fields__}
    assert settings_from(environment) == Settings()
    for annotation in Settings.__annotations__.values():
        assert "_setting(" in str(annotation)


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("true", True), ("TRUE", True), ("0", False), ("false", False)]
)
def test_a_switch_is_read_from_the_usual_words(text: str, value: bool) -> None:
    assert settings_from({"TALLYSTICK_REGISTER": text}).register is value


def test_numbers_and_text_are_read() -> None:
    read = settings_from({"TALLYSTICK_FUTURE_SECONDS": "0", "TALLYSTICK_DEFAULT_PLAN": "gold"})
    assert (read.future_seconds, read.default_plan) == (0, "gold")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("TALLYSTICK_REGISTER", "maybe"),
        ("TALLYSTICK_REGISTER", ""),
        ("TALLYSTICK_MAX_JOBS", "many"),
        ("TALLYSTICK_MAX_JOBS", ""),
        ("TALLYSTICK_MAX_JOBS", "0"),
        ("TALLYSTICK_MAX_JOBS", "1000001"),
        ("TALLYSTICK_MAX_JOBS", "1.5"),
        ("TALLYSTICK_FUTURE_SECONDS", "-1"),
        ("TALLYSTICK_MAX_BODY_BYTES", "1023"),
        ("TALLYSTICK_MAX_BODY_BYTES", "16M"),
        ("TALLYSTICK_QUEUE_JOBS", "0"),
        ("TALLYSTICK_QUARANTINE_ITEMS", "-1"),
        ("TALLYSTICK_QUARANTINE_BYTES", "-1"),
        ("TALLYSTICK_QUARANTINE_DAYS", "0"),
        ("TALLYSTICK_QUARANTINE_DAYS", "99999999999"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_the_name_of_its_variable(variable: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        settings_from({"TALLYSTICK_DEFAULT_PLAN": "gold", variable: text})
    assert [field.parameter for field in caught.value.errors] == [variable]
    assert caught.value.detail.startswith(f"{variable}: ")
