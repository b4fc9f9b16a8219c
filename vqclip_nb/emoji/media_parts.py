"""What media are made of: filters, edges, and noise that is the same in every run."""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F

from ..regions import Size
from .layers import border_colour

PANES = 80  # of stained glass
ANGLES = (0.5, -0.5, 0.15, 1.1)  # of hatching and ridges


def blurred(x: torch.Tensor, radius: int) -> torch.Tensor:
    if radius > 4:  # at a quarter of the size, which is as smooth
        small = F.avg_pool2d(x, 4, ceil_mode=True)
        return F.interpolate(blurred(small, radius // 4), x.shape[2:], mode="bilinear")
    for _ in range(2):
        x = squares(F.pad(x, (radius,) * 4, mode="replicate"), 2 * radius + 1)
    return x


def squares(x: torch.Tensor, side: int) -> torch.Tensor:
    """The mean of each square within a picture; sums of slices are faster than avg_pool2d."""
    height, width = x.shape[2] - side + 1, x.shape[3] - side + 1
    rows = torch.zeros_like(x[..., :width])
    for i in range(side):
        rows = rows + x[..., i : i + width]
    found = torch.zeros_like(rows[..., :height, :])
    for i in range(side):
        found = found + rows[..., i : i + height, :]
    return found / side**2


def edges(x: torch.Tensor) -> torch.Tensor:
    """How much colours change from pixel to pixel, (1, 1, h, w)."""
    x = F.pad(blurred(x, 1), (0, 1, 0, 1), mode="replicate")
    down, right = x[..., 1:, :-1] - x[..., :-1, :-1], x[..., :-1, 1:] - x[..., :-1, :-1]
    return (down.square() + right.square()).sum(1, keepdim=True).clamp(min=1e-8).sqrt()


def outlines(x: torch.Tensor, strength: float) -> torch.Tensor:
    """Edges as lines of three pixels, 0 to 1, (1, 1, h, w)."""
    return F.max_pool2d((strength * edges(x)).clamp(0, 1), 3, 1, 1)


def patches(x: torch.Tensor, radius: int) -> torch.Tensor:
    """Each pixel as the mean of that square of four around it which varies least: the filter of
    Kuwahara et al. (1976)."""
    height, width = x.shape[2:]
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    mean = squares(padded, radius + 1)
    square = squares(padded.detach().square(), radius + 1)
    varied = (square - mean.detach().square()).sum(1, keepdim=True)
    found, least = mean[..., :height, :width], varied[..., :height, :width]
    for down, right in ((0, radius), (radius, 0), (radius, radius)):
        at = (..., slice(down, down + height), slice(right, right + width))
        found = torch.where(varied[at] < least, mean[at], found)
        least = torch.minimum(varied[at], least)
    return found


def averaged(x: torch.Tensor, each: torch.Tensor) -> torch.Tensor:
    """Each pixel as the mean of those with its number in `each` (h, w)."""
    flat, count = each.flatten(), int(each.max()) + 1
    sums = x.new_zeros(3, count).index_add(1, flat, x[0].flatten(1))
    return (sums / torch.bincount(flat, minlength=count).clamp(min=1))[:, flat].view_as(x)


def white(x: torch.Tensor) -> torch.Tensor:
    """How near to white, 0 to 1, (1, 1, h, w)."""
    return ((x.amin(1, keepdim=True) - 0.72) / 0.2).clamp(0, 1)


def by_colour(x: torch.Tensor, textures: list[torch.Tensor]) -> torch.Tensor:
    """At each pixel that of several textures (1, 1, h, w) which goes with the colour there."""
    small = patches(F.avg_pool2d(x.detach(), 4, ceil_mode=True), min(x.shape[2:]) // 64)
    colours = few_colours(small, len(textures))
    apart = (small - colours.view(-1, 3, 1, 1)).square().sum(1)[None]
    nearest = F.interpolate(apart, x.shape[2:], mode="bilinear").argmin(1, keepdim=True)
    return torch.cat(textures, 1).to(x).gather(1, nearest)


def few_colours(x: torch.Tensor, count: int) -> torch.Tensor:
    """Colours (count, 3) that a picture is near to, by k-means: first that of its border, then from
    where there is most to where there is least. Where it has fewer, the others are far off."""
    colours = border_colour(x)[None]
    pixels = F.adaptive_avg_pool2d(x, 48)[0].flatten(1).T
    for _ in range(count - 1):  # the pixel that is furthest from them
        apart, furthest = torch.cdist(pixels, colours).amin(1).max(0)
        other = torch.where(apart > 0.1, pixels[furthest], 9.0)
        colours = torch.cat([colours, other[None]])
    for _ in range(5):
        nearest = torch.cdist(pixels, colours).argmin(1)
        sums = torch.zeros_like(colours).index_add(0, nearest, pixels)
        size = torch.bincount(nearest, minlength=count)[:, None]
        colours = torch.where(size > 0, sums / size.clamp(min=1), colours)
    return torch.cat([colours[:1], colours[1:][size[1:, 0].argsort(descending=True)]])


def colour(x: torch.Tensor, *rgb: float) -> torch.Tensor:
    return x.new_tensor(rgb).view(1, 3, 1, 1)


def positions(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns of pixels, (h, 1) and (1, w)."""
    return torch.arange(x.shape[2]).to(x)[:, None], torch.arange(x.shape[3]).to(x)[None]


def noise(x: torch.Tensor, cells: int, seed: int) -> torch.Tensor:
    """Smooth noise around .5 (1, 1, h, w), of so many cells along a side."""
    generator = torch.Generator().manual_seed(seed)
    grid = torch.rand(1, 1, cells, cells, generator=generator)
    return F.interpolate(grid, x.shape[2:], mode="bicubic", align_corners=False).to(x)


def wavy(x: torch.Tensor, amount: float, cells: int) -> torch.Tensor:
    """A picture whose lines waver, by up to about a quarter of `amount` of its side."""
    y, across = (2 * p / max(1, p.numel() - 1) - 1 for p in positions(x))
    dx, dy = (amount * (noise(x, cells, seed)[0, 0] - 0.5) for seed in (3, 4))
    return F.grid_sample(
        x, torch.stack([across + dx, y + dy], -1).clamp(-1, 1)[None], align_corners=True
    )


@functools.lru_cache(maxsize=32)
def grain(size: Size) -> torch.Tensor:
    """The bumps of paper, (1, 1, h, w), mean 0 and deviation 1."""
    bumps = blurred(torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(1)), 1)
    return bumps / bumps.std()


@functools.lru_cache(maxsize=32)
def strokes(size: Size, seed: int) -> torch.Tensor:
    """Noise smeared along a field of directions, (1, 1, h, w), mean 0 and deviation 1."""
    dots = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(seed))
    angle = noise(dots, 5, 8)[0, 0] * 2 * math.pi
    height, width = size
    y, across = (2 * p / max(1, p.numel() - 1) - 1 for p in positions(dots))
    total, length = torch.zeros_like(dots), height // 22
    for t in range(-length, length + 1):
        at = [across + 2 * t / width * angle.cos(), y + 2 * t / height * angle.sin()]
        total += F.grid_sample(
            blurred(dots, 1),
            torch.stack(at, -1)[None],
            padding_mode="reflection",
            align_corners=True,
        )
    return (total - total.mean()) / total.std()


@functools.lru_cache(maxsize=32)
def panes(size: Size) -> torch.Tensor:
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


@functools.lru_cache(maxsize=32)
def hatching(size: Size, number: int, wide: int, long: int) -> torch.Tensor:
    """Noise in nearly straight strokes (1, 1, h, w), mean 0 and deviation 1: so many strokes lie
    beside one another along a side, and so many behind one another."""
    along, beside = _turned(size, number)
    dots = torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(number))
    at = torch.stack([along * long, beside * wide], -1)[None] / 64
    drawn = F.grid_sample(dots, at, padding_mode="reflection", align_corners=True)
    return (drawn - drawn.mean()) / drawn.std()


@functools.lru_cache(maxsize=32)
def ridges(size: Size, number: int, wide: int) -> torch.Tensor:
    """So many waves along a side, -1 to 1, (1, 1, h, w)."""
    return torch.sin(_turned(size, number)[1] * 2 * math.pi * wide)[None, None]


def _turned(size: Size, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions in shares of a side along and across the direction of that number, (h, w)."""
    y, x = positions(torch.zeros(1, 1, *size))
    bend = 0.1 * noise(torch.zeros(1, 1, *size), 4, number)[0, 0]
    y, x, angle = y / min(size), x / min(size), ANGLES[number]
    turned = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    return turned[0], turned[1] + bend
