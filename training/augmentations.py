"""How training pictures are changed: as the painting loop does, by attacks, and so that only shape
counts."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

Draw = torch.Generator


def soft_crops(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shake pictures (n, 3, s, s) as the painting loop does: zoom, turn, flip, padding, blur,
    colour cast, noise."""
    n = len(x)

    def draw(low: float, high: float) -> torch.Tensor:
        return torch.empty(n).uniform_(low, high, generator=generator).to(x.device)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(x.device)

    zoom, turn = draw(0.65, 1.2), draw(-0.35, 0.35) * (draw(0, 1) < 0.5)
    flip = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    room = (1 - zoom).abs()
    theta = torch.stack(
        [
            torch.stack([zoom * turn.cos() * flip, -zoom * turn.sin(), draw(-1, 1) * room], 1),
            torch.stack([zoom * turn.sin() * flip, zoom * turn.cos(), draw(-1, 1) * room], 1),
        ],
        1,
    )
    pad = "zeros" if torch.rand((), generator=generator) < 0.5 else "border"
    x = F.grid_sample(
        x,
        F.affine_grid(theta, list(x.shape), align_corners=False),
        padding_mode=pad,
        align_corners=False,
    )
    blur = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = torch.where((draw(0, 1) < 0.25)[:, None, None, None], blur, x)
    tint = normal(n, 3, 3) * (0.1 * (draw(0, 1) < 0.5))[:, None, None]
    x = x + torch.einsum("nij,njhw->nihw", tint, x)
    level = draw(0, 0.2) * (draw(0, 1) < 0.6)
    return x + level[:, None, None, None] * normal(*x.shape)


def pgd_step(move: torch.Tensor, way: torch.Tensor, length: float) -> torch.Tensor:
    """`move` (n, 3, s, s) plus an L2 step of `length` along `way`, projected back to that length
    (Madry et al. 2018)."""

    def norm(x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1).norm(dim=1)[:, None, None, None] + 1e-12

    move = move + length * way / norm(way)
    return move * (length / norm(move)).clamp(max=1)


def uniform(n: int, low: float, high: float, generator: Draw) -> torch.Tensor:
    return torch.empty(n).uniform_(low, high, generator=generator)


def chance(n: int, share: float, generator: Draw) -> torch.Tensor:
    """(n, 1, 1, 1) booleans, true with probability `share`."""
    return (torch.rand(n, generator=generator) < share)[:, None, None, None]


def affine(
    x: torch.Tensor,
    size: int,
    generator: Draw,
    *,
    scale: tuple[float, float],
    degrees: float,
    shear: float = 0.0,
    shift: float = 0.1,
    padding: str = "zeros",
) -> torch.Tensor:
    """Pictures (n, c, h, w) turned, sheared, stretched, mirrored and moved, to (n, c, size, size).

    scale: of the thing in the result. shift: in half sides.
    """
    n = len(x)
    angle = math.radians(degrees) * torch.randn(n, generator=generator)
    flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    zoom = 1 / uniform(n, *scale, generator)
    stretch = 1 + shear * torch.randn(n, generator=generator)
    slant = shear * torch.randn(n, generator=generator)
    cos, sin, to = angle.cos(), angle.sin(), shift * torch.randn(n, 2, generator=generator)
    rows = torch.stack([cos * stretch, -sin + slant, sin, cos / stretch], 1).view(n, 2, 2)
    rows = rows * zoom[:, None, None] * torch.stack([flip, torch.ones(n)], 1)[:, :, None]
    theta = torch.cat([rows, -(rows @ to[:, :, None])], 2)
    grid = F.affine_grid(theta, [n, x.shape[1], size, size], align_corners=False)
    return F.grid_sample(x, grid, padding_mode=padding, align_corners=False)


