"""What a caption asks for: things, and how they look and stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Thing:
    """One thing of a scene: its name as the library knows it, tint, size and number.

    tint, zoom: another colour or size, and how far it has gone there from its own, in [0, 1].
    said: the words of the caption for it. led: those between it and the things before.
    """

    name: str
    colour: str = ""  # a key of COLOURS; empty: as drawn
    size: str = ""  # "big", "small" or empty
    count: int = 1
    tint: tuple[str, float] = ("", 0.0)
    zoom: tuple[str, float] = ("", 0.0)
    said: str = field(default="", compare=False)
    led: str = field(default="", compare=False)


@dataclass(frozen=True)
class Scene:
    """What a caption asks for.

    relations: of each thing but the first, how those before it stand to it; keys of
    `placing.PLACINGS`. background: as `reading.split_background` has it: weather, one colour or two
    for a gradient, that of the ground; empty where none was named. left_out: words that are not
    drawn as they stand, each with what is said of it.
    """

    things: tuple[Thing, ...]
    relations: tuple[str, ...] = ()
    style: str = ""
    background: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict, compare=False)
