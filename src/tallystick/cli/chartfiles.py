"""Charts drawn to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tallystick.cli.output import count, note

if TYPE_CHECKING:
    from tallystick.charts import Theme

Dark = Annotated[bool, typer.Option("--dark", help="Draw the chart in light colours on dark.")]


def check_chart_name(file: Path | None) -> None:
    """Raises `typer.BadParameter` for a file that has the name of no picture."""
    if file is not None and file.suffix.lower() not in {".png", ".svg"}:
        raise typer.BadParameter(f"--chart needs a name that ends in .png or .svg, and {file.name} does not")


def write_chart(specification: dict[str, Any], file: Path, *, dark: bool) -> None:
    """Draws a filled specification to a file, in the form that its name asks for."""
    from tallystick.charts import to_png, to_svg

    theme: Theme = "dark" if dark else "light"
    as_png = file.suffix.lower() == ".png"
    body = to_png(specification, theme=theme) if as_png else to_svg(specification, theme=theme).encode()
    file.write_bytes(body)
    note(f"{file}: {count(len(body))} bytes")