def backgrounds(n: int, size: int, generator: Draw) -> torch.Tensor:
    """(n, 3, size, size): a third white, a third plain colours, the others shaded or patchy."""
    first, second = torch.rand(2, n, 3, 1, 1, generator=generator)
    first = torch.where(chance(n, 0.35, generator), 1.0, first)
    cells = int(torch.randint(2, 9, (), generator=generator))
    mix = torch.rand(n, 1, cells, cells, generator=generator)
    mix = F.interpolate(mix, (size, size), mode="bilinear", align_corners=False)
    return torch.lerp(first, second, mix * chance(n, 0.35, generator) * 0.8)


def grey(x: torch.Tensor) -> torch.Tensor:
    """Luminance (n, 1, h, w)."""
    return (x * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)


def greyscale(x: torch.Tensor, generator: Draw) -> torch.Tensor:
    return grey(x).expand(-1, 3, -1, -1)


def shuffled(x: torch.Tensor, generator: Draw) -> torch.Tensor:
    """Channels in another order, some of them inverted."""
    order = torch.rand(len(x), 3, generator=generator).argsort(1)
    x = x.gather(1, order[:, :, None, None].expand_as(x))
    turn = (torch.rand(len(x), 3, 1, 1, generator=generator) < 0.35).float()
    return turn + (1 - 2 * turn) * x


def posterised(x: torch.Tensor, generator: Draw) -> torch.Tensor:
    """Two to five levels of luminance, each a colour of its own."""
    n, levels = len(x), int(torch.randint(2, 6, (), generator=generator))
    light = grey(x)
    low, high = light.amin((2, 3), keepdim=True), light.amax((2, 3), keepdim=True)
    index = ((light - low) / (high - low + 1e-3) * levels).long().clamp(max=levels - 1)
    palette = torch.rand(n, 3, levels, generator=generator)
    return palette.gather(2, index.flatten(2).expand(-1, 3, -1)).view_as(x)


def edges(x: torch.Tensor, generator: Draw) -> torch.Tensor:
    """Outlines only, dark on light or light on dark."""
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across = wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]
    down = wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1]
    line = (across.square() + down.square()).sum(1, keepdim=True).sqrt()
    line = (line / (line.amax((2, 3), keepdim=True) + 1e-3) * 1.5).clamp(max=1)
    turn = chance(len(x), 0.7, generator).float()
    return (turn + (1 - 2 * turn) * line).expand(-1, 3, -1, -1)


def blurred(x: torch.Tensor, generator: Draw) -> torch.Tensor:
    """Seen at a quarter to a half of the size."""
    side = int(torch.randint(x.shape[3] // 4, x.shape[3] // 2, (), generator=generator))
    small = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
    return F.interpolate(small, tuple(x.shape[2:]), mode="bilinear", align_corners=False)


RECOLOURINGS: tuple[tuple[Callable[[torch.Tensor, Draw], torch.Tensor], float], ...] = (
    (greyscale, 0.1),
    (shuffled, 0.2),
    (posterised, 0.12),
    (edges, 0.15),
)


def only_shape_counts(x: torch.Tensor, generator: Draw) -> torch.Tensor:
    """Pictures (n, 3, h, w) in [0, 1], some recoloured, reduced to outlines, blurred, noisy."""
    n = len(x)
    kind, low = torch.rand(n, generator=generator), 0.0
    out = x.clone()
    for change, share in RECOLOURINGS:
        rows = ((kind >= low) & (kind < low + share)).nonzero()[:, 0]
        if len(rows):
            out[rows] = change(x[rows], generator)
        low += share
    rows = (torch.rand(n, generator=generator) < 0.3).nonzero()[:, 0]
    if len(rows):
        out[rows] = blurred(out[rows], generator)
    bright = uniform(n, 0.75, 1.25, generator)[:, None, None, None]
    cast = 1 + 0.15 * torch.randn(n, 3, 1, 1, generator=generator)
    noise = uniform(n, 0, 0.2, generator)[:, None, None, None] * chance(n, 0.5, generator)
    out = (out - 0.5) * bright + 0.5
    return (out * cast + noise * torch.randn(x.shape, generator=generator)).clamp(0, 1)
