"""Where the things of a scene stand, and what is behind them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vqclip_nb.emoji.caption_words import COLOURS

from .captions import CaptionSpec

COLOUR_NAMES = list(COLOURS)


@dataclass
class Layout:
    """Where the things of one scene stand, and what is behind them."""

    spec: CaptionSpec
    theta: np.ndarray = field(default_factory=lambda: np.zeros((2, 2, 3), np.float32))
    second: bool = False  # a second thing is shown
    second_on_top: bool = False
    tint: np.ndarray = field(default_factory=lambda: np.full(3, np.nan, np.float32))
    background: np.ndarray = field(default_factory=lambda: np.zeros((2, 3), np.float32))
    shade: np.ndarray = field(default_factory=lambda: np.zeros(3, np.float32))  # x, y, strength
    patchy: bool = False


def rgb(colour: str) -> np.ndarray:
    return np.asarray(COLOURS[colour], np.float32) / 255


def inverse_affine(scale: float, degrees: float, x: float, y: float, flip: bool) -> np.ndarray:
    """Map (2, 3) from the scene's [-1, 1] coordinates to the sprite's."""
    c, s = np.cos(np.deg2rad(degrees)) / scale, np.sin(np.deg2rad(degrees)) / scale
    m = np.array([[c, s, -c * x - s * y], [-s, c, s * x - c * y]], np.float32)
    if flip:
        m[0] *= -1
    return m


def relation(
    layout: Layout, kind: float, rng: np.random.Generator
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Size and place of two things, and the words for it."""
    spec = layout.spec
    a, b = rng.uniform(0.38, 0.55, 2)
    if kind > 0.85:
        side = 1 if rng.random() < 0.5 else -1
        spec.link = ("next to", "and", "beside")[rng.integers(3)]
        return (a, -0.5 * side, rng.normal(0, 0.1)), (b, 0.5 * side, rng.normal(0, 0.1))
    if kind > 0.74:
        over = -1 if rng.random() < 0.5 else 1
        spec.link = "above" if over < 0 else "below"
        return (a, rng.normal(0, 0.1), 0.5 * over), (b, rng.normal(0, 0.1), -0.5 * over)
    # On top of, or sunk into, the second.
    inside = layout.second_on_top = rng.random() < 0.5
    spec.link = "in" if inside else "on"
    b = rng.uniform(0.6, 0.75) if inside else rng.uniform(0.5, 0.65)
    a = rng.uniform(0.38, 0.5)
    x, y2 = rng.normal(0, 0.05), 0.95 - b
    x2 = x + rng.normal(0, 0.03)
    return (a, x, y2 - b * (0.35 if inside else 0.75) - a * 0.35), (b, x2, y2)


def choose_background(layout: Layout, rng: np.random.Generator) -> None:
    """A plain colour, two, or patches; what can be named enters the caption in most cases."""
    kind = rng.random()
    word = COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))]
    if rng.random() < 0.3:
        word = "white"
    layout.background[:] = rgb(word)
    layout.background += rng.normal(0, 0.03, 3)
    if kind > 0.6:
        word2 = COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))]
        turn = rng.uniform(0, 2 * np.pi)
        if kind > 0.85:
            layout.background[:], layout.patchy, word = rng.random((2, 3)), True, ""
        elif kind > 0.75:
            layout.background[1] = rgb(word2)
            word, layout.shade[:] = f"{word} and {word2}", (np.cos(turn), np.sin(turn), 1)
        else:  # the same colour, lit from one side
            lit = layout.background[0] * rng.uniform(0.75, 1.2)
            layout.background[1] = np.clip(lit, 0, 1)
            layout.shade[:] = np.cos(turn), np.sin(turn), 1
    if word and rng.random() < 0.7:
        spec = layout.spec
        spec.colour, spec.backdrop = word, str(rng.choice(["background", "backdrop"]))
