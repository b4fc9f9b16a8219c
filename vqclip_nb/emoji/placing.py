"""Where the things of a scene stand: sizes, relations, and what is worn where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F

from ..reading import GROUND
from ..regions import Size, bounding_box
from .caption_words import WORDS, in_the_sky
from .drawings import PLACINGS, Scene, Thing
from .layers import Box, Group, bounds, grouped, moved_with, tight, worn

# Side of a thing's box, as a share of the picture's shorter side.
SIDES = {"": 0.8, "big": 0.98, "small": 0.42}
SECOND = {"big": 1.2, "small": 0.6, "": 1.0}  # by how much the first of two is larger
GROUPED = 1.8  # of two things together, beside a third
# Relations of which the first keeps its size though it is several things.
TOUCHING = frozenset("in, on, on a table, served on, held in, heaped in, standing in".split(", "))
# Where other things have a zone, in shares of the picture's sides: middle, width and height of what
# stands in front; the same of one thing at the horizon beside it, of several, and in the sky.
BESIDE, BEFORE, BELOW = (0.33, 0.6, 0.62), (0.5, 0.94, 0.56), (0.5, 0.94, 0.68)
ONE_FAR, SEVERAL_FAR = (0.67, 0.62, 0.64), (0.5, 0.96, 0.62)
ONE_HIGH, WIDE_HIGH, BROAD_HIGH = (0.8, 0.34, 0.3), (0.5, 0.94, 0.34), (0.5, 0.9, 0.62)
HIGH_SHARES = {"big": 1.7, "small": 0.6, "": 1.0}  # sizes in the sky
IN_FRONT = (0.5, 0.96, 0.34)
LOWER = {"horizon": 0.8, "front": 0.99, "sky": 0.02}  # ends from above, of the sky's the upper
BASE, AMID_BASE = 0.97, 0.86  # lower ends of what stands in front, and behind a field of others
SUN, BROADER = 0.42, 1.6  # middle and side of one alone above a ground; a rainbow is broader
STANDS = 0.9  # lower end of things on a ground
FLAT = 0.35  # up to which height the middle is better than beside
MASK, FRAME = 64, 0.98  # pixels along what they cover; share of the picture's sides
COVER, HIGHER = 1.03, 0.24  # side of a place, and how much higher what flies over it is
UNEQUAL = (1.0, 1.12, 1 / 1.12, 1.25, 1 / 1.25)  # ratios tried where the caption names none
OVERLAP = 0.15  # of the smaller one, by which things that touch may be moved into each other
GRID = 40  # cells on a side where covered areas are counted
Placed = list[tuple[Box, Group]]
Pose = tuple[float, float, float]  # larger by, and moved right and down by shares of the sides
CENTRED: Pose = (1.0, 0.0, 0.0)


def content(layer: torch.Tensor) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in pixels of what is drawn; the whole layer if nothing is."""
    inside = layer[3] > 0.3
    return bounding_box(inside) if inside.any() else (0, 0, layer.shape[2], layer.shape[1])


def covers(layer: torch.Tensor) -> torch.Tensor:
    """What a layer (4, h, w) covers, as a mask cut to its extent."""
    left, top, right, bottom = content(layer)
    return (layer[3, top:bottom, left:right] > 0.3).float()


