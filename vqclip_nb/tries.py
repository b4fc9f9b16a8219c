"""Several seeds are tried for a few steps each, and the best is painted."""

from __future__ import annotations

from collections.abc import Callable

from .loop import Diverged
from .picture import Painting
from .settings import Settings

JUDGED = 3  # last steps of a try whose mean similarity counts; evens out their random crops


def steps_of_a_try(settings: Settings) -> int:
    """A tenth of the picture's steps, `JUDGED` at least."""
    return max(JUDGED, -(-settings.total_iter // 10))


def steps_ahead(settings: Settings) -> int:
    """Steps of all tries together, which come before a picture's own first step."""
    return settings.tries * steps_of_a_try(settings) if settings.tries > 1 else 0


def try_out(painting: Painting) -> float:
    """Mean similarity in [-1, 1] at the end of a try; -1 if it diverges."""
    found = []
    for _ in range(steps_of_a_try(painting.settings)):
        try:
            result = painting.step(painting.state())
        except Diverged:
            result = None
        if result is None:
            return -1.0
        found.append(result.similarity)
    return sum(found[-JUDGED:]) / JUDGED


def choose_try(make: Callable[[int], Painting], count: int, tried: list[float]) -> Painting:
    """The try of the highest similarity, at its start. make: number of the try to painting. tried:
    the similarity of each is appended; those in it already are not made again."""
    while len(tried) < count:
        tried.append(try_out(make(len(tried))))
    return make(tried.index(max(tried)))
