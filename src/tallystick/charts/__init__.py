"""Charts: Vega-Lite specifications kept as data files, one per picture, filled from reports.

The browser draws a filled specification with the scripts of `bundle`, `to_png` and `to_svg` draw the same one for
files. A specification names no colour: those are in the two configurations, so that it suits light and dark.
Plotted values are JSON numbers, which charting knows as floats; beside each stands its exact text, and that is what
tooltips, descriptions and `table` show.
"""

from tallystick.charts.drawing import VEGA_LITE, bundle, to_png, to_svg
from tallystick.charts.pictures import PICTURES, Drawable, Series, Table, describe, fill, table
from tallystick.charts.specifications import THEMES, Theme, configuration

__all__ = [
    "PICTURES",
    "THEMES",
    "VEGA_LITE",
    "Drawable",
    "Series",
    "Table",
    "Theme",
    "bundle",
    "configuration",
    "describe",
    "fill",
    "table",
    "to_png",
    "to_svg",
]