def boxes(
    layers: Sequence[torch.Tensor], scene: Scene, size: Size, *, fill: bool = False
) -> Placed:
    """Where each thing goes, and how several of it stand there."""
    if scene.backdrop:
        whole = size[1] / 2, size[0] / 2, COVER * max(size), COVER * max(size)
        return [*before_backdrop(layers[:-1], scene, size), (whole, grouped(1))]
    singles = [covers(layer) for layer in layers]
    if len(layers) == 1:
        grounded = bool(scene.background) and scene.background[-1].endswith(GROUND)
        return [alone(scene.things[0], singles[0], size, fill, grounded)]
    groups = groups_of(scene)
    masks = [group.mask(mask) for mask, group in zip(singles, groups, strict=True)]
    zones = zones_of(scene)
    if zones:
        return in_zones(zones, layers, scene, size)
    first, *others = scene.things
    zoom, share = first.zoom
    ratio = SECOND[first.size] ** (1 - share) * SECOND[zoom] ** share
    ratio *= groups[0].width ** 0.5
    both, frame, placed = masks[0], (0.0, 0.0, 0.0, 0.0), list[Box]()
    row = PLACINGS[scene.relations[0]].axis == 0
    wearer = 0
    for i, (relation, thing) in enumerate(zip(scene.relations, others, strict=True), 1):
        placing, mask = PLACINGS[relation], masks[i]
        own = SECOND[thing.size] * groups[i].width ** 0.5
        if placing.worn:
            placed = placed or [(0.0, 0.0, float(masks[0].shape[1]), float(masks[0].shape[0]))]
            body, box, one = masks[wearer], placed[wearer], placed[wearer]
            many = groups[wearer].count > 1 and groups[wearer].height == 1
            if many:  # each of two cats has its own hat
                body, mask, own = singles[wearer], singles[i], SECOND[thing.size]
                groups[i], one = groups[wearer], groups[wearer].boxes(box)[0]
                masks[i] = groups[i].mask(mask)
            there = worn(body, one, mask, placing.worn, own / placing.ratio)
            if many:
                there = box[0] + there[0] - one[0], there[1], box[2], there[3]
            placed = in_frame([*placed, there], size)
        else:
            wearer = i
            several = any(not PLACINGS[r].worn for r in scene.relations[: max(0, len(placed) - 1)])
            grouped_by = GROUPED / placing.ratio if several and relation not in TOUCHING else 1.0
            ratio = ratio * max(1.0, grouped_by) / own
            two = arrange((both, mask), relation, size, ratio=ratio)
            if relation == "beside" and several and row:  # the third stands where it can be larger
                under = arrange((both, mask), "above", size, ratio=ratio)
                two = max(two, under, key=lambda boxes: boxes[1][2] * boxes[1][3])
            placed = [moved_with(box, frame, two[0]) for box in placed] or two[:1]
            placed.append(two[1])
        (both, frame), ratio = together(masks, placed), 1.0
    if scene.background and scene.background[-1].endswith(GROUND):  # not above it
        lower = max(0.0, STANDS * size[0] - frame[1] - frame[3] / 2)
        placed = [(x, y + lower, wide, high) for x, y, wide, high in placed]
    return list(zip(placed, groups, strict=True))


def before_backdrop(layers: Sequence[torch.Tensor], scene: Scene, size: Size) -> Placed:
    """`boxes` of what stands in front of a scene's place, or flies over it. layers: of that."""
    own = replace(scene.without_backdrop(), background=())
    if len(layers) == 1 and in_the_sky(own.things[0].name):
        return [alone(own.things[0], covers(layers[0]), size, False, True)]
    zones, lift = zones_of(own), HIGHER * size[0] * ("set over" in scene.relations)
    found = in_zones(zones, layers, own, size) if layers else []
    return [
        ((x, y - (i not in zones) * lift, wide, high), group)
        for i, ((x, y, wide, high), group) in enumerate(found)
    ]


def groups_of(scene: Scene) -> list[Group]:
    """How several of each thing of a scene stand."""
    how = [thing.layout for thing in scene.things]
    for i, relation in enumerate(scene.relations):
        if relation in ("heaped in", "full of"):
            how[i + (relation == "full of")] = "heap"
        if relation == "lit with":
            how[i + 1] = how[i + 1] or "row"
    return [grouped(thing.count, one) for thing, one in zip(scene.things, how, strict=True)]


def zones_of(scene: Scene) -> dict[int, str]:
    """The things of a scene that have a zone, with it: as `Placing.zone`."""
    placings = (PLACINGS[relation] for relation in scene.relations)
    return {i: placing.zone for i, placing in enumerate(placings, 1) if placing.zone}


