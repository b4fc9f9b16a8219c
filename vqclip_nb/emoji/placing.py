"""Where the things of a scene stand: sizes, relations, and what is worn where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..reading import GROUND
from ..regions import Size, bounding_box
from .drawings import Scene, Thing
from .layers import Box, worn

# Side of a thing's box, as a share of the picture's shorter side.
SIDES = {"": 0.8, "big": 0.98, "small": 0.42}
SECOND = {"big": 1.2, "small": 0.6, "": 1.0}  # by how much the first of two is larger


@dataclass(frozen=True)
class Placing:
    """How two things of a relation stand.

    axis: 0 beside, 1 above each other. order: -1 if the first has the smaller coordinate there, 1
    if the larger. sunk: share of the smaller one's extent that goes into the other. slant: how far
    they may be moved across the axis, of their distance along it. covered: how much of the smaller
    one's area may lie under or over the other. ratio: size of the first over the second's.
    in_front: the second, not the first. worn: where the second has its middle on the first, a key
    of `places` in `worn`; axis, sunk and slant then say nothing.
    """

    axis: int
    order: int = -1
    sunk: float = 0.0
    slant: float = 0.0
    covered: float = 0.05
    ratio: float = 1.0
    in_front: bool = False
    worn: str = ""


PLACINGS = {
    "beside": Placing(0, sunk=0.0, slant=0.7),
    "above": Placing(1, sunk=0.0, slant=0.7),
    "below": Placing(1, order=1, sunk=0.0, slant=0.7),
    "under": Placing(1, order=1, sunk=0.1, slant=0.9, covered=0.1, ratio=1.5),
    "on": Placing(1, sunk=0.1, slant=0.35, covered=0.15),
    "riding": Placing(1, sunk=0.3, slant=0.15, covered=0.35, ratio=0.62),
    "topped with": Placing(1, order=1, sunk=1.2, covered=1.0, ratio=2.2, in_front=True),
    "served on": Placing(1, sunk=1.3, covered=1.0, ratio=0.55),
    "in": Placing(1, sunk=0.3, slant=0.2, covered=0.35, in_front=True),
    "held in": Placing(1, sunk=0.55, slant=0.1, covered=0.65, ratio=0.8, in_front=True),
    "heaped in": Placing(1, sunk=0.65, slant=0.1, covered=0.7, ratio=0.62, in_front=True),
    "standing in": Placing(1, sunk=0.12, covered=0.2, in_front=True),
    "full of": Placing(1, order=1, sunk=0.65, slant=0.1, covered=0.7, ratio=1.6),
    "in front of": Placing(1, order=1, sunk=0.12, covered=0.5, ratio=1.7),
    "behind": Placing(1, sunk=0.35, slant=0.3, covered=0.5, in_front=True),
    "among": Placing(1, order=1, sunk=0.55, covered=0.7, ratio=0.8),
    "holding": Placing(0, covered=1.0, ratio=1.9, in_front=True, worn="hand"),
    "at the mouth": Placing(0, order=1, covered=1.0, ratio=2.4, in_front=True, worn="mouth"),
    "wearing": Placing(1, order=1, covered=1.0, ratio=2.0, in_front=True, worn="head"),
    "on the face": Placing(1, order=1, covered=1.0, ratio=2.0, in_front=True, worn="eyes"),
    "round the neck": Placing(1, covered=1.0, ratio=2.2, in_front=True, worn="neck"),
    "on the body": Placing(1, covered=1.0, ratio=1.7, in_front=True, worn="body"),
    "on the feet": Placing(1, covered=1.0, ratio=2.2, in_front=True, worn="feet"),
}
GROUPED = 1.8  # of two things together, beside a third
# Relations of which the first keeps its size though it is several things.
TOUCHING = frozenset("in, on, served on, among, held in, heaped in, standing in".split(", "))
MASK = 64  # pixels along the longer side of what they cover
FRAME = 0.98  # of the picture's sides
UNEQUAL = (1.0, 1.12, 1 / 1.12, 1.25, 1 / 1.25)  # ratios tried where the caption names none
OVERLAP = 0.15  # of the smaller one, by which things that touch may be moved into each other
GRID = 40  # cells on a side where covered areas are counted


def content(layer: torch.Tensor) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in pixels of what is drawn; the whole layer if nothing is."""
    inside = layer[3] > 0.3
    return bounding_box(inside) if inside.any() else (0, 0, layer.shape[2], layer.shape[1])


