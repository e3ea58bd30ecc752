"""What a chart shows as rows of exact figures."""

from __future__ import annotations

from typing import NamedTuple


class Table(NamedTuple):
    """Rows below the names of their columns; figures stand in plain digits, as CSV wants them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
