"""Specifications drawn to files, and the scripts that draw them in a browser.

Both come from the package ``vl-convert-python`` (the extra ``charts``, part of ``server``), which holds Vega-Lite and a
JavaScript engine. It is loaded when it is first needed, and reaches no network: no specification may name an address.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any, Final

from tallystick.charts.specifications import Theme, configuration
from tallystick.errors import MissingExtra
from tallystick.model.wire import encode

VEGA_LITE: Final = "6.4"
_NO_ADDRESS: Final[list[str]] = []
_SHARPNESS: Final = 2.0


def to_png(specification: dict[str, Any], *, theme: Theme = "light", scale: float = _SHARPNESS) -> bytes:
    """The picture as PNG; `scale` is pixels per point. Raises `MissingExtra`."""
    drawn: bytes = _converter().vegalite_to_png(encode(specification).decode(), scale=scale, **_drawn_as(theme))
    return drawn


def to_svg(specification: dict[str, Any], *, theme: Theme = "light") -> str:
    """The picture as SVG. Raises `MissingExtra`."""
    drawn: str = _converter().vegalite_to_svg(encode(specification).decode(), **_drawn_as(theme))
    return drawn


@cache
def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, for a ``<script src>`` that our own server answers.

    It sets ``window.vegaEmbed``. Without ``eval``, as a strict content security policy wants it: ``vegaEmbed(element,
    specification, {ast: true, config})``. The first call takes a second or two. Raises `MissingExtra`.
    """
    script: str = _converter().javascript_bundle(vl_version=VEGA_LITE)
    return script


def _drawn_as(theme: Theme) -> dict[str, Any]:
    return {"vl_version": VEGA_LITE, "config": configuration(theme), "allowed_base_urls": _NO_ADDRESS}


def _converter() -> ModuleType:
    try:
        import vl_convert
    except ModuleNotFoundError:
        raise MissingExtra("charts are drawn by vl-convert-python", "charts") from None
    return vl_convert
