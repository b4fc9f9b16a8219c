"""Palettes: colours by name or number, and a picture painted over in them."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Sequence

import torch

from .knobs import shown

COLOURS: dict[str, tuple[int, int, int]] = {  # sRGB, 0 to 255
    "white": (255, 255, 255),
    "black": (12, 12, 12),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "red": (215, 35, 35),
    "orange": (245, 140, 30),
    "yellow": (250, 220, 50),
    "green": (50, 160, 60),
    "blue": (40, 90, 215),
    "purple": (130, 55, 175),
    "pink": (250, 150, 190),
    "brown": (120, 75, 45),
    "turquoise": (50, 200, 195),
    "light blue": (165, 210, 250),
    "dark blue": (20, 30, 95),
    "light green": (170, 230, 150),
    "dark green": (15, 75, 35),
    "light gray": (205, 205, 205),
    "light grey": (205, 205, 205),
    "beige": (240, 225, 190),
    "dark gray": (70, 70, 70),
    "dark grey": (70, 70, 70),
    "dark red": (120, 15, 15),
    "dark brown": (70, 42, 22),
    "dark purple": (70, 20, 100),
    "light pink": (252, 205, 222),
    "light yellow": (253, 240, 160),
    "cyan": (60, 210, 235),
    "teal": (0, 128, 128),
    "navy": (15, 25, 85),
    "sky blue": (125, 195, 245),
    "violet": (140, 70, 215),
    "lavender": (200, 180, 240),
    "magenta": (220, 40, 160),
    "crimson": (190, 15, 50),
    "scarlet": (225, 35, 20),
    "maroon": (115, 10, 35),
    "golden": (225, 175, 45),
    "gold": (225, 175, 45),
    "silver": (190, 192, 198),
    "copper": (190, 110, 60),
    "cream": (252, 244, 215),
    "tan": (210, 180, 140),
}
Colour = tuple[float, float, float]  # RGB in [0, 1]
ROUNDS = 12  # of k-means, which stands still by then on drawings
DIFFERENT = 0.05  # distance in RGB from which on two colours of a picture count as two
SOFT = 0.02  # squared distance over which two colours mix at an edge


def parse_colour(text: str) -> Colour:
    """'navy' or '#1b2a6b' as RGB in [0, 1]; ValueError says what is allowed."""
    word = text.strip().lower()
    if word in COLOURS:
        r, g, b = COLOURS[word]
    elif re.fullmatch(r"#([0-9a-f]{3}|[0-9a-f]{6})", word):
        r, g, b = bytes.fromhex(word[1:] if len(word) == 7 else "".join(2 * c for c in word[1:]))
    else:
        near = difflib.get_close_matches(word, COLOURS, 3) or list(COLOURS)[:9]
        raise ValueError(
            f"palette: {shown(text)} is no colour: give six digits as '#1b2a6b', or a name as "
            f"{', '.join(near)}"
        )
    return r / 255, g / 255, b / 255


@torch.no_grad()
def recolour(picture: torch.Tensor, colours: Sequence[Colour]) -> torch.Tensor:
    """A picture (1, 3, h, w) in [0, 1] in as many colours of its own as are given, or as it has if
    these are fewer; each is replaced by another of `colours`, such that all moves are short.

    Its own colours are the centres of k-means (Lloyd 1957) over its pixels.
    """
    pixels, wanted = picture[0].flatten(1).T.cpu(), torch.tensor(colours)
    centres = _centres(pixels, len(colours))
    away = torch.cdist(centres, wanted)
    order = min(
        itertools.permutations(range(len(colours)), len(centres)),
        key=lambda order: float(away[range(len(order)), order].sum()),
    )
    share = (-(torch.cdist(pixels, centres).square()) / SOFT).softmax(1)
    return (share @ wanted[list(order)]).T.reshape_as(picture).to(picture)


def _centres(pixels: torch.Tensor, count: int) -> torch.Tensor:
    """At most `count` centres (k, 3) of pixels (n, 3), begun as far apart as they can be from the
    most frequent one."""
    different, often = (pixels * 255).round().unique(dim=0, return_counts=True)
    centres = different[often.argmax()][None] / 255
    while len(centres) < count:
        away = torch.cdist(pixels, centres).amin(1)
        if away.max() < DIFFERENT:
            break
        centres = torch.cat([centres, pixels[away.argmax()][None]])
    for _ in range(ROUNDS):
        nearest = torch.cdist(pixels, centres).argmin(1)
        for i in range(len(centres)):
            if (own := pixels[nearest == i]).numel():
                centres[i] = own.mean(0)
    return centres
