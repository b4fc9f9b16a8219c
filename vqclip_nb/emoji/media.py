"""Media that the pair's networks cannot paint: each a layer behind the decoder, through which the
gradient goes, so that the loop optimises what is seen.

A layer takes and gives pictures (1, 3, height, width) in [0, 1]. Its noise is the same at every
step and in every run, in the picture's size.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.tri import Triangulation
from torchvision.transforms.functional import adjust_saturation, rgb_to_grayscale

PIXELS = 32  # of pixel art along the shorter side
PANES, POINTS = 80, 240  # of stained glass, and corners of triangles
INK_BLUE = (0.04, 0.03, 0.09)


def pixel_art(x: torch.Tensor) -> torch.Tensor:
    """Squares of few colours."""
    side = max(1, min(x.shape[2:]) // PIXELS)
    small = F.avg_pool2d(x, side, ceil_mode=True)
    small = small + ((small * 6).round() / 6 - small).detach()
    whole = small.repeat_interleave(side, 2).repeat_interleave(side, 3)
    return whole[..., : x.shape[2], : x.shape[3]]


def oil(x: torch.Tensor) -> torch.Tensor:
    """Strokes that follow a field of directions, each a little lighter or darker."""
    flat = _wavy(x, 0.04, 20)
    for _ in range(2):
        flat = _patches(flat, x.shape[2] // 48)
    flat = 0.06 + 0.86 * adjust_saturation(flat, 1.2)
    colour = flat.amax(1, keepdim=True) - flat.amin(1, keepdim=True)
    strokes = [_strokes(tuple(x.shape[2:]), seed).to(x) for seed in range(4)]
    light = (0.12 - 0.08 * rgb_to_grayscale(flat) + 0.08 * colour) * strokes[0]
    return (flat * (1 + light) + 0.03 * colour * torch.cat(strokes[1:], 1)).clamp(0, 1)


def watercolour(x: torch.Tensor) -> torch.Tensor:
    """Pigment that pools at edges and spreads unevenly on grained paper."""
    flat = _patches(_wavy(_wavy(x, 0.07, 9), 0.02, 40), x.shape[2] // 40)
    spread = 1 + 1.1 * (_noise(x, 6, 5) - 0.5) + 0.5 * (_noise(x, 22, 6) - 0.5)
    rim = (5 * _blurred(_edges(flat), 1)).clamp(0, 1)
    grain = _grain(tuple(x.shape[2:])).to(x)
    pigment = 0.8 * (1 - flat) * spread.clamp(0.3, 1.3) * (1 + 0.45 * rim) * (1 + 0.06 * grain)
    return (_colour(x, 0.985, 0.975, 0.95) * (1 + 0.012 * grain) - pigment).clamp(0, 1)


def pencil(x: torch.Tensor) -> torch.Tensor:
    """Outlines, and hatching where it is dark, on warm paper."""
    grey, side = rgb_to_grayscale(x), x.shape[2]
    y, across = _positions(x)
    hatch = 0.5 + 0.5 * torch.sin((across + y + 6 * _noise(x, 9, 2)) * (2 * math.pi * 32 / side))
    tone = 1 - 0.85 * (1 - grey) * hatch * (0.6 + 0.6 * _noise(x, 60, 4))
    around = 1 - _blurred(1 - grey, side // 32)
    lines = (grey / around.clamp(min=0.05)).clamp(0, 1)
    drawn = (0.5 * tone + 0.5 * lines) * (1 - 3.5 * _edges(x)).clamp(0, 1)
    return (0.95 * drawn).clamp(0.12, 1) * _colour(x, 0.99, 0.98, 0.95)


def stained_glass(x: torch.Tensor) -> torch.Tensor:
    """Panes of one colour each in lead, lit unevenly."""
    flat = _patches(x, x.shape[2] // 64)
    panes = _panes(tuple(x.shape[2:])).to(x.device)
    tones = (flat[0] * 3).round().long()
    each = panes * 64 + tones[0] * 16 + tones[1] * 4 + tones[2]
    each = each.unique(return_inverse=True)[1]
    number = panes[None, None].to(x)
    borders = F.max_pool2d(number, 3, 1, 1) + F.max_pool2d(-number, 3, 1, 1) > 0
    lead = F.max_pool2d((borders | (_edges(flat) > 0.12)).to(x), 3, 1, 1)
    lit = adjust_saturation(_averaged(flat, each), 1.3) * (0.8 + 0.4 * _noise(x, 6, 3))
    return lit.clamp(0, 1) * (1 - lead) + 0.06 * lead


def neon(x: torch.Tensor) -> torch.Tensor:
    """Outlines that glow in the colours beside them, in the dark."""
    side = x.shape[2]
    tubes = F.max_pool2d((4 * _edges(_patches(x, side // 64))).clamp(0, 1), 3, 1, 1)
    hue = adjust_saturation(_blurred(x, side // 40), 3)
    hue = hue / hue.amax(1, keepdim=True).clamp(min=0.3)
    hue = torch.where(hue.amin(1, keepdim=True) > 0.8, _colour(x, 0.3, 0.8, 1.0), hue)
    glow = 1.2 * _blurred(tubes, side // 32) + 0.9 * _blurred(tubes, side // 12)
    return (_colour(x, *INK_BLUE) + hue * (0.9 * tubes + glow) + 0.45 * tubes**3).clamp(0, 1)


def low_poly(x: torch.Tensor) -> torch.Tensor:
    """Triangles of one colour each, their corners on edges of the picture."""
    height, width = x.shape[2:]
    rng = np.random.default_rng(0)
    strength = _blurred(_edges(x.detach()), 2).flatten().cpu().double().numpy()
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
    flat = _averaged(x, each)
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
}

# -- what they are made of


def _blurred(x: torch.Tensor, radius: int) -> torch.Tensor:
    if radius > 4:  # at a quarter of the size, which is as smooth
        small = F.avg_pool2d(x, 4, ceil_mode=True)
        return F.interpolate(_blurred(small, radius // 4), x.shape[2:], mode="bilinear")
    for _ in range(2):
        x = F.avg_pool2d(F.pad(x, (radius,) * 4, mode="replicate"), 2 * radius + 1, 1)
    return x


def _edges(x: torch.Tensor) -> torch.Tensor:
    """How much colours change from pixel to pixel, (1, 1, h, w)."""
    x = F.pad(_blurred(x, 1), (0, 1, 0, 1), mode="replicate")
    down, right = x[..., 1:, :-1] - x[..., :-1, :-1], x[..., :-1, 1:] - x[..., :-1, :-1]
    return (down.square() + right.square()).sum(1, keepdim=True).clamp(min=1e-8).sqrt()


def _patches(x: torch.Tensor, radius: int) -> torch.Tensor:
    """Each pixel as the mean of that square of four around it which varies least: the filter of
    Kuwahara et al. (1976)."""
    height, width = x.shape[2:]
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    mean = F.avg_pool2d(padded, radius + 1, 1)
    varied = (F.avg_pool2d(padded.square(), radius + 1, 1) - mean.square()).sum(1, keepdim=True)
    cut = [(slice(a, a + height), slice(b, b + width)) for a in (0, radius) for b in (0, radius)]
    least = torch.stack([varied[..., rows, columns] for rows, columns in cut]).argmin(0)
    means = torch.stack([mean[..., rows, columns] for rows, columns in cut])
    return means.gather(0, least.expand_as(x)[None])[0]


def _averaged(x: torch.Tensor, each: torch.Tensor) -> torch.Tensor:
    """Each pixel as the mean of those with its number in `each` (h, w)."""
    flat, count = each.flatten(), int(each.max()) + 1
    sums = x.new_zeros(3, count).index_add(1, flat, x[0].flatten(1))
    return (sums / torch.bincount(flat, minlength=count).clamp(min=1))[:, flat].view_as(x)


def _colour(x: torch.Tensor, *rgb: float) -> torch.Tensor:
    return x.new_tensor(rgb).view(1, 3, 1, 1)


def _positions(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns of pixels, (h, 1) and (1, w)."""
    return torch.arange(x.shape[2]).to(x)[:, None], torch.arange(x.shape[3]).to(x)[None]


