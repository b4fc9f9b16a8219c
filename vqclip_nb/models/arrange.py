"""Where two things stand in a picture: both as large as their relation and the frame allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

Box = tuple[float, float, float, float]  # centre x, centre y, width, height in pixels


@dataclass(frozen=True)
class Placing:
    """How two things of a relation stand.

    axis: 0 beside, 1 above each other. order: -1 if the first has the smaller coordinate there, 1
    if the larger. sunk: share of the smaller one's extent that goes into the other. slant: how far
    they may be moved across the axis, of their distance along it. covered: how much of the smaller
    one's area may lie under or over the other. ratio: size of the first over the second's.
    """

    axis: int
    order: int = -1
    sunk: float = 0.0
    slant: float = 0.0
    covered: float = 0.05
    ratio: float = 1.0


PLACINGS = {
    "beside": Placing(0, sunk=0.0, slant=0.7),
    "above": Placing(1, sunk=0.0, slant=0.7),
    "below": Placing(1, order=1, sunk=0.0, slant=0.7),
    "on": Placing(1, sunk=0.1, slant=0.35, covered=0.15),
    "in": Placing(1, sunk=0.3, slant=0.2, covered=0.35),
    "wears": Placing(1, order=1, sunk=0.12, covered=0.5, ratio=1.7),
}
FRAME = 0.98  # of the picture's sides
UNEQUAL = (1.0, 1.12, 1 / 1.12, 1.25, 1 / 1.25)  # ratios tried where the caption names none
GRID = 40  # cells on a side where covered areas are counted


def arrange(
    masks: Sequence[torch.Tensor],
    relation: str,
    size: tuple[int, int],
    *,
    ratio: float = 1.0,
) -> list[Box]:
    """Boxes of two things, of all tried those whose smaller one is largest.

    masks: what is drawn of each (h, w), cut to its extent. size: height, width in pixels. ratio:
    of the first's size to the second's, as the caption wants it.
    """
    placing = PLACINGS[relation]
    axis, fixed = placing.axis, ratio != 1 or placing.ratio != 1
    tried = torch.cartesian_prod(
        torch.linspace(0.98, 0.2, 79),
        torch.tensor([1.0] if fixed else UNEQUAL) * ratio * placing.ratio,
        torch.linspace(-1, 1, 9) * placing.slant,
    )
    s, ratios, slant = tried.T
    longer = torch.stack([s * ratios.clamp(max=1), s / ratios.clamp(min=1)], 1) * min(size)
    shapes = torch.tensor([[m.shape[1] / max(m.shape), m.shape[0] / max(m.shape)] for m in masks])
    sides = longer[..., None] * shapes  # (n, 2 things, width and height)
    room = torch.tensor([size[1], size[0]]) * FRAME - sides.sum(1) / 2
    apart = torch.zeros(len(tried), 2)  # from the first's centre to the second's, x and y
    touching = sides[..., axis].sum(1) / 2 - placing.sunk * sides[..., axis].amin(1)
    apart[:, axis] = touching.minimum(room[:, axis])
    most = room[:, 1 - axis].clamp(min=0)
    apart[:, 1 - axis] = (slant * apart[:, axis]).clamp(-most, most)
    fits = (sides.amax(1) <= torch.tensor([size[1], size[0]]) * FRAME).all(1)
    fits &= apart[:, axis] > 0
    score = sides.prod(2).sqrt().amin(1) * (1 - 0.06 * slant.abs()) * fits
    lows = -sides / 2 + torch.stack([torch.zeros_like(apart), apart * -placing.order], 1)
    highs = lows + sides
    shift = torch.tensor([size[1], size[0]]) / 2 - (lows.amin(1) + highs.amax(1)) / 2
    lows = lows + shift[:, None]
    best = score.argmax()  # where all are covered too much
    for some in score.sort(descending=True, stable=True).indices.split(64):
        good = covered(masks, lows[some], sides[some], size) <= placing.covered
        if good.any():
            best = some[good.nonzero()[0, 0]]
            break
    return [
        (*(low + side / 2).tolist(), *side.tolist())
        for low, side in zip(lows[best], sides[best], strict=True)
    ]


def covered(
    masks: Sequence[torch.Tensor], lows: torch.Tensor, sides: torch.Tensor, size: tuple[int, int]
) -> torch.Tensor:
    """Shares (n,) of the smaller one's area that both things cover, at n places.

    lows, sides (n, 2, 2): left and top, width and height of each in pixels.
    """
    height, width = size
    cells = max(size) / GRID
    x, y = ((torch.arange(-(-side // cells)) + 0.5) * cells for side in (width, height))
    drawn = []
    for i, mask in enumerate(masks):
        column = ((x - lows[:, i, :1]) / sides[:, i, :1] * mask.shape[1]).floor().long()
        row = ((y - lows[:, i, 1:]) / sides[:, i, 1:] * mask.shape[0]).floor().long()
        inside = ((row >= 0) & (row < mask.shape[0]))[:, :, None]
        inside = inside & ((column >= 0) & (column < mask.shape[1]))[:, None]
        row, column = row.clamp(0, mask.shape[0] - 1), column.clamp(0, mask.shape[1] - 1)
        drawn.append(mask[row[:, :, None], column[:, None]] * inside)
    smaller = torch.stack(drawn).sum((2, 3)).amin(0).clamp(min=1)
    return (drawn[0] * drawn[1]).sum((1, 2)) / smaller
