"""Drawings put together as a caption says: tinted, one or several, on a background."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F

from ..palettes import COLOURS
from ..regions import Size
from .caption_words import WORDS
from .drawings import COLOURFUL, PLACINGS, Scene
from .layers import BLACK, Box, outlined, tinted, usual_colour
from .placing import CENTRED, Pose, boxes, content, moved
from .scenery import HORIZON, above_horizon, ground, in_its_light, patterned, weathered

EACH = ("red", "yellow", "blue", "green", "orange", "purple")  # of several colourful things
ALIKE = 0.35  # distance of two colours in RGB that do not stand out from each other
FACING = ("facing", "fighting")  # relations of two that look at each other
SUNS, SETTING = ("sun", "sun with face"), 1.6  # and how much larger one is that goes down
TILE = 0.16  # between the pieces that a thing is made of, of its longer side
INK, WHITE, TEAR = (0.12, 0.1, 0.12), (1.0, 1.0, 1.0), (0.35, 0.65, 0.98)
DARK = 0.35  # light of a thing on which lines are white
GREYS, HALF = ("white", "gray", "black"), 0.5  # places keep half of their colours under these
PALER, BRIGHT = 0.18, 0.45  # a place behind things, if it is lighter than that
OUTLINE = 0.008  # width of the white around them, of the side
COARSE, LARGEST = 64, 0.2  # pixels where a face's place is looked for; its radius, of the side
Point = tuple[float, float]


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
    layers, scene, drawn = _built(layers, scene, drawn)
    layers = [
        levelled(layer) if thing.name in WORDS["level"] and how in ("on", "riding") else layer
        for layer, thing, how in zip(layers, scene.things, ("", *scene.relations), strict=True)
    ]
    for i, relation in enumerate(scene.relations):
        if relation in FACING:  # drawings in profile look to the left
            layers[i] = layers[i].flip(2)
    stand = boxes(layers, scene, size, fill=fill)
    setting = scene.background[:1] == ("glowing",)  # the sun that is asked for goes down
    suns = [setting and thing.name in SUNS for thing in scene.things]
    canvas = ground(scene.background, size, sun=not any(suns))
    outline = round(OUTLINE * min(size)) if scene.backdrop else 0
    if scene.backdrop:
        *layers, layer = layers
        for colour, share in ((scene.things[-1].colour, 1.0), scene.things[-1].tint):
            share *= HALF if colour in GREYS else 1
            layer = torch.lerp(layer, tinted(layer, colour), share) if colour else layer
        canvas = in_its_light(place(layer, stand[-1][0], size)[:3], scene.background, drawn[-1][0])
        if layers and canvas.mean() > BRIGHT:
            canvas = torch.lerp(canvas, torch.ones(1), PALER)
        scene = scene.without_backdrop()
        drawn, stand, suns = drawn[:-1], stand[:-1], suns[:-1]
    dark = canvas.mean() < 0.3
    placed = []
    for layer, thing, (label, style), (box, group), sets in zip(
        layers, scene.things, drawn, stand, suns, strict=True
    ):
        usual = usual_colour(label, style, scene.style)
        wanted = thing.colour or ("" if _hidden(usual, canvas) else usual)
        if style in BLACK and dark and not wanted:
            layer = torch.cat([layer[3:] - layer[:3], layer[3:]])
        colour, share = thing.tint
        looks = [layer]  # of each of several in turn
        if wanted:
            kind, second = thing.pattern
            turns = (wanted, second) if kind == "each second" else (wanted,)
            each = (EACH if wanted == COLOURFUL else turns)[: group.count]
            whole = kind == "patches"
            looks = [tinted(layer, one, style, whole=whole) for one in each]
        if share:
            looks = [torch.lerp(one, tinted(layer, colour, style), share) for one in looks]
        if thing.pattern[0] not in ("", "each second"):
            looks = [patterned(one, layer, thing.pattern, style) for one in looks]
        if thing.mood:
            looks = [with_face(one, thing.mood) for one in looks]
        if len(layers) == group.count == 1:
            box = moved(box, pose, size)
        if thing.jumps:
            box, canvas = jumping(box, canvas)
        if sets:
            box = box[0], HORIZON * size[0], SETTING * box[2], SETTING * box[3]
        each_box = zip(itertools.cycle(looks), group.boxes(box), strict=False)
        placed.append([place(look, one, size) for look, one in each_box])
        if sets:
            placed[-1] = [own * above_horizon(size) for own in placed[-1]]
    order = placed[:1]  # from the back to the front
    for relation, several in zip(scene.relations, placed[1:], strict=True):
        order.insert(len(order) if PLACINGS[relation].in_front else 0, several)
    for layer in (one for several in order for one in several):
        if outline:
            canvas = torch.lerp(canvas, torch.ones(1), outlined(layer[3:], outline))
        canvas = canvas * (1 - layer[3:]) + layer[:3]
    for relation, before, behind in zip(scene.relations, placed, placed[1:], strict=False):
        if relation in MARKS:
            for one in behind if relation == "on a string" else behind[:1]:
                canvas = MARKS[relation](canvas, before[-1], one)
    return weathered(canvas, scene.background)[None].clamp(0, 1)


def _built(
    layers: Sequence[torch.Tensor], scene: Scene, drawn: Sequence[tuple[str, str]]
) -> tuple[list[torch.Tensor], Scene, list[tuple[str, str]]]:
    """The same where things that are made of others, as "a heart made of roses", are one."""
    layers, things, drawn = [*layers], [*scene.things], [*drawn]
    relations = [*scene.relations]
    for i in reversed([i for i, relation in enumerate(relations) if relation == "made of"]):
        thing, (label, style) = things[i + 1], drawn[i + 1]
        colour = thing.colour or usual_colour(label, style, scene.style)
        piece = tinted(layers[i + 1], colour, style) if colour else layers[i + 1]
        layers[i] = tiled(layers[i], piece)
        for parts in (layers, things, drawn):
            del parts[i + 1]
        del relations[i]
    return layers, replace(scene, things=tuple(things), relations=tuple(relations)), drawn


def tiled(layer: torch.Tensor, piece: torch.Tensor) -> torch.Tensor:
    """What a drawing (4, h, w) covers, covered with small copies of another one in rows."""
    left, top, right, bottom = content(layer)
    wide, high = right - left, bottom - top
    step = TILE * max(wide, high)
    columns, rows = max(1, round(wide / step)), max(1, round(1.15 * high / step))
    found = torch.cat([0.5 * layer[:3], layer[3:]])  # darker between the pieces
    for row, column in itertools.product(range(rows + 1), range(columns + 1)):
        x = left + (column + 0.5 * (row % 2)) / columns * wide
        y = top + row / rows * high
        inside = layer[3, min(int(y), layer.shape[1] - 1), min(int(x), layer.shape[2] - 1)] > 0.5
        if inside:
            one = place(piece, (x, y, 1.25 * step, 1.25 * step), (layer.shape[1], layer.shape[2]))
            found = found * (1 - one[3:]) + one
    return found


def _hidden(colour: str, canvas: torch.Tensor) -> bool:
    """Whether a colour can hardly be told from a background (3, height, width), or a part of it."""
    if not colour:
        return False
    rgb = torch.tensor(COLOURS[colour])[:, None, None] / 255
    return bool(((canvas - rgb).norm(dim=0) < ALIKE).float().mean() > 0.25)


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


def levelled(layer: torch.Tensor) -> torch.Tensor:
    """A drawing (4, h, w) turned so that its longest direction lies level: a skateboard to stand
    on."""
    weight = layer[3] / layer[3].sum().clamp(min=1)
    y, x = (torch.linspace(-1, 1, side) for side in weight.shape)
    middle_x, middle_y = (weight.sum(0) * x).sum(), (weight.sum(1) * y).sum()
    x, y = x - middle_x, y - middle_y
    spread_x, spread_y = (weight.sum(0) * x**2).sum(), (weight.sum(1) * y**2).sum()
    both = (weight * y[:, None] * x).sum()
    angle = torch.atan2(2 * both, spread_x - spread_y) / 2
    cos, sin = angle.cos() * 2**0.5, angle.sin() * 2**0.5  # smaller, so that all stays inside
    theta = torch.stack([cos, -sin, middle_x, sin, cos, middle_y]).view(1, 2, 3)
    grid = F.affine_grid(theta, [1, *layer.shape], align_corners=False)
    return F.grid_sample(layer[None], grid, align_corners=False)[0]


def jumping(box: Box, canvas: torch.Tensor) -> tuple[Box, torch.Tensor]:
    """The box of what jumps, higher and a little smaller, and the picture (3, h, w) with its shadow
    below: on water its foam."""
    x, y, wide, high = box
    height, width = canvas.shape[1:]
    low = min(y + high / 2, 0.95 * height)
    y_pixel, x_pixel = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    flat = torch.hypot((x_pixel - x) / (0.36 * wide), (y_pixel - low) / (0.03 * height))
    under = canvas[:, min(height - 1, round(low)), min(width - 1, round(x))]
    wet = under[2] > under[:2].max() + 0.15
    colour = torch.ones(3) if wet or under.mean() < 0.3 else 0.7 * under
    share = 0.8 * ((1.2 - flat) / 0.4).clamp(0, 1)
    canvas = torch.lerp(canvas, colour[:, None, None], share[None])
    return (x, low - 0.14 * height - 0.43 * high, 0.86 * wide, 0.86 * high), canvas


def held_hands(canvas: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """A picture (3, h, w) in which two things that are there, as layers (4, h, w), hold hands: an
    arm of each, in the colour that it has at its side."""
    height, width = canvas.shape[1:]
    bodies = [content(layer) for layer in (left, right)]
    row = round(sum(0.42 * top + 0.58 * bottom for _, top, _, bottom in bodies) / 2)
    ends, radius = [], 0.022 * min(height, width)
    for layer, side in ((left, -1), (right, 0)):
        inside = (layer[3, max(0, row - 2) : row + 3].amax(0) > 0.5).nonzero()[:, 0]
        if not len(inside):
            return canvas
        column = int(inside[side]) + (side or 1) * round(1.5 * radius)
        column = min(max(column, 0), width - 1)
        colour = layer[:3, row, column] / layer[3, row, column].clamp(min=0.1)
        ends.append((column, colour))
    middle = sum(column for column, _ in ends) / 2
    for column, colour in ends:
        canvas = _line(canvas, (column, row), (middle, row + 0.05 * height), radius, colour)
    return canvas


def string(canvas: torch.Tensor, who: torch.Tensor, kite: torch.Tensor) -> torch.Tensor:
    """A picture (3, h, w) with a line from somebody's hand to a kite, both as layers (4, h, w)."""
    left, top, right, bottom = content(who)
    x, y = content(kite)[0::2], content(kite)[1::2]
    end = sum(x) / 2, sum(y) / 2 + 0.25 * (y[1] - y[0])
    side = 0.1 if end[0] < (left + right) / 2 else 0.9
    hand = left + side * (right - left), top + 0.45 * (bottom - top)
    return _line(canvas, hand, end, 0.004 * min(canvas.shape[1:]), torch.full((3,), 0.25))


