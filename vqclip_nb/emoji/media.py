"""Media that the pair's networks cannot paint: each a layer behind the decoder, through which the
gradient goes, so that the loop optimises what is seen.

A layer takes and gives pictures (1, 3, height, width) in [0, 1]. Its noise is the same at every
step and in every run, in the picture's size.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.tri import Triangulation
from torchvision.transforms.functional import adjust_saturation, rgb_to_grayscale

from . import media_parts as parts

PIXELS = 32  # of pixel art along the shorter side
POINTS = 240  # corners of triangles
SHEETS = 6  # of paper, at most
INK_BLUE, INK, CREAM = (0.04, 0.03, 0.09), (0.1, 0.09, 0.09), (0.955, 0.925, 0.84)
# Glass, by the number of its pane, for what is black and what is white.
JEWELS = (0.05, 0.2, 0.75), (0, 0.38, 0.55), (0.35, 0.1, 0.6), (0.1, 0.1, 0.55), (0.6, 0, 0.15)
PALE = (1, 0.94, 0.68), (0.76, 0.89, 1), (0.8, 0.97, 0.82), (0.93, 0.96, 1), (1, 0.85, 0.8)


def pixel_art(x: torch.Tensor) -> torch.Tensor:
    """Squares of few colours."""
    side = max(1, min(x.shape[2:]) // PIXELS)
    small = F.avg_pool2d(x, side, ceil_mode=True)
    small = small + ((small * 6).round() / 6 - small).detach()
    whole = small.repeat_interleave(side, 2).repeat_interleave(side, 3)
    return whole[..., : x.shape[2], : x.shape[3]]


def oil(x: torch.Tensor) -> torch.Tensor:
    """Strokes that follow a field of directions, each a little lighter or darker, on canvas that is
    warm where it is white."""
    flat = parts.wavy(x, 0.04, 20)
    for _ in range(2):
        flat = parts.patches(flat, x.shape[2] // 48)
    flat = 0.06 + 0.86 * adjust_saturation(flat, 1.2)
    white = parts.white(flat / 0.92)
    flat = flat * (1 - white * (1 - parts.colour(x, 1.07, 1.03, 0.95)))
    colour = flat.amax(1, keepdim=True) - flat.amin(1, keepdim=True)
    strokes = [parts.strokes(tuple(x.shape[2:]), seed).to(x) for seed in range(4)]
    thick = F.pad(strokes[1], (0, 1, 0, 1), mode="replicate")
    relief = thick[..., 1:, 1:] - thick[..., :-1, :-1]  # as lit from a corner
    light = (0.12 - 0.08 * rgb_to_grayscale(flat) + 0.08 * colour) * strokes[0] + 0.06 * relief
    light = light * (1 - 0.9 * white * (1 - parts.colour(x, 0.55, 0.85, 1.4)))  # cream, not grey
    return (flat * (1 + light) + 0.03 * colour * torch.cat(strokes[1:], 1)).clamp(0, 1)


def watercolour(x: torch.Tensor) -> torch.Tensor:
    """Pigment that pools at edges and spreads unevenly on grained paper."""
    flat = parts.patches(parts.wavy(parts.wavy(x, 0.07, 9), 0.02, 40), x.shape[2] // 40)
    spread = 1 + 1.1 * (parts.noise(x, 6, 5) - 0.5) + 0.5 * (parts.noise(x, 22, 6) - 0.5)
    rim = (5 * parts.blurred(parts.edges(flat), 1)).clamp(0, 1)
    grain = parts.grain(tuple(x.shape[2:])).to(x)
    pigment = 0.8 * (1 - flat) * spread.clamp(0.3, 1.3) * (1 + 0.45 * rim) * (1 + 0.06 * grain)
    return (parts.colour(x, 0.985, 0.975, 0.95) * (1 + 0.012 * grain) - pigment).clamp(0, 1)


def pencil(x: torch.Tensor) -> torch.Tensor:
    """Outlines, and hatching where it is dark, on warm paper."""
    grey, side = rgb_to_grayscale(x), x.shape[2]
    y, across = parts.positions(x)
    hatch = 0.5 + 0.5 * torch.sin(
        (across + y + 6 * parts.noise(x, 9, 2)) * (2 * math.pi * 32 / side)
    )
    tone = 1 - 0.85 * (1 - grey) * hatch * (0.6 + 0.6 * parts.noise(x, 60, 4))
    around = 1 - parts.blurred(1 - grey, side // 32)
    lines = (grey / around.clamp(min=0.05)).clamp(0, 1)
    drawn = (0.5 * tone + 0.5 * lines) * (1 - 3.5 * parts.edges(x)).clamp(0, 1)
    return (0.95 * drawn).clamp(0.12, 1) * parts.colour(x, 0.99, 0.98, 0.95)


def stained_glass(x: torch.Tensor) -> torch.Tensor:
    """Panes of one colour each in lead, lit unevenly; none is black or white."""
    flat = parts.patches(x, x.shape[2] // 64)
    panes = parts.panes(tuple(x.shape[2:])).to(x.device)
    tones = (flat[0] * 3).round().long()
    each = panes * 64 + tones[0] * 16 + tones[1] * 4 + tones[2]
    each = each.unique(return_inverse=True)[1]
    number = panes[None, None].to(x)
    borders = F.max_pool2d(number, 3, 1, 1) + F.max_pool2d(-number, 3, 1, 1) > 0
    lead = F.max_pool2d((borders | (parts.edges(flat) > 0.12)).to(x), 3, 1, 1)
    glass = adjust_saturation(parts.averaged(flat, each), 1.3)
    jewel, pale = x.new_tensor([JEWELS, PALE])[:, panes % len(PALE)].movedim(3, 1).split(1)
    black = ((0.48 - glass.amax(1, keepdim=True)) / 0.2).clamp(0, 1)
    glass = glass * (1 - parts.white(glass) * (1 - pale)) * (1 - 0.5 * black) + black * jewel
    lit = glass * (0.84 + 0.34 * parts.noise(x, 6, 3))
    return lit.clamp(0, 1) * (1 - lead) + 0.06 * lead


def crayon(x: torch.Tensor) -> torch.Tensor:
    """Wax that catches on the bumps of paper, in strokes to and fro, with a dark outline."""
    size, side = tuple(x.shape[2:]), min(x.shape[2:])
    bumps = parts.grain(size).to(x)
    flat = parts.patches(parts.wavy(x, 0.05, 7), side // 40)
    strokes = parts.by_colour(flat, [parts.hatching(size, n, 44, 4) for n in range(4)])
    pressed = 1.6 * (1 - flat.amin(1, keepdim=True))
    cover = torch.sigmoid(5 * (1.9 * pressed.clamp(max=1) - 0.9 + 0.5 * strokes + 0.42 * bumps))
    cover = 0.94 * cover * (4 * pressed).clamp(0, 1)
    lines = parts.blurred(parts.outlines(parts.wavy(x, 0.03, 9), 6), 1)
    line = 0.85 * torch.sigmoid(6 * (2.2 * lines - 1.05 + 0.35 * bumps)) * (6 * lines).clamp(0, 1)
    wax = adjust_saturation(flat, 1.5) * (1 + 0.06 * strokes)
    dark = 0.35 * adjust_saturation(parts.blurred(x, 3), 1.6)
    drawn = parts.colour(x, 0.985, 0.975, 0.95) * (1 + 0.02 * bumps) * (1 - cover) + cover * wax
    return (drawn * (1 - line) + line * dark).clamp(0, 1)


def linocut(x: torch.Tensor) -> torch.Tensor:
    """Ink on cream paper, with rows of cuts that are as wide as it is light."""
    size, side = tuple(x.shape[2:]), min(x.shape[2:])
    flat = parts.patches(parts.wavy(x, 0.02, 12), side // 40)
    tone = 0.55 * rgb_to_grayscale(flat) + 0.45 * flat.amin(1, keepdim=True)
    usual = tone.detach()[..., ::4, ::4].flatten().sort().values  # from its darkest to its lightest
    dark, light = usual[len(usual) // 40].clamp(max=0.3), usual[-1 - len(usual) // 40]
    tone = (tone - dark) / (light - dark).clamp(min=0.35)
    lighter = tone - parts.blurred(tone, side // 36)  # than around it
    share = (0.5 + 8 * lighter).clamp(0, 1)
    edges = parts.blurred(parts.outlines(flat, 7), 1)
    around = 2 * (tone - lighter) - 1  # cuts part what is dark, and lines of ink what is light
    part = share * (-around).clamp(min=0) - (1 - share) * around.clamp(min=0)
    light = 1.12 * (tone - 0.47) + 1.2 * lighter + 1.8 * edges * part
    textures = [
        0.4 * parts.ridges(size, n, 22) + 0.13 * parts.hatching(size, n, 60, 6) for n in range(4)
    ]
    left = parts.by_colour(flat, textures) * (1 - 0.9 * edges) - light
    soft = torch.sigmoid(4 * left)  # whose gradient is felt further from the edges
    ink = soft + (torch.sigmoid(16 * left) - soft).detach()
    return parts.colour(x, *CREAM) * (1 - ink) + parts.colour(x, *INK) * ink


def paper_cut(x: torch.Tensor) -> torch.Tensor:
    """Sheets of paper of one colour each, one upon another, each with its shadow."""
    size, side = tuple(x.shape[2:]), min(x.shape[2:])
    half = parts.patches(F.avg_pool2d(x, 2, ceil_mode=True), side // 100)
    squares = half.square()  # among which what is light differs more than what is dark
    kinds = parts.few_colours(squares.detach(), SHEETS).view(SHEETS, 3, 1, 1)
    apart = (squares - kinds).square().sum(1)[None]
    share = F.softmax(-60 * apart, 1)
    weight = share / share.sum((2, 3), keepdim=True).clamp(min=1e-9)
    colours = torch.einsum("nchw,nkhw->kc", half, weight)
    share = F.interpolate(parts.blurred(share, max(1, side // 110)), size, mode="bilinear")
    sheets = F.softmax(24 * share, 1)
    above = sheets.flip(1).cumsum(1).flip(1)  # of each sheet and all that lie on it
    down, right = max(1, side // 70), max(1, side // 100)
    moved = F.pad(above, (right, 0, down, 0))[..., : size[0], : size[1]]
    shadows = parts.blurred(F.avg_pool2d(moved, 2, ceil_mode=True), max(1, side // 128))
    shadows = F.interpolate(shadows, size, mode="bilinear")
    fibre = 1 + 0.014 * parts.grain(size).to(x)
    made = torch.zeros_like(x)
    for n in range(SHEETS):
        sheet = adjust_saturation(colours[n].view(1, 3, 1, 1), 1.25)
        if n == 0:
            sheet = sheet * (1 - parts.white(sheet) * (1 - parts.colour(x, 0.82, 0.92, 0.94)))
        else:
            made = made * (1 - 0.5 * shadows[:, n : n + 1])
        made = made * (1 - above[:, n : n + 1]) + sheet * fibre * above[:, n : n + 1]
    return made.clamp(0, 1)


def neon(x: torch.Tensor) -> torch.Tensor:
    """Outlines that glow in the colours beside them, in the dark."""
    side = x.shape[2]
    tubes = parts.outlines(parts.patches(x, side // 64), 4)
    hue = adjust_saturation(parts.blurred(x, side // 40), 3)
    hue = hue / hue.amax(1, keepdim=True).clamp(min=0.3)
    hue = torch.where(hue.amin(1, keepdim=True) > 0.8, parts.colour(x, 0.3, 0.8, 1.0), hue)
    glow = 1.2 * parts.blurred(tubes, side // 32) + 0.9 * parts.blurred(tubes, side // 12)
    return (parts.colour(x, *INK_BLUE) + hue * (0.9 * tubes + glow) + 0.45 * tubes**3).clamp(0, 1)


def low_poly(x: torch.Tensor) -> torch.Tensor:
    """Triangles of one colour each, their corners on edges of the picture."""
    height, width = x.shape[2:]
    rng = np.random.default_rng(0)
    strength = parts.blurred(parts.edges(x.detach()), 2).flatten().cpu().double().numpy()
    chance = 0.85 * strength / max(strength.sum(), 1e-9) + 0.15 / strength.size
    at = rng.choice(strength.size, POINTS, replace=False, p=chance / chance.sum())
    side = np.linspace(0, 1, 9)
    border = [(s, e) for s in side for e in (0, 1)] + [(e, s) for s in side for e in (0, 1)]
    corners = np.concatenate(
        [np.stack([at % width, at // width], 1), border * np.array([width - 1, height - 1])]
    )
    triangles = Triangulation(*np.unique(corners, axis=0).T).get_trifinder()
    each = triangles(*np.meshgrid(np.arange(width), np.arange(height)))
    each = torch.from_numpy(np.asarray(each)).long().clamp(min=0).to(x.device)
    flat = parts.averaged(x, each)
    tone = torch.randn(int(each.max()) + 1, generator=torch.Generator().manual_seed(4)).to(x)
    shade = 0.05 + 0.09 * (flat.amax(1, keepdim=True) - flat.amin(1, keepdim=True))
    return (flat * (1 + shade * tone[each])).clamp(0, 1)


def black_and_white(x: torch.Tensor) -> torch.Tensor:
    """Greys of some more contrast."""
    return (1.15 * (rgb_to_grayscale(x) - 0.5) + 0.5).clamp(0, 1).expand_as(x).contiguous()


Medium = Callable[[torch.Tensor], torch.Tensor]
MEDIA: dict[str, Medium] = {  # by what a picture is then called
    "oil painting": oil,
    "watercolour": watercolour,
    "pencil drawing": pencil,
    "pixel art": pixel_art,
    "stained glass": stained_glass,
    "neon": neon,
    "low poly": low_poly,
    "black and white": black_and_white,
    "crayon drawing": crayon,
    "linocut": linocut,
    "paper cut-out": paper_cut,
}
