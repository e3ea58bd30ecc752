"""Every setting, in one table: its name, default and meaning. The environment names them ``TALLYSTICK_<NAME>``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from tallystick.errors import InvalidInput

MEBIBYTE = 2**20


def _setting(meaning: str, **limits: Any) -> msgspec.Meta:
    return msgspec.Meta(description=meaning, **limits)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How this deployment behaves. Everything has a default that suits a first start."""

    register: Annotated[bool, _setting("Register accounts and keys when a job first names them.")] = True
    default_time_zone: Annotated[str, _setting("IANA time zone of accounts that are registered without one.")] = "UTC"
    default_plan: Annotated[str, _setting("Price plan of accounts that are registered without one.")] = "standard"
    future_seconds: Annotated[int, _setting("How far ahead of the clock a job may be completed.", ge=0)] = 300
    max_body_bytes: Annotated[
        int, _setting("Largest request body, compressed and decompressed.", ge=1024, le=1024 * MEBIBYTE)
    ] = 16 * MEBIBYTE
    max_jobs: Annotated[int, _setting("Most jobs in one JSON array.", ge=1, le=1_000_000)] = 10_000
    queue_jobs: Annotated[int, _setting("Most jobs that wait to be stored; past it requests get 503.", ge=1)] = 100_000
    requests_per_minute: Annotated[
        int, _setting("Most requests of one token in a minute, for each server process; 0 is no limit.", ge=0)
    ] = 0
    session_hours: Annotated[int, _setting("How long someone stays signed in to the web pages.", ge=1, le=8760)] = 12
    sign_ins_per_minute: Annotated[
        int, _setting("Most failed sign-ins of one address in a minute, for each server process.", ge=1, le=10_000)
    ] = 10
    trusted_proxies: Annotated[
        str, _setting("Proxies whose X-Forwarded-For and -Proto are believed: addresses or networks, with commas.")
    ] = ""
    grace_hours: Annotated[
        int, _setting("Hours after the end of a month before it may be closed.", ge=0, le=24 * 366)
    ] = 48
    signing_folder: Annotated[
        str, _setting("Folder of the private keys that sign statements; FILE.keys beside a SQLite FILE by default.")
    ] = ""
    log_format: Annotated[Literal["text", "json"], _setting("Form of the log's lines.")] = "text"
    metrics: Annotated[
        Literal["public", "admin", "off"], _setting("Who may read /metrics: everybody, admin tokens or nobody.")
    ] = "public"
    quarantine_items: Annotated[int, _setting("Most rejected items that are kept.", ge=0)] = 10_000
    quarantine_bytes: Annotated[int, _setting("Most bytes of rejected items that are kept.", ge=0)] = 64 * MEBIBYTE
    quarantine_days: Annotated[int, _setting("Days for which a rejected item is kept.", ge=1, le=36_500)] = 90
    webhook_networks: Annotated[
        str, _setting("Networks that are not public to which webhooks may go all the same, with commas.")
    ] = ""
    webhook_key_file: Annotated[str, _setting("File with the keys that seal webhooks' secrets in the database.")] = ""
    webhook_log_days: Annotated[int, _setting("Days for which deliveries of webhooks are kept.", ge=1, le=36_500)] = 30


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The settings that an environment names. Raises `InvalidInput` naming the variable that does not fit."""
    given = {
        name: environment[variable]
        for name in Settings.__struct_fields__
        if (variable := f"TALLYSTICK_{name.upper()}") in environment
    }
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        variable = f"TALLYSTICK_{path.rstrip('`').upper()}" if path else "the environment"
        raise InvalidInput.parameter(variable, message) from None
