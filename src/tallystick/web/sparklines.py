"""Small pictures of a few numbers: a bar for each, as SVG without styles, since the pages allow none inline."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from markupsafe import Markup

_STEP: Final = 6
_WIDTH: Final = 4
_HEIGHT: Final = 24
_LEAST: Final = 1
_FEWEST: Final = 6
"""Of fewer values the bars are as wide as of so many, and room is left."""


def bars(values: Sequence[int | Decimal]) -> Markup:
    """A bar for each value, the highest at full height; nothing for fewer than two values.

    It is decoration: the same figures stand in a table.
    """
    most = max(values, default=0)
    if len(values) < 2 or not most:
        return Markup()
    rectangles = "".join(
        f'<rect x="{number * _STEP}" y="{_HEIGHT - height}" width="{_WIDTH}" height="{height}"/>'
        for number, height in enumerate(_height(value, most) for value in values)
    )
    width = max(len(values), _FEWEST) * _STEP - (_STEP - _WIDTH)
    return Markup(
        f'<svg class="sparkline" viewBox="0 0 {width} {_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f"{rectangles}</svg>"
    )


def _height(value: int | Decimal, most: int | Decimal) -> int:
    return max(_LEAST, round(value * _HEIGHT / most)) if value else _LEAST
