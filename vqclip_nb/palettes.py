"""Palettes: colours by name or number, and a picture painted over in them."""

import difflib
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from .knobs import shown

_LINES = Path(__file__).with_name("colours.txt").read_text(encoding="utf8").splitlines()
COLOURS: dict[str, tuple[int, ...]] = {  # sRGB, 0 to 255
    name: tuple(map(int, rgb.split())) for name, rgb in (line.split(": ") for line in _LINES)
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
    centres = own_colours(pixels, len(colours))
    away = torch.cdist(centres, wanted)
    order = min(
        itertools.permutations(range(len(colours)), len(centres)),
        key=lambda order: float(away[range(len(order)), order].sum()),
    )
    share = (-(torch.cdist(pixels, centres).square()) / SOFT).softmax(1)
    return (share @ wanted[list(order)]).T.reshape_as(picture).to(picture)


def own_colours(pixels: torch.Tensor, count: int) -> torch.Tensor:
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
