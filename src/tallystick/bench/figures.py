"""What is measured: figures, each beside its floor."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

import msgspec


class Pair(NamedTuple):
    """What one round gave."""

    figure: float
    floor: float


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and its floor: medians of the rounds, whose order is kept. `ratio` is the figure's share of the floor.

    `unit` is what both count, per second where it says so; `beside` says what the floor is.
    """

    engine: str
    part: str
    name: str
    unit: str
    beside: str
    figure: float
    floor: float
    ratio: float
    rounds: tuple[Pair, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run measured, and on what: `machine` maps names to what they are, for people."""

    machine: dict[str, str]
    sizes: dict[str, object]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]
    seconds: float


def figure_of(engine: str, part: str, name: str, unit: str, beside: str, rounds: list[Pair]) -> Figure:
    """The medians of some rounds."""
    figure, floor = median(pair.figure for pair in rounds), median(pair.floor for pair in rounds)
    return Figure(
        engine=engine,
        part=part,
        name=name,
        unit=unit,
        beside=beside,
        figure=figure,
        floor=floor,
        ratio=figure / floor,
        rounds=tuple(rounds),
    )