def in_zones(
    zones: Mapping[int, str], layers: Sequence[torch.Tensor], scene: Scene, size: Size
) -> Placed:
    """`boxes` of a scene with zones: the other things stand in front, as large as fits."""
    height, width = size
    near = [i for i in range(len(layers)) if i not in zones]
    own = replace(
        scene,
        things=tuple(scene.things[i] for i in near),
        relations=tuple(scene.relations[i - 1] for i in near[1:]),
        background=(),
    )
    singles, groups = [covers(layer) for layer in layers], groups_of(scene)
    grounded = [scene.things[i].count for i, where in zones.items() if where == "horizon"]
    ways = [BELOW] if not grounded else [BESIDE, BEFORE] if grounded == [1] else [BEFORE]
    base = AMID_BASE if "front" in zones.values() else BASE
    placed = dict[int, Box]()
    for x, wide, high in ways:
        room = round(high * height), round(wide * width)
        stand = boxes([layers[i] for i in near], own, room, fill=True)
        for i, (box, group) in zip(near, stand, strict=True):
            placed[i], groups[i] = tight(box, group.mask(singles[i])), group
        frame = bounds([*placed.values()])
        target = x * width, base * height - frame[3] / 2, *frame[2:]
        if frame[3] > FLAT * height:
            break
    placed = {i: moved_with(box, frame, target) for i, box in placed.items()}
    beside = target[0] < width / 2
    for i, where in zones.items():
        mask = groups[i].mask(singles[i])
        x, wide, high = ONE_FAR if beside else SEVERAL_FAR
        share = min(1.0, SECOND[scene.things[i].size])
        if where == "sky":
            flat = mask.shape[1] > 1.3 * mask.shape[0]
            x, wide, high = WIDE_HIGH if flat and len(zones) == 1 else ONE_HIGH
            share = min(HIGH_SHARES[scene.things[i].size], FRAME / wide)
            if scene.things[i].name in WORDS["broad"]:
                x, wide, high = BROAD_HIGH
            x = min(x, 1 - share * wide / 2)
            if beside or zones.get(i - 1) == "sky":  # away from what is there already
                x = 1 - x
        elif where == "front":
            x, wide, high = IN_FRONT
        box = tight((x * width, 0.0, share * wide * width, share * high * height), mask)
        y = LOWER[where] * height + (box[3] if where == "sky" else 0.0)
        placed[i] = box[0], y - box[3] / 2, *box[2:]
    return [(placed[i], groups[i]) for i in range(len(layers))]


def alone(
    thing: Thing, mask: torch.Tensor, size: Size, fill: bool, grounded: bool
) -> tuple[Box, Group]:
    """The same for the only thing of a scene, of a mask (h, w). grounded: it has a ground."""
    height, width = size
    group = grouped(thing.count, thing.layout)
    if thing.count > 3 and grounded and not in_the_sky(thing.name):
        return (width / 2, height * 0.79, width * 0.94, height * 0.38), group
    if grounded and in_the_sky(thing.name):
        x, y, side = width / 2, SUN * height, HIGH_SHARES[thing.size] * SUN * min(size)
        side *= BROADER if thing.name in WORDS["broad"] else 1.0
        return tight((x, y, side * group.width, side), group.mask(mask)), group
    if thing.count > 1:
        share = 0.8 if thing.size == "small" else 1.0
        room = width / 2, height / 2, share * width * 0.94, share * height * 0.8
        return (tight(room, group.mask(mask)) if thing.layout else room), group
    if fill and thing.size != "small":
        return (width / 2, height / 2, width * 0.94, height * 0.94), group
    zoom, share = thing.zoom
    side = min(size) * (SIDES[thing.size] * (1 - share) + SIDES[zoom] * share)
    high, wide = (own / max(mask.shape) * side for own in mask.shape)
    return (width / 2, height / 2, wide, high), group


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


def in_frame(placed: Sequence[Box], size: Size) -> list[Box]:
    """Boxes moved and scaled together, as large as a picture (height, width) takes."""
    frame = bounds(placed)
    scale = FRAME * min(size[1] / frame[2], size[0] / frame[3])
    target = size[1] / 2, size[0] / 2, frame[2] * scale, frame[3] * scale
    return [moved_with(box, frame, target) for box in placed]


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
    seen = []
    for i, mask in enumerate(masks):
        column = ((x - lows[:, i, :1]) / sides[:, i, :1] * mask.shape[1]).floor().long()
        row = ((y - lows[:, i, 1:]) / sides[:, i, 1:] * mask.shape[0]).floor().long()
        inside = ((row >= 0) & (row < mask.shape[0]))[:, :, None]
        inside = inside & ((column >= 0) & (column < mask.shape[1]))[:, None]
        row, column = row.clamp(0, mask.shape[0] - 1), column.clamp(0, mask.shape[1] - 1)
        seen.append(mask[row[:, :, None], column[:, None]] * inside)
    smaller = torch.stack(seen).sum((2, 3)).amin(0).clamp(min=1)
    return (seen[0] * seen[1]).sum((1, 2)) / smaller