def boxes(
    layers: Sequence[torch.Tensor], scene: Scene, size: Size, *, fill: bool = False
) -> list[tuple[Box, int]]:
    """Where each thing goes, and how many of it stand side by side there."""
    singles = []
    for layer in layers:
        left, top, right, bottom = content(layer)
        singles.append((layer[3, top:bottom, left:right] > 0.3).float())
    if len(layers) == 1:
        grounded = bool(scene.background) and scene.background[-1].endswith(GROUND)
        return [alone(scene.things[0], singles[0], size, fill, grounded)]
    counts = [thing.count for thing in scene.things]
    masks = [grouped(mask, count) for mask, count in zip(singles, counts, strict=True)]
    first, *others = scene.things
    zoom, share = first.zoom
    ratio = SECOND[first.size] ** (1 - share) * SECOND[zoom] ** share
    ratio *= rows_of(first.count)[0] ** 0.5
    group, frame, placed = masks[0], (0.0, 0.0, 0.0, 0.0), list[Box]()
    row = PLACINGS[scene.relations[0]].axis == 0
    wearer = 0
    for i, (relation, thing) in enumerate(zip(scene.relations, others, strict=True), 1):
        placing, mask = PLACINGS[relation], masks[i]
        own = SECOND[thing.size] * rows_of(thing.count)[0] ** 0.5
        if placing.worn:
            placed = placed or [(0.0, 0.0, float(masks[0].shape[1]), float(masks[0].shape[0]))]
            body, box, many = masks[wearer], placed[wearer], counts[wearer]
            if 1 < many == rows_of(many)[0]:  # each of two cats has its own hat
                body, mask, own = singles[wearer], singles[i], SECOND[thing.size]
                counts[i], masks[i] = many, grouped(mask, many)
            else:
                many = 1
            one = spread(box, many)[0]
            there = worn(body, one, mask, placing.worn, own / placing.ratio)
            if many > 1:
                there = box[0] + there[0] - one[0], there[1], box[2], there[3]
            placed = in_frame([*placed, there], size)
        else:
            wearer = i
            several = any(not PLACINGS[r].worn for r in scene.relations[: max(0, len(placed) - 1)])
            grouped_by = GROUPED / placing.ratio if several and relation not in TOUCHING else 1.0
            ratio = ratio * max(1.0, grouped_by) / own
            two = arrange((group, mask), relation, size, ratio=ratio)
            if relation == "beside" and placed and row:  # the third stands where it can be larger
                under = arrange((group, mask), "above", size, ratio=ratio)
                two = max(two, under, key=lambda boxes: boxes[1][2] * boxes[1][3])
            placed = [moved_with(box, frame, two[0]) for box in placed] or two[:1]
            placed.append(two[1])
        (group, frame), ratio = together(masks, placed), 1.0
    return list(zip(placed, counts, strict=True))


def alone(
    thing: Thing, mask: torch.Tensor, size: Size, fill: bool, grounded: bool
) -> tuple[Box, int]:
    """The same for the only thing of a scene, of a mask (h, w). grounded: it has a ground."""
    height, width = size
    if thing.count > 3 and grounded:  # not above the ground
        return (width / 2, height * 0.79, width * 0.94, height * 0.38), thing.count
    if thing.count > 1:
        return (width / 2, height / 2, width * 0.94, height * 0.8), thing.count
    if fill and thing.size != "small":
        return (width / 2, height / 2, width * 0.94, height * 0.94), 1
    zoom, share = thing.zoom
    side = min(size) * (SIDES[thing.size] * (1 - share) + SIDES[zoom] * share)
    high, wide = (own / max(mask.shape) * side for own in mask.shape)
    return (width / 2, height / 2, wide, high), 1


def in_frame(placed: Sequence[Box], size: Size) -> list[Box]:
    """Boxes moved and scaled together, as large as a picture (height, width) takes."""
    frame = bounds(placed)
    scale = FRAME * min(size[1] / frame[2], size[0] / frame[3])
    target = size[1] / 2, size[0] / 2, frame[2] * scale, frame[3] * scale
    return [moved_with(box, frame, target) for box in placed]


