"""Drawings put together as a caption says: tinted, large or small, one or two, on a background."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .arrange import Box, arrange
from .scene import COLOURS, Scene

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
) -> torch.Tensor:
    """Picture (1, 3, height, width) in [0, 1] of a scene.

    layers: for each thing its drawing (4, s, s), colour premultiplied by alpha. lines: which of
    them are black lines, drawn in white where the background is dark. size: height, width.
    fill: one thing is as large as fits.
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
        placed.append([place(layer, one, size) for one in spread(box, count)])
    order = placed if scene.relation in ("in", "on") else placed[::-1]  # the last is in front
    for layer in (one for several in order for one in several):
        canvas = canvas * (1 - layer[3:]) + layer[:3]
    return canvas[None].clamp(0, 1)


def ground(colours: Sequence[str], size: tuple[int, int]) -> torch.Tensor:
    """Background (3, height, width): one colour, or two from left above to right below."""
    ends = torch.tensor([COLOURS[c] for c in (colours[0], colours[-1])]) / 255
    mix = torch.linspace(0, 1, size[0])[:, None] / 2 + torch.linspace(0, 1, size[1]) / 2
    mix = ((mix - 0.5) * 1.4 + 0.5).clamp(0, 1)
    return ends[0, :, None, None] * (1 - mix) + ends[1, :, None, None] * mix


def tinted(layer: torch.Tensor, colour: str) -> torch.Tensor:
    """A drawing in one colour with its own lights and darks, whose mean becomes that colour."""
    alpha, tint = layer[3:], torch.tensor(COLOURS[colour])[:, None, None] / 255
    light = (layer[:3].mean(0, keepdim=True) / alpha.clamp(min=1e-3)).clamp(0, 1)
    mean = (light * alpha).sum() / alpha.sum().clamp(min=1)
    # Dark and pale drawings are brought to middle grey first, else no colour would show on them.
    light = light ** (torch.tensor(0.5).log() / mean.clamp(0.02, 0.98).log()).clamp(0.4, 2.5)
    return torch.cat([overlay(light, tint) * alpha, alpha])


def overlay(light: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
    """`colour` with the lights and darks of `light` in [0, 1]; middle grey gives the colour."""
    return torch.where(light < 0.5, 2 * light * colour, 1 - (2 - 2 * light) * (1 - colour))


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
    for layer in layers:
        left, top, right, bottom = content(layer)
        masks.append((layer[3, top:bottom, left:right] > 0.3).float())
    (zoom, share), own = first.zoom, SECOND[first.size]
    ratio = own ** (1 - share) * SECOND[zoom] ** share / SECOND[second.size]
    return [(box, 1) for box in arrange(masks, scene.relation, size, ratio=ratio)]


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
