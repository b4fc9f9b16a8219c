"""Drawings put together as a caption says: tinted, large or small, one or two, on a background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..palettes import COLOURS
from .caption_grammar import Scene
from .tint import tinted

Box = tuple[float, float, float, float]  # centre x, centre y, width, height in pixels
Pose = tuple[float, float, float]  # size as a factor; right and down, as shares of the sides
CENTRED: Pose = (1.0, 0.0, 0.0)
SILHOUETTE = "silhouette"
BLACK = ("line", SILHOUETTE)  # styles whose drawings are white where the background is dark

# Side of a thing's box, as a share of the picture's shorter side.
SIDES = {"": 0.8, "big": 0.98, "small": 0.42}
SECOND = {"big": 1.2, "small": 0.6, "": 1.0}  # by how much the first of two is larger


def compose(
    layers: Sequence[torch.Tensor],
    scene: Scene,
    size: tuple[int, int],
    *,
    lines: Sequence[bool] = (),
    fill: bool = False,
    pose: Pose = CENTRED,
) -> torch.Tensor:
    """Picture (1, 3, height, width) in [0, 1] of a scene.

    layers: for each thing its drawing (4, s, s), colour premultiplied by alpha. lines: which of
    them are black lines, drawn in white where the background is dark. size: height, width.
    fill: one thing is as large as fits. pose: where a thing that is alone stands.
    """
    canvas = ground(scene.background or ("white",), size)
    dark = canvas.mean() < 0.3
    placed = []
    for layer, thing, line, (box, count) in zip(
        layers,
        scene.things,
        lines or [False] * len(layers),
        boxes(layers, scene, size, fill=fill),
        strict=True,
    ):
        if line and dark and not thing.colour:
            layer = torch.cat([layer[3:] - layer[:3], layer[3:]])
        colour, share = thing.tint
        plain = layer
        if thing.colour:
            layer = tinted(plain, thing.colour)
        if share:
            layer = torch.lerp(layer, tinted(plain, colour), share)
        if len(layers) == count == 1:
            box = moved(box, pose, size)
        placed.append([place(layer, one, size) for one in spread(box, count)])
    order = placed if scene.relation == "in" else placed[::-1]  # the last is in front
    for layer in (one for several in order for one in several):
        canvas = canvas * (1 - layer[3:]) + layer[:3]
    return canvas[None].clamp(0, 1)


def moved(box: Box, pose: Pose, size: tuple[int, int]) -> Box:
    """A box in another pose, inside the picture (height, width)."""
    scale, right, down = pose
    scale = min(scale, max(1.0, FRAME * size[1] / box[2]), max(1.0, FRAME * size[0] / box[3]))
    width, height = box[2] * scale, box[3] * scale
    (x, room), (y, high) = (
        (at + move * side, max(0.0, FRAME * side - own) / 2)
        for at, move, side, own in (
            (box[0], right, size[1], width),
            (box[1], down, size[0], height),
        )
    )
    middle, centre = size[1] / 2, size[0] / 2
    x, y = min(max(x, middle - room), middle + room), min(max(y, centre - high), centre + high)
    return x, y, width, height


def ground(colours: Sequence[str], size: tuple[int, int]) -> torch.Tensor:
    """Background (3, height, width): one colour, or two from left above to right below."""
    ends = torch.tensor([COLOURS[c] for c in (colours[0], colours[-1])]) / 255
    mix = torch.linspace(0, 1, size[0])[:, None] / 2 + torch.linspace(0, 1, size[1]) / 2
    mix = ((mix - 0.5) * 1.4 + 0.5).clamp(0, 1)
    return ends[0, :, None, None] * (1 - mix) + ends[1, :, None, None] * mix


def content(layer: torch.Tensor) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in pixels of what is drawn; the whole layer if nothing is."""
    inside = layer[3] > 0.3
    if not inside.any():
        return 0, 0, layer.shape[2], layer.shape[1]
    rows, columns = inside.any(1).nonzero()[:, 0], inside.any(0).nonzero()[:, 0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def boxes(
    layers: Sequence[torch.Tensor], scene: Scene, size: tuple[int, int], *, fill: bool = False
) -> list[tuple[Box, int]]:
    """Where each thing goes, and how many of it stand side by side there."""
    height, width = size
    side: float = min(size)
    shapes = []  # width, height of each drawing's content, the longer one 1
    for layer in layers:
        left, top, right, bottom = content(layer)
        longer = max(right - left, bottom - top)
        shapes.append(((right - left) / longer, (bottom - top) / longer))
    if len(layers) == 1:
        thing, (w, h) = scene.things[0], shapes[0]
        if thing.count > 1:
            return [((width / 2, height / 2, width * 0.94, height * 0.8), thing.count)]
        if fill and thing.size != "small":
            return [((width / 2, height / 2, width * 0.94, height * 0.94), 1)]
        zoom, share = thing.zoom
        s = side * (SIDES[thing.size] * (1 - share) + SIDES[zoom] * share)
        return [((width / 2, height / 2, w * s, h * s), 1)]
    first, second = scene.things
    masks = []
    for layer, thing in zip(layers, scene.things, strict=True):
        left, top, right, bottom = content(layer)
        mask = (layer[3, top:bottom, left:right] > 0.3).float()
        masks.append(grouped(mask, thing.count))
    (zoom, share), own = first.zoom, SECOND[first.size]
    ratio = own ** (1 - share) * SECOND[zoom] ** share / SECOND[second.size]
    placed = arrange(masks, scene.relation, size, ratio=ratio)
    return [(box, thing.count) for box, thing in zip(placed, scene.things, strict=True)]


def grouped(mask: torch.Tensor, count: int) -> torch.Tensor:
    """What `count` of a thing cover side by side, as `spread` puts them."""
    if count == 1:
        return mask
    rows = [count] if count <= 3 else [count - count // 2, count // 2]
    height, width = mask.shape
    group = mask.new_zeros(len(rows) * height, rows[0] * width)
    for row, of_row in enumerate(rows):
        left = (rows[0] - of_row) * width // 2
        group[row * height : (row + 1) * height, left : left + of_row * width] = mask.repeat(
            1, of_row
        )
    return group


def spread(box: Box, count: int) -> list[Box]:
    """`count` equal boxes in one, side by side; more than three in two rows."""
    x, y, width, height = box
    if count == 1:
        return [box]
    rows = [count] if count <= 3 else [count - count // 2, count // 2]
    each = min(width / rows[0], height)
    high, middle = height / len(rows), (len(rows) - 1) / 2
    return [
        (
            x + (i - (of_row - 1) / 2) * each,
            y + (row - middle) * high,
            each * 0.96,
            high,
        )
        for row, of_row in enumerate(rows)
        for i in range(of_row)
    ]


def place(layer: torch.Tensor, box: Box, size: tuple[int, int]) -> torch.Tensor:
    """A drawing on an empty canvas (4, height, width), its content as large as fits the box."""
    x, y, width, height = box
    left, top, right, bottom = content(layer)
    zoom = min(width / (right - left), height / (bottom - top))
    # From the canvas's [-1, 1] to the drawing's, as affine_grid wants it.
    rows, columns = layer.shape[1:]
    cx, cy = (left + right) / columns - 1, (top + bottom) / rows - 1
    ax, ay = size[1] / columns / zoom, size[0] / rows / zoom
    theta = torch.tensor(
        [
            [ax, 0, cx - ax * (2 * x / size[1] - 1)],
            [0, ay, cy - ay * (2 * y / size[0] - 1)],
        ]
    )[None]
    grid = F.affine_grid(theta, [1, 4, *size], align_corners=False)
    if zoom < 0.75:  # a plain look-up would skip lines of a drawing that becomes much smaller
        layer = F.interpolate(layer[None], scale_factor=zoom, mode="area")[0]
    return F.grid_sample(layer[None], grid, align_corners=False)[0]


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
