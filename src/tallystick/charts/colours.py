"""Which API key has which colour. The colours themselves are in the configurations of light and dark."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

SLOTS: Final = 8
"""How many keys a chart tells apart."""

REST: Final = SLOTS
"""The slot of all other keys together, which is grey."""


def slots_of(shown: Collection[str], key_order: Sequence[str], known: Collection[str]) -> dict[str, int]:
    """A colour slot for each of at most eight shown keys, no two the same.

    A key prefers the slot of its place in `key_order`, behind which the other `known` keys come by name. So it keeps
    its colour from chart to chart and from period to period; only where more than eight keys compete must some move.
    """
    named = set(key_order)
    order = [*key_order, *sorted(name for name in known if name not in named)]
    places = {name: place for place, name in enumerate(order)}
    slots: dict[str, int] = {}
    for name in sorted(shown, key=places.__getitem__):
        free = [
            slot % SLOTS for slot in range(places[name], places[name] + SLOTS) if slot % SLOTS not in slots.values()
        ]
        slots[name] = free[0]
    return slots


def names_of(slots: dict[str, int], others: int) -> list[str]:
    """The legend's names by slot; `others` is how many keys are drawn as one."""
    names = [""] * SLOTS + [rest_name(others)]
    for name, slot in slots.items():
        names[slot] = name
    return names


def rest_name(others: int) -> str:
    """How the keys that are drawn as one are called."""
    return f"{others:,} other keys" if others != 1 else "1 other key"