def bounds(placed: Sequence[Box]) -> Box:
    """The box of all."""
    sides = torch.tensor(placed)
    lows = (sides[:, :2] - sides[:, 2:] / 2).amin(0)
    highs = (sides[:, :2] + sides[:, 2:] / 2).amax(0)
    return (*((lows + highs) / 2).tolist(), *(highs - lows).tolist())


def together(masks: Sequence[torch.Tensor], placed: Sequence[Box]) -> tuple[torch.Tensor, Box]:
    """What things cover in their boxes, cut to its extent, and the box of all."""
    frame, sides = bounds(placed), torch.tensor(placed)
    scale = MASK / max(frame[2:])
    width, height = (max(1, round(side * scale)) for side in frame[2:])
    corner = torch.tensor(frame[:2]) - torch.tensor(frame[2:]) / 2
    lows = sides[:, :2] - sides[:, 2:] / 2 - corner
    group = torch.zeros(height, width)
    for mask, (x, y), (w, h) in zip(masks, lows * scale, sides[:, 2:] * scale, strict=False):
        own = F.interpolate(mask[None, None], (max(1, round(float(h))), max(1, round(float(w)))))[
            0, 0
        ]
        part = group[round(float(y)) :, round(float(x)) :][: own.shape[0], : own.shape[1]]
        part.copy_(part.maximum(own[: part.shape[0], : part.shape[1]]))
    return group, frame


def moved_with(box: Box, frame: Box, target: Box) -> Box:
    """Where a box stands once the `frame` that it is in has become `target`."""
    scale = target[2] / frame[2]
    x, y = (t + (own - f) * scale for own, f, t in zip(box[:2], frame[:2], target[:2], strict=True))
    return x, y, box[2] * scale, box[3] * scale


def rows_of(count: int) -> list[int]:
    """How many things stand side by side, of so many: more than three in two rows."""
    return [count] if count <= 3 else [count - count // 2, count // 2]


def grouped(mask: torch.Tensor, count: int) -> torch.Tensor:
    """What `count` of a thing cover side by side, as `spread` puts them."""
    rows = rows_of(count)
    height, width = mask.shape
    group = mask.new_zeros(len(rows) * height, rows[0] * width)
    for row, of_row in enumerate(rows):
        left = (rows[0] - of_row) * width // 2
        part = group[row * height : (row + 1) * height, left : left + of_row * width]
        part.copy_(mask.repeat(1, of_row))
    return group


def spread(box: Box, count: int) -> list[Box]:
    """`count` equal boxes in one, side by side; more than three in two rows."""
    if count == 1:
        return [box]
    x, y, width, height = box
    rows = rows_of(count)
    each, high, middle = width / rows[0], height / len(rows), (len(rows) - 1) / 2
    return [
        (x + (i - (of_row - 1) / 2) * each, y + (row - middle) * high, each * 0.96, high)
        for row, of_row in enumerate(rows)
        for i in range(of_row)
    ]


def arrange(
    masks: Sequence[torch.Tensor], relation: str, size: Size, *, ratio: float = 1.0
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
    apart[:, axis] = touching.clamp(min=1).minimum(room[:, axis])
    most = room[:, 1 - axis].clamp(min=0)
    apart[:, 1 - axis] = (slant * apart[:, axis]).clamp(-most, most)
    apart[:, axis] *= -placing.order
    lows = -sides / 2 + torch.stack([torch.zeros_like(apart), apart], 1)
    highs = lows + sides
    extent = highs.amax(1) - lows.amin(1)
    fits = (extent <= torch.tensor([size[1], size[0]]) * FRAME + 1e-3).all(1)
    slack = OVERLAP * sides[..., axis].amin(1)
    fits &= (apart[:, axis] != 0) & (touching <= room[:, axis] + slack)
    score = sides.prod(2).sqrt().amin(1) * (1 - 0.06 * slant.abs()) * fits
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
    masks: Sequence[torch.Tensor], lows: torch.Tensor, sides: torch.Tensor, size: Size
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
