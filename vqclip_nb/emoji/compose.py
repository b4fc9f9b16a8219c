"""Drawings put together as a caption says: tinted, one or several, on a background."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..palettes import COLOURS, Colour
from ..reading import GROUND, WEATHERS
from ..regions import Size
from .caption_words import WORDS
from .drawings import COLOURFUL, PLACINGS, Scene
from .layers import BLACK, Box, levelled, spread, tinted, usual_colour
from .placing import FRAME, boxes, content

Pose = tuple[float, float, float]  # size as a factor; right and down, as shares of the sides
CENTRED: Pose = (1.0, 0.0, 0.0)
RAINBOW = ("red", "yellow", "blue", "green", "orange", "purple")  # of several colourful things
ALIKE = 0.35  # distance of two colours in RGB that do not stand out from each other
DROPS = {"starry": 34, "rainy": 46, "snowy": 60}
WHITE, RAIN, STAR = (1.0, 1.0, 1.0), (0.45, 0.66, 0.95), (1.0, 0.96, 0.75)
FALL = (-0.022, 0.075)  # from the upper to the lower end of a drop, in shares of the sides
DARK = 0.35  # mean of a sky up to which its stars are seen
HORIZON, HILL = 0.68, 0.03  # from above, and how far it rises and falls; shares of the height


def compose(
    layers: Sequence[torch.Tensor],
    scene: Scene,
    size: Size,
    drawn: Sequence[tuple[str, str]],
    *,
    fill: bool = False,
    pose: Pose = CENTRED,
) -> torch.Tensor:
    """Picture (1, 3, height, width) in [0, 1] of a scene.

    layers: for each thing its drawing (4, s, s), colour premultiplied by alpha. size: height,
    width. drawn: label and style of each; black lines are drawn in white where the background is
    dark, and silhouettes in the thing's usual colour where the scene names none. fill: one thing is
    as large as fits. pose: where a thing that is alone stands.
    """
    layers = [
        levelled(layer) if thing.name in WORDS["level"] and scene.relations else layer
        for layer, thing in zip(layers, scene.things, strict=True)
    ]
    canvas = ground(scene.background, size)
    dark = canvas.mean() < 0.3
    placed = []
    stand = boxes(layers, scene, size, fill=fill)
    for layer, thing, (label, style), (box, count) in zip(
        layers, scene.things, drawn, stand, strict=True
    ):
        usual = usual_colour(label, style, scene.style)
        wanted = thing.colour or ("" if _hidden(usual, canvas) else usual)
        if style in BLACK and dark and not wanted:
            layer = torch.cat([layer[3:] - layer[:3], layer[3:]])
        colour, share = thing.tint
        looks = [layer]  # of each of several in turn
        if wanted:
            each = (RAINBOW if wanted == COLOURFUL else (wanted,))[:count]
            looks = [tinted(layer, one, style) for one in each]
        if share:
            looks = [torch.lerp(one, tinted(layer, colour, style), share) for one in looks]
        if len(layers) == count == 1:
            box = moved(box, pose, size)
        each_box = zip(itertools.cycle(looks), spread(box, count), strict=False)
        placed.append([place(look, one, size) for look, one in each_box])
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


def moved(box: Box, pose: Pose, size: Size) -> Box:
    """A box in another pose, inside the picture (height, width)."""
    scale, *moves = pose
    sides, placed = size[::-1], []
    for side, own in zip(sides, box[2:], strict=True):
        scale = min(scale, max(1.0, FRAME * side / own))
    for at, own, move, side in zip(box[:2], box[2:], moves, sides, strict=True):
        room = max(0.0, FRAME * side - own * scale) / 2
        placed.append(min(max(at + move * side, side / 2 - room), side / 2 + room))
    x, y = placed
    return x, y, box[2] * scale, box[3] * scale


def ground(colours: Sequence[str], size: Size) -> torch.Tensor:
    """Background (3, height, width): white, one colour, two from left above to right below, or,
    where the last is that of the ground, a sky above it."""
    colours = colours or ("white",)
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


def _scenery(sky: Sequence[str], below: str, size: Size) -> torch.Tensor:
    """A sky, lighter towards the horizon, above a hill."""
    high, low = (torch.tensor(COLOURS[c])[:, None, None] / 255 for c in (sky[-1], sky[0]))
    near = torch.tensor(COLOURS[below])[:, None, None] / 255
    y = torch.linspace(0, 1, size[0])[:, None]
    horizon = HORIZON - HILL * (torch.linspace(-0.4, 0.9, size[1]) * torch.pi).cos()
    haze = low + 0.35 * (1 - low) * (len(sky) == 1 and float(low.mean()) > 0.3)
    above = torch.lerp(high, haze.expand(3, 1, 1), (y / HORIZON).clamp(max=1)[None])
    under = near * (1.04 - 0.14 * ((y - HORIZON) / (1 - HORIZON)).clamp(0, 1))
    return torch.where(y > horizon, under.clamp(max=1), above)


def place(layer: torch.Tensor, box: Box, size: Size) -> torch.Tensor:
    """A drawing on an empty canvas (4, height, width), its content as large as fits the box."""
    x, y, width, height = box
    left, top, right, bottom = content(layer)
    zoom = min(width / (right - left), height / (bottom - top))
    # From the canvas's [-1, 1] to the drawing's, as affine_grid wants it.
    rows, columns = layer.shape[1:]
    cx, cy = (left + right) / columns - 1, (top + bottom) / rows - 1
    ax, ay = size[1] / columns / zoom, size[0] / rows / zoom
    theta = torch.tensor(
        [[ax, 0, cx - ax * (2 * x / size[1] - 1)], [0, ay, cy - ay * (2 * y / size[0] - 1)]]
    )[None]
    grid = F.affine_grid(theta, [1, 4, *size], align_corners=False)
    if zoom < 0.75:  # a plain look-up would skip lines of a drawing that becomes much smaller
        layer = F.interpolate(layer[None], scale_factor=zoom, mode="area")[0]
    return F.grid_sample(layer[None], grid, align_corners=False)[0]


def starry(canvas: torch.Tensor, high: float = 1.0) -> torch.Tensor:
    """A dark picture (3, h, w) with stars down to `high` of its height; others stay as they are."""
    if canvas[:, : max(1, round(high * canvas.shape[1]))].mean() > DARK:
        return canvas
    places, sizes = _spread("starry")
    return _dots(canvas, places * torch.tensor([1.0, 0.96 * high]), 0.004 + 0.008 * sizes, STAR)


def weathered(canvas: torch.Tensor, background: Sequence[str]) -> torch.Tensor:
    """A picture (3, h, w) in the rain, snow or fog of its background, if it names one."""
    how = background[0] if background and background[0] in WEATHERS else ""
    if how == "rainy":
        places, sizes = _spread("rainy")
        ends = [places + share * torch.tensor(FALL) for share in torch.linspace(0, 1, 12).tolist()]
        return _dots(canvas, torch.cat(ends), 0.006 + 0.003 * sizes.repeat(12), RAIN)
    if how == "snowy":
        places, sizes = _spread("snowy")
        return _dots(canvas, places, 0.008 + 0.010 * sizes, WHITE)
    if how == "foggy":
        y = torch.linspace(0, 1, canvas.shape[1])[:, None]
        x = torch.linspace(0, 1, canvas.shape[2])
        banks = (9 * y + 1.2 * (5 * x).sin()).sin() * 0.5 + 0.5
        veil = 0.4 + 0.4 * banks
        pale = 0.55 + 0.38 * canvas.mean()  # a fog at night is darker
        return torch.lerp(canvas, pale.expand_as(canvas), veil.expand_as(canvas))
    return canvas


def _spread(how: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Places (n, 2) in shares of the sides, evenly but not in rows, and sizes (n,) in [0, 1]."""
    steps = torch.arange(1.0, DROPS[how] + 1)[:, None]
    places = (steps * torch.tensor([0.7548777, 0.5698403])).frac()  # by the plastic number
    return places, (steps[:, 0] * 0.618034).frac()


def _dots(
    canvas: torch.Tensor, places: torch.Tensor, radii: torch.Tensor, colour: Colour
) -> torch.Tensor:
    """Discs, their radii in shares of the shorter side."""
    height, width = canvas.shape[1:]
    y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    for (across, down), radius in zip(places.tolist(), radii.tolist(), strict=True):
        away = torch.hypot(x - across * width, y - down * height)
        alpha = (radius * min(height, width) - away + 0.5).clamp(0, 1)
        canvas = torch.lerp(canvas, torch.tensor(colour)[:, None, None], alpha[None])
    return canvas