def _noise(x: torch.Tensor, cells: int, seed: int) -> torch.Tensor:
    """Smooth noise around .5 (1, 1, h, w), of so many cells along a side."""
    generator = torch.Generator().manual_seed(seed)
    grid = torch.rand(1, 1, cells, cells, generator=generator)
    return F.interpolate(grid, x.shape[2:], mode="bicubic", align_corners=False).to(x)


def _wavy(x: torch.Tensor, amount: float, cells: int) -> torch.Tensor:
    """A picture whose lines waver, by up to about a quarter of `amount` of its side."""
    y, across = (2 * p / max(1, p.numel() - 1) - 1 for p in _positions(x))
    dx, dy = (amount * (_noise(x, cells, seed)[0, 0] - 0.5) for seed in (3, 4))
    return F.grid_sample(
        x, torch.stack([across + dx, y + dy], -1).clamp(-1, 1)[None], align_corners=True
    )


@functools.lru_cache(maxsize=8)
def _grain(size: tuple[int, int]) -> torch.Tensor:
    noise = torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(1))
    blurred = _blurred(noise, 1)
    return blurred / blurred.std()


@functools.lru_cache(maxsize=8)
def _strokes(size: tuple[int, int], seed: int) -> torch.Tensor:
    """Noise smeared along a field of directions, (1, 1, h, w), mean 0 and deviation 1."""
    noise = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(seed))
    angle = _noise(noise, 5, 8)[0, 0] * 2 * math.pi
    height, width = size
    y, across = (2 * p / max(1, p.numel() - 1) - 1 for p in _positions(noise))
    total, length = torch.zeros_like(noise), height // 22
    for t in range(-length, length + 1):
        at = [across + 2 * t / width * angle.cos(), y + 2 * t / height * angle.sin()]
        total += F.grid_sample(
            _blurred(noise, 1),
            torch.stack(at, -1)[None],
            padding_mode="reflection",
            align_corners=True,
        )
    return (total - total.mean()) / total.std()


@functools.lru_cache(maxsize=8)
def _panes(size: tuple[int, int]) -> torch.Tensor:
    """The number of the nearest of about PANES points for each pixel, (h, w)."""
    height, width = size
    rows = max(1, round(math.sqrt(PANES * height / width)))
    columns = max(1, round(PANES / rows))
    generator = torch.Generator().manual_seed(2)
    jitter = 0.5 + 0.9 * (torch.rand(rows, columns, 2, generator=generator) - 0.5)
    y = (torch.arange(rows)[:, None] + jitter[..., 0]) * height / rows
    x = (torch.arange(columns) + jitter[..., 1]) * width / columns
    down = (torch.arange(height)[:, None] - y.flatten()).square()  # (h, n)
    across = (torch.arange(width)[:, None] - x.flatten()).square()
    return (down[:, None] + across[None]).argmin(-1)
