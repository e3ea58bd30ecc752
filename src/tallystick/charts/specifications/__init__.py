"""The data files of the charts: a specification for each picture, and the colours of light and dark.

A string that begins with ``$`` in a specification is a place that `filled` replaces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, get_args

Theme = Literal["light", "dark"]
THEMES: Final[tuple[Theme, ...]] = get_args(Theme)


def filled(name: str, values: Mapping[str, object]) -> dict[str, Any]:
    """The specification of a picture with `values` in its places, each of which must be given."""
    specification: dict[str, Any] = _replaced(_read(f"{name}.vl.json"), values)
    return specification


def layers(name: str) -> list[dict[str, Any]]:
    """The layers of a data file that lie over those of a picture."""
    read: list[dict[str, Any]] = _read(f"{name}.layers.json")
    return read


def configuration(theme: Theme = "light") -> dict[str, Any]:
    """The Vega-Lite configuration of a theme: colours, fonts and spacing of every picture."""
    read: dict[str, Any] = json.loads(_read_text(f"{theme}.config.json"))
    return read


def _replaced(value: Any, values: Mapping[str, object]) -> Any:
    if isinstance(value, str) and value.startswith("$") and value != "$schema":
        return values[value[1:]]
    if isinstance(value, dict):
        return {key: _replaced(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, values) for item in value]
    return value


def _read(file: str) -> Any:
    return json.loads(_read_text(file))


@cache
def _read_text(file: str) -> str:
    return resources.files(__name__).joinpath(file).read_text("utf-8")
