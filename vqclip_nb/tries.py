"""Several seeds tried for a few steps each, so that the guide can choose which of them to paint."""

from __future__ import annotations

from collections.abc import Callable

from .loop import Diverged
from .painting import Painting
from .settings import Settings

JUDGED = 3  # steps at a try's end whose mean similarity counts, which evens out their random crops


def steps_of_a_try(settings: Settings) -> int:
    """A tenth of the picture's steps, `JUDGED` at least."""
    return max(JUDGED, -(-settings.total_iter // 10))


def steps_ahead(settings: Settings) -> int:
    """Steps that all tries of a picture take before its own first one."""
    return settings.tries * steps_of_a_try(settings) if settings.tries > 1 else 0


def try_out(painting: Painting) -> float:
    """Mean similarity in [-1, 1] at the end of a try; -1 if it leaves the numbers."""
    found = []
    for _ in range(steps_of_a_try(painting.settings)):
        try:
            taken = painting.take(painting.state())
        except Diverged:
            return -1.0
        if taken is None:
            return -1.0
        found.append(taken.similarity)
    return sum(found[-JUDGED:]) / JUDGED


def choose(make: Callable[[int], Painting], count: int, tried: list[float]) -> Painting:
    """The most promising of `count` paintings, at its start. make: attempt number to painting.
    tried: gets the similarity of each; those that are in it are not tried again."""
    while len(tried) < count:
        tried.append(try_out(make(len(tried))))
    return make(tried.index(max(tried)))
