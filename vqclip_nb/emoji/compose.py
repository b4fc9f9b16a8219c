"""Drawings put together as a caption says: tinted, one or several, on a background."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..palettes import COLOURS
from ..reading import GROUND, WEATHERS
from .placing import FRAME, PLACINGS, Box, boxes, content, spread
from .scene import Scene
from .tint import tinted
from .weather import starry, weathered

Pose = tuple[float, float, float]  # size as a factor; right and down, as shares of the sides
CENTRED: Pose = (1.0, 0.0, 0.0)
ALIKE = 0.35  # distance of two colours in RGB that do not stand out from each other
HORIZON, HILL = 0.68, 0.03  # from above, and how far it rises and falls; shares of the height


def compose(
    layers: Sequence[torch.Tensor],
    scene: Scene,
    size: tuple[int, int],
    *,
    lines: Sequence[bool] = (),
    usual: Sequence[str] = (),
    fill: bool = False,
    pose: Pose = CENTRED,
) -> torch.Tensor:
    """Picture (1, 3, height, width) in [0, 1] of a scene.

    layers: for each thing its drawing (4, s, s), colour premultiplied by alpha. lines: which of
    them are black lines, drawn in white where the background is dark. usual: colours of those for
    which the scene names none. size: height, width. fill: one thing is as large as fits. pose:
    where a thing that is alone stands.
    """
    canvas = ground(scene.background or ("white",), size)
    dark = canvas.mean() < 0.3
    placed = []
    for layer, thing, line, own, (box, count) in zip(
        layers,
        scene.things,
        lines or [False] * len(layers),
        usual or [""] * len(layers),
        boxes(layers, scene, size, fill=fill),
        strict=True,
    ):
        wanted = thing.colour or ("" if _hidden(own, canvas) else own)
        if line and dark and not wanted:
            layer = torch.cat([layer[3:] - layer[:3], layer[3:]])
        colour, share = thing.tint
        plain = layer
        if wanted:
            layer = tinted(plain, wanted)
        if share:
            layer = torch.lerp(layer, tinted(plain, colour), share)
        if len(layers) == count == 1:
            box = moved(box, pose, size)
        placed.append([place(layer, one, size) for one in spread(box, count)])
    order = placed[:1]  # from the back to the front
    for relation, several in zip(scene.relations, placed[1:], strict=True):
        order.insert(len(order) if PLACINGS[relation].in_front else 0, several)
    for layer in (one for several in order for one in several):
        canvas = canvas * (1 - layer[3:]) + layer[:3]
    return weathered(canvas, scene.background)[None].clamp(0, 1)


def _hidden(colour: str, canvas: torch.Tensor) -> bool:
    """Whether a colour can hardly be told from a background (3, height, width), or a part of it."""
    if not colour:
        return False
    rgb = torch.tensor(COLOURS[colour])[:, None, None] / 255
    return bool(((canvas - rgb).norm(dim=0) < ALIKE).float().mean() > 0.25)


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
    """Background (3, height, width): one colour, two from left above to right below, or, where the
    last is that of the ground, a sky above it."""
    if colours[0] in WEATHERS:
        plain = ground(colours[1:], size)
        if colours[0] != "starry":
            return plain
        return starry(plain, HORIZON - HILL if colours[-1].endswith(GROUND) else 1.0)
    if colours[-1].endswith(GROUND):
        return _scenery([*colours[:-1]] or ["light blue"], colours[-1].removesuffix(GROUND), size)
    ends = torch.tensor([COLOURS[c] for c in (colours[0], colours[-1])]) / 255
    mix = torch.linspace(0, 1, size[0])[:, None] / 2 + torch.linspace(0, 1, size[1]) / 2
    mix = ((mix - 0.5) * 1.4 + 0.5).clamp(0, 1)
    return ends[0, :, None, None] * (1 - mix) + ends[1, :, None, None] * mix


def _scenery(sky: Sequence[str], below: str, size: tuple[int, int]) -> torch.Tensor:
    """A sky, lighter towards the horizon, above a hill."""
    high, low = (torch.tensor(COLOURS[c])[:, None, None] / 255 for c in (sky[-1], sky[0]))
    near = torch.tensor(COLOURS[below])[:, None, None] / 255
    y = torch.linspace(0, 1, size[0])[:, None]
    horizon = HORIZON - HILL * (torch.linspace(-0.4, 0.9, size[1]) * torch.pi).cos()
    haze = low + 0.35 * (1 - low) * (len(sky) == 1 and float(low.mean()) > 0.3)
    above = torch.lerp(high, haze.expand(3, 1, 1), (y / HORIZON).clamp(max=1)[None])
    under = near * (1.04 - 0.14 * ((y - HORIZON) / (1 - HORIZON)).clamp(0, 1))
    return torch.where(y > horizon, under.clamp(max=1), above)


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