def burst(canvas: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """A picture (3, h, w) with a star of sparks between two layers (4, h, w) that fight."""
    bodies = [content(layer) for layer in (left, right)]
    x = (bodies[0][2] + bodies[1][0]) / 2
    y = sum(0.7 * top + 0.3 * bottom for _, top, _, bottom in bodies) / 2
    height, width = canvas.shape[1:]
    down, right_of = torch.arange(height)[:, None] + 0.5 - y, torch.arange(width) + 0.5 - x
    away = torch.hypot(down, right_of)
    spikes = 0.75 + 0.25 * torch.cos(9 * torch.atan2(down, right_of))
    for radius, colour in ((0.11, (0.95, 0.45, 0.1)), (0.07, (1.0, 0.9, 0.3))):
        alpha = (radius * min(height, width) * spikes - away + 0.5).clamp(0, 1)
        canvas = torch.lerp(canvas, torch.tensor(colour)[:, None, None], alpha[None])
    return canvas


def with_face(layer: torch.Tensor, mood: str) -> torch.Tensor:
    """A drawing (4, h, w), colour premultiplied by alpha, with eyes and a mouth where it is widest.
    mood: "happy", "sad", "angry", "crying" or "surprised"."""
    (x, y), r = widest(layer[3])
    around = [slice(round(at - r / 2), round(at + r / 2) + 1) for at in (y, x)]
    ink = WHITE if layer[:3, around[0], around[1]].mean() < DARK else INK

    def stroke(start: Point, end: Point, wide: float, colour: tuple[float, ...]) -> None:
        nonlocal layer
        one, other = ((x + right * r, y + down * r) for right, down in (start, end))
        layer = _line(layer, one, other, wide * r, torch.tensor([*colour, 1.0]))

    for side in (-0.42, 0.42):
        stroke((side, -0.24), (side, -0.16), 0.32 if mood == "surprised" else 0.27, WHITE)
        stroke((side, -0.18), (side, -0.14), 0.16, INK)
        if mood == "angry":
            stroke((1.8 * side, -0.66), (0.3 * side, -0.36), 0.08, ink)
        if mood == "crying":
            stroke((1.2 * side, 0.2), (1.2 * side, 0.45), 0.13, TEAR)
    if mood == "surprised":
        stroke((0, 0.45), (0, 0.52), 0.18, ink)
        return layer
    bend = 0.3 if mood == "happy" else -0.22  # of the mouth, downwards in its middle
    mouth = [(0.07 * i, 0.4 + bend * (0.5 - (i / 6) ** 2)) for i in range(-6, 7)]
    for start, end in zip(mouth, mouth[1:], strict=False):
        stroke(start, end, 0.07, ink)
    return layer


def widest(alpha: torch.Tensor) -> tuple[Point, float]:
    """The middle (x, y) of the largest disc that a drawing of this alpha (h, w) has room for, and a
    face's radius there, in pixels."""
    scale = max(alpha.shape) / COARSE
    shape = [max(1, round(side / scale)) for side in alpha.shape]
    inside = (F.adaptive_avg_pool2d(alpha[None, None], shape) > 0.5).float()
    depth = inside.clone()
    while inside.any():
        inside = -F.max_pool2d(F.pad(-inside, (1, 1, 1, 1)), 3, 1)
        depth += inside
    rows, columns = (depth[0, 0] >= depth.max() - 0.5).nonzero(as_tuple=True)
    middle = len(rows) // 2
    y, x = ((float(of[middle]) + 0.5) * scale for of in (rows, columns))
    return (x, y), min(float(depth.max()) * scale, LARGEST * max(alpha.shape))


def _line(
    canvas: torch.Tensor, start: Point, end: Point, radius: float, colour: torch.Tensor
) -> torch.Tensor:
    """A line with round ends between two points (x, y), all in pixels; colour (3,)."""
    y, x = torch.arange(canvas.shape[1])[:, None] + 0.5, torch.arange(canvas.shape[2]) + 0.5
    right, down = end[0] - start[0], end[1] - start[1]
    along = ((x - start[0]) * right + (y - start[1]) * down) / max(1e-6, right**2 + down**2)
    along = along.clamp(0, 1)
    away = torch.hypot(x - start[0] - along * right, y - start[1] - along * down)
    return torch.lerp(canvas, colour[:, None, None], (radius - away + 0.5).clamp(0, 1)[None])


MARKS = {
    "hand in hand": held_hands,
    "flying": string,
    "on a string": string,
    "fighting": burst,
}  # between two things
