"""The colours: keys keep theirs, and all can be told apart by everybody, on light and on dark."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.charts import THEMES, Theme, configuration
from tallystick.charts.colours import SLOTS, names_of, slots_of

NAMES = st.lists(st.text(max_size=3), unique=True, max_size=20)

SIGHTS = {
    "ordinary": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""What each sight leaves of linear red, green and blue: the matrices of Machado, Oliveira and Fernandes (2009),
"A Physiologically-based Model for Simulation of Color Vision Deficiency", at severity 1.0."""

LEAST_DISTANCE = 0.12
"""In OKLab, where 1 is from black to white and 0.02 just noticeable side by side."""

LEAST_CONTRAST = 3.0
"""Of graphical objects against what is next to them (WCAG 2.2, success criterion 1.4.11)."""

LEAST_TEXT_CONTRAST = 4.5


@given(NAMES, NAMES)
def test_up_to_eight_keys_have_colours_of_their_own(order: list[str], known: list[str]) -> None:
    shown = list(dict.fromkeys([*known, *order]))[:SLOTS]
    slots = slots_of(shown, order, known)
    assert set(slots) == set(shown)
    assert len(set(slots.values())) == len(shown)
    assert set(slots.values()) <= set(range(SLOTS))


@given(st.lists(st.text(max_size=3), unique=True, min_size=1, max_size=SLOTS), st.data())
def test_a_key_has_the_same_colour_whichever_others_are_shown(order: list[str], data: st.DataObject) -> None:
    shown = data.draw(st.sets(st.sampled_from(order)))
    assert slots_of(shown, order, shown) == {name: order.index(name) for name in shown}


def test_a_ninth_key_takes_what_is_free() -> None:
    order = [str(number) for number in range(10)]
    assert slots_of(["0", "8", "9"], order, order) == {"0": 0, "8": 1, "9": 2}


def test_the_legend_names_each_slot_and_the_rest() -> None:
    assert names_of({"b": 1, "h": 7}, 3) == ["", "b", "", "", "", "", "", "h", "3 other keys"]
    assert names_of({}, 1)[-1] == "1 other key"


def linear(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return _linear(red), _linear(green), _linear(blue)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else math.pow((part + 0.055) / 1.055, 2.4)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    weights = (0.2126, 0.7152, 0.0722)
    lights = [sum(w * part for w, part in zip(weights, linear(colour), strict=True)) for colour in (one, other)]
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def seen(colour: str, sight: str) -> tuple[float, float, float]:
    """A colour in OKLab (Ottosson 2020), as that sight has it."""
    parts = linear(colour)
    red, green, blue = (
        min(1.0, max(0.0, sum(w * part for w, part in zip(row, parts, strict=True)))) for row in SIGHTS[sight]
    )
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def alike(colours: Sequence[str]) -> list[tuple[str, str, str]]:
    """The pairs that somebody could take for one another."""
    return [
        (one, other, sight)
        for one, other in itertools.combinations(colours, 2)
        for sight in SIGHTS
        if math.dist(seen(one, sight), seen(other, sight)) < LEAST_DISTANCE
    ]


def test_the_measure_finds_what_looks_alike() -> None:
    assert alike(["#2ca02c", "#d62728"]), "a green and a red that deuteranopia takes for one another"
    assert contrast("#ffffff", "#000000") == pytest.approx(21)


@pytest.mark.parametrize("theme", THEMES)
def test_keys_are_told_apart_by_every_sight(theme: Theme) -> None:
    colours = configuration(theme)["range"]["keys"]
    assert len(colours) == SLOTS + 1
    assert not alike(colours[:SLOTS])
    assert not alike(configuration(theme)["range"]["costs"])


@pytest.mark.parametrize("theme", THEMES)
def test_every_colour_stands_out_from_the_background(theme: Theme) -> None:
    config = configuration(theme)
    colours = [*config["range"]["keys"], *config["range"]["costs"], config["style"]["accent"]["color"]]
    assert all(contrast(colour, config["background"]) >= LEAST_CONTRAST for colour in colours)
    texts = [config["title"]["color"], config["title"]["subtitleColor"], config["axis"]["labelColor"]]
    texts += [config["legend"]["labelColor"], config["style"]["figure"]["color"]]
    assert all(contrast(colour, config["background"]) >= LEAST_TEXT_CONTRAST for colour in texts)


def test_light_and_dark_differ_in_colours_alone() -> None:
    light, dark = (without_colours(configuration(theme)) for theme in THEMES)
    assert light == dark


def without_colours(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_colours(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_colours(item) for item in value]
    return "colour" if isinstance(value, str) and value.startswith("#") else value
