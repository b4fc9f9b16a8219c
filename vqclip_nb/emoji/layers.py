"""Drawings as layers: cut out of their ground, recoloured; and where on one something is worn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..palettes import COLOURS
from ..regions import Size
from .caption_words import USUAL_COLOURS, read_rows
from .drawings import RAINBOW

# How far colours may be from the ground's, of 1: of the ground, and of what shows it in a gap.
GROUND, GAP = 0.05, 0.03
# Of the side: how near the outside gaps are, how wide edges are, and what decoders have at corners.
NEAR, RIM, FRAME = 5 / 128, 3 / 128, 1 / 64
COARSE = 128  # pixels along a side on which the ground is looked for
# Share of a thing's colour in an edge, from where it is seen to where it is all.
SEEN, ALL = 0.15, 0.85
Box = tuple[float, float, float, float]  # centre x, centre y, width, height in pixels
SILHOUETTE = "silhouette"
# The colour of a thing of which only a silhouette shows anything.
USUAL = {label: colour for colour, labels in read_rows(USUAL_COLOURS) for label in labels}
BLACK = ("line", SILHOUETTE)  # styles whose drawings are white where the background is dark
BLACKEST = 0.2  # mean light of a drawing that is a silhouette
MAIN = 0.5  # share of a drawing from which on a hue is its main one
ALIKE = 0.7  # of left and right side, from which on a body is seen from in front
FRONT = 0.6  # share of the width where the head of another is, which looks to the left
OTHER_HUE = 0.8  # angle in radians between two hues that are not the same
STRIPES = ("red", "orange", "yellow", "green", "blue", "purple")  # of a rainbow
MOSTLY = 0.85  # share of a thing inside of its drawing, from which on it stands where that does
HEAPED = 0.62  # height of a row in a heap, of that of a thing


def usual_colour(label: str, style: str, asked: str) -> str:
    """The colour of a thing that is drawn as a black silhouette though another style, or none, was
    asked for; empty for others."""
    return USUAL.get(label, "") if style == SILHOUETTE and asked not in BLACK else ""


def tinted(
    layer: torch.Tensor, colour: str, style: str = "", *, whole: bool = False
) -> torch.Tensor:
    """A drawing (4, h, w) in another colour, with its own lights and darks.

    The mean of its main hue becomes that colour, other hues stay; where no hue covers half of the
    drawing, or for a `whole` one, all of it takes the colour. A drawing that has the colour already
    stays as it is. Of a silhouette, by its `style` or by how dark it is, the black becomes the
    colour.
    """
    if colour == RAINBOW:
        looks = torch.stack([tinted(layer, one, style) for one in STRIPES])
        seen = (layer[3] > 0.3).any(0).nonzero()
        left, right = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
        across = (torch.arange(layer.shape[2]) - left) / max(1.0, right - left) * len(STRIPES)
        shares = 1 - (across - 0.5 - torch.arange(len(STRIPES))[:, None]).abs()
        shares[0, across < 0.5], shares[-1, across > len(STRIPES) - 0.5] = 1.0, 1.0
        return (looks * shares.clamp(0, 1)[:, None, None]).sum(0)
    alpha, tint = layer[3:], torch.tensor(COLOURS[colour])[:, None, None] / 255
    own = (layer[:3] / alpha.clamp(min=1e-3)).clamp(0, 1)
    taken = main_hue(own, alpha)
    if whole or (taken * alpha).sum() < MAIN * alpha.sum():
        taken = torch.ones_like(alpha)
    else:
        mean = ((own * taken * alpha).sum((1, 2)) / (taken * alpha).sum())[:, None, None]
        if nearest_colour(mean) == colour:
            return layer
    light, weight = own.mean(0, keepdim=True).clamp(max=0.95), taken * alpha
    middle = (light * weight).sum() / weight.sum().clamp(min=1)
    if style == SILHOUETTE or middle < BLACKEST:  # what is white in it stays
        white = ((light - 0.3) / 0.4).clamp(0, 1)
        return torch.cat([torch.lerp(tint, torch.ones(1), white) * alpha, alpha])
    # Dark and pale drawings are brought to middle grey first, else no colour would show on them.
    light = light ** (torch.tensor(0.5).log() / middle.clamp(0.02, 0.98).log()).clamp(0.4, 5)
    return torch.cat([torch.lerp(own, overlay(light, tint), taken) * alpha, alpha])


def main_hue(picture: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """How far each pixel (1, h, w) of a picture (3, h, w) is of the hue that covers most of it, in
    [0, 1]; greys are of none."""
    red, green, blue = picture
    x, y = red - (green + blue) / 2, (green - blue) * 3**0.5 / 2
    largest = picture.amax(0)
    saturation = torch.hypot(x, y) / largest.clamp(min=1e-3)
    coloured = ((saturation - 0.15) / 0.15).clamp(0, 1) * ((largest - 0.1) / 0.1).clamp(0, 1)
    hue = torch.atan2(y, x)
    turns = torch.arange(36) * (torch.pi / 18)
    apart = (hue - turns[:, None, None] + torch.pi).remainder(2 * torch.pi).sub(torch.pi).abs()
    near = coloured * ((OTHER_HUE - apart) / (OTHER_HUE / 2)).clamp(0, 1)  # (36, h, w)
    return near[(near * alpha).sum((1, 2)).argmax()][None]


def nearest_colour(colour: torch.Tensor) -> str:
    """Name of the colour that a colour (3, 1, 1) in [0, 1] is nearest to."""
    named = torch.tensor(list(COLOURS.values())) / 255
    return list(COLOURS)[int((named - colour.view(3)).square().sum(1).argmin())]


def overlay(light: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
    """`colour` with the lights and darks of `light` in [0, 1]; middle grey gives the colour."""
    return torch.where(light < 0.5, 2 * light * colour, 1 - (2 - 2 * light) * (1 - colour))


def cut_out(picture: torch.Tensor, *, holes: bool = False) -> torch.Tensor:
    """A thing without its ground: (1, 3, h, w) to (4, h, w), colour premultiplied by alpha.

    Ground is what is of the border's colour and hangs together with the border, or with a gap near
    the outside, as between the rungs of a ladder; so white things keep their inside. holes: all
    that is of that colour, as below the handle of a basket. An edge is as
    opaque as its colour has gone from the ground's to the thing's.
    """
    colour = border_colour(picture).view(1, 3, 1, 1)
    apart = (picture - colour).abs().amax(1, keepdim=True)  # (1, 1, h, w)
    zoom = max(1, apart.shape[2] // COARSE)  # finer, it would leak through thin outlines
    smooth = F.avg_pool2d(F.avg_pool2d(apart, zoom), 3, 1, 1)
    side = max(1, round(FRAME * smooth.shape[2]))
    frame = F.pad(torch.zeros_like(smooth[..., side:-side, side:-side]), (side,) * 4, value=1.0)
    ground = (smooth < GROUND).float().maximum(frame)
    outside = _spread(frame, ground)
    gaps = _dilated(outside, round(NEAR * smooth.shape[2])) * (smooth < GAP)
    outside = _spread(outside.maximum(gaps), ground)
    outside = outside.maximum((smooth < GAP).float()) if holes else outside
    outside = F.interpolate(outside, apart.shape[2:])
    rim = max(1, round(RIM * apart.shape[2]))
    share = apart / _dilated(apart, rim + 1).clamp(min=GROUND)
    edge = ((share - SEEN) / (ALL - SEEN)).clamp(0, 1)
    alpha = (1 - outside) * torch.where(_dilated(outside, rim) > 0, edge, 1.0)
    alpha = F.avg_pool2d(F.pad(alpha, (1, 1, 1, 1), mode="replicate"), 3, 1)[0]
    return torch.cat([(picture[0] - (1 - alpha) * colour[0]).clamp(min=0).minimum(alpha), alpha])


def outlined(alpha: torch.Tensor, width: int) -> torch.Tensor:
    """How far each pixel (1, h, w) is within `width` of what is drawn, in [0, 1]."""
    return F.avg_pool2d(_dilated((alpha > 0.5).float(), width)[None], 3, 1, 1)[0]


def filled(layer: torch.Tensor, picture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """What was cut out of a picture (1, 3, h, w), with what is white like the ground but inside of
    the drawing that it is, given as a mask (m, m); unless it stands elsewhere."""
    own = F.interpolate(mask[None, None], layer.shape[1:], mode="bilinear")[0]
    if (layer[3:] * own).sum() < MOSTLY * layer[3:].sum():
        return layer
    alpha = layer[3:].maximum(own)
    return torch.cat([layer[:3] + (alpha - layer[3:]) * picture[0], alpha])


def _dilated(x: torch.Tensor, radius: int) -> torch.Tensor:
    return F.max_pool2d(x, 2 * radius + 1, 1, radius)


def _spread(seed: torch.Tensor, within: torch.Tensor) -> torch.Tensor:
    """The pixels of `within` that hang together with `seed`, all (1, 1, h, w) of 0 and 1."""
    reached = seed * within
    while True:
        wider = reached
        for _ in range(8):  # to look at fewer of them
            wider = F.max_pool2d(wider, 3, 1, 1) * within
        if torch.equal(wider, reached):
            return reached
        reached = wider


def fitted(picture: torch.Tensor, size: Size) -> torch.Tensor:
    """A picture scaled to fit into `size` (height, width), in the middle of its border's colour."""
    scale = min(size[0] / picture.shape[2], size[1] / picture.shape[3])
    own = [max(1, round(side * scale)) for side in picture.shape[2:]]
    x = F.interpolate(picture, own, mode="bicubic", antialias=True)
    around = border_colour(picture).view(1, 3, 1, 1).expand(1, 3, *size).clone()
    top, left = ((whole - side) // 2 for whole, side in zip(size, own, strict=True))
    around[..., top : top + own[0], left : left + own[1]] = x.clamp(0, 1)
    return around


def posed(picture: torch.Tensor, pose: tuple[float, float, float]) -> torch.Tensor:
    """A picture (1, 3, h, w) made larger by pose[0], then moved right by pose[1] of its width and
    down by pose[2] of its height; what comes in is like its edge."""
    scale, *moves = pose
    sides = picture.shape[3:1:-1]  # width, height
    own = [round(side / scale) for side in sides]
    edge, band = max(1, round(FRAME * min(sides))), max(1, min(sides) // 16)
    wider = picture[..., edge:-edge, edge:-edge]  # without the marks at its corners
    for _ in range(6):  # a narrow band again and again, which shows nothing of the thing
        wider = F.pad(wider, [band] * 4, mode="reflect")
    left, top = (
        6 * band - edge + round((side - seen) / 2 - move * seen)
        for side, seen, move in zip(sides, own, moves, strict=True)
    )
    seen = wider[..., top : top + own[1], left : left + own[0]]
    return F.interpolate(seen, picture.shape[2:], mode="bicubic", antialias=True).clamp(0, 1)


def border_colour(picture: torch.Tensor) -> torch.Tensor:
    """The median colour (3,) of the outermost pixels of (1, 3, h, w)."""
    x = picture[0]
    return torch.cat([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], 1).median(1).values


def tight(box: Box, mask: torch.Tensor) -> Box:
    """What a mask (h, w) takes of a box that it is fitted into, in its middle."""
    scale = min(box[2] / mask.shape[1], box[3] / mask.shape[0])
    return box[0], box[1], scale * mask.shape[1], scale * mask.shape[0]


def bounds(placed: Sequence[Box]) -> Box:
    """The box of all."""
    sides = torch.tensor(placed)
    lows = (sides[:, :2] - sides[:, 2:] / 2).amin(0)
    highs = (sides[:, :2] + sides[:, 2:] / 2).amax(0)
    return (*((lows + highs) / 2).tolist(), *(highs - lows).tolist())


def moved_with(box: Box, frame: Box, target: Box) -> Box:
    """Where a box stands once the `frame` that it is in has become `target`."""
    scale = target[2] / frame[2]
    x, y = (t + (own - f) * scale for own, f, t in zip(box[:2], frame[:2], target[:2], strict=True))
    return x, y, box[2] * scale, box[3] * scale


@dataclass(frozen=True)
class Group:
    """How several of a thing stand: width and height of all, in those of one, and in the same the
    middle of each."""

    width: float
    height: float
    places: tuple[tuple[float, float], ...]

    @property
    def count(self) -> int:
        return len(self.places)

    def mask(self, one: torch.Tensor) -> torch.Tensor:
        """What the group covers, where each covers a mask (h, w)."""
        height, width = one.shape
        group = one.new_zeros(round(self.height * height), round(self.width * width))
        for x, y in self.places:
            top, left = round((y - 0.5) * height), round((x - 0.5) * width)
            part = group[top : top + height, left : left + width]
            part.copy_(part.maximum(one[: part.shape[0], : part.shape[1]]))
        return group

    def boxes(self, box: Box) -> list[Box]:
        """The box of each, in that of all."""
        wide, high = box[2] / self.width, box[3] / self.height
        left, top = box[0] - box[2] / 2, box[1] - box[3] / 2
        narrow = 0.96 if self.count > 1 else 1.0
        return [(left + x * wide, top + y * high, wide * narrow, high) for x, y in self.places]


def grouped(count: int, how: str = "") -> Group:
    """`count` things in rows, more than three in two and more than eight in three. how: "row" for
    one, "circle", or "heap", with fewer above."""
    if how == "circle" and count > 2:
        radius = max(0.5 / math.sin(math.pi / count), 0.9)
        middle, turns = radius + 0.5, [2 * math.pi * i / count for i in range(count)]
        around = [(middle + radius * math.sin(t), middle - radius * math.cos(t)) for t in turns]
        return Group(2 * middle, 2 * middle, tuple(around))
    heap = how == "heap" and count > 2
    number = 1 if how == "row" else 2 if heap and count < 6 else 1 + (count > 3) + (count > 8)
    rows = [count // number + (i < count % number) for i in range(number)]
    if heap:
        rows = [n - (count % number == 0) * (i == 0) for i, n in enumerate(reversed(rows))]
        rows[-1] += count - sum(rows)
    wide, step = max(rows), HEAPED if heap else 1.0
    places = (
        ((wide - n + 1) / 2 + i, 0.5 + step * row) for row, n in enumerate(rows) for i in range(n)
    )
    return Group(wide, 1 + step * (number - 1), tuple(places))


def worn(body: torch.Tensor, box: Box, mask: torch.Tensor, where: str, size: float) -> Box:
    """Where something of a mask (h, w) is worn by a body, given as a mask and its box. where: as
    `Placing.worn`. size: its longer side, as a share of the body's.

    The head is where most of the body's upper part is; what is alike on both sides and wide above
    is a head alone.
    """
    rows, columns = body.shape
    alike = float((body * body.flip(1)).sum() / body.maximum(body.flip(1)).sum().clamp(min=1))
    front = columns if alike > ALIKE else round(FRONT * columns)  # a tail may be held high
    upper = body[: math.ceil(0.35 * rows), :front].sum(0).cumsum(0)
    x = int((upper < upper[-1] / 2).sum())
    near = body[:, max(0, x - columns // 20) : x + columns // 20 + 1].amax(1)
    top, across = int(near.argmax()) / rows, (x + 0.5) / columns
    wide, upright = body.sum(1), alike > ALIKE
    broad = bool(wide[rows // 6 : rows // 3].mean() > 0.62 * wide.max())
    whole = alike > 0.9 and columns > 0.82 * rows and broad
    eyes, neck = (top + 0.2, top + 0.46) if upright else (top + 0.15, top + 0.35)
    if whole:
        eyes, neck = 0.48, 0.92
    places = {  # shares of the body's sides, from the left and from above
        "head": (across, top),
        "eyes": (across if upright else across - 0.06, eyes),
        "neck": (across, neck),
        "body": (0.5, 0.7),
        "feet": (0.5, 0.95),
        "back": (0.95, 0.4) if upright else (0.6, 0.3),
        "hand": (0.92, 0.65),
        # Drawings in profile look to the left, as most emoji do.
        "mouth": (0.5, 0.9) if whole else (0.35, 0.55) if upright else (0.04, 0.5),
    }
    right, down = places[where]
    longer = size * max(box[2:]) / (1.0 if whole or where in ("body", "hand", "mouth") else 1.3)
    height, width = (longer * side / max(mask.shape) for side in mask.shape)
    hangs = {"head": -0.2, "neck": 0.3}.get(where, 0.0) * height
    return box[0] + (right - 0.5) * box[2], box[1] + (down - 0.5) * box[3] + hangs, width, height
