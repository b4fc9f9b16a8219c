"""A picture enlarged to twice its size, with plain colours and edges as sharp as a drawing's.

First what changes little from pixel to pixel is evened out and edges are left alone (Perona and
Malik 1990), then a shock filter moves both sides of every edge towards it: what lies on the bright
side grows, and what lies on the dark side too, until they meet (Osher and Rudin 1990). Which way an
edge runs is taken from the structure tensor around it, which keeps outlines smooth (Weickert,
"Coherence-enhancing shock filters", 2003).
"""

import torch
import torch.nn.functional as F

EVENED, SLOPE, SPREAD = 8, 0.05, 0.2  # steps, slope of an edge, share of a slope in one step
STEPS, RATE = 14, 0.4  # of the shock filter
EDGE, AROUND = 1.5, 3.0  # in pixels: how wide edges are, and from how far their direction is taken
CURVED = 0.01  # curvature across an edge from which it moves at the full rate
COLOURED = 0.25  # a colour's share of an edge, of 1, from which it moves at that rate too
ROUNDED = 0.5  # pixels over which edges are evened out at the end


def finished(picture: torch.Tensor) -> torch.Tensor:
    """(1, 3, h, w) in [0, 1] to (1, 3, 2 h, 2 w)."""
    x = picture
    for _ in range(EVENED):
        beside = torch.stack(_neighbours(x))  # (4, 1, 3, h, w)
        alike = (-beside.square().sum(2, keepdim=True) / SLOPE**2).exp()
        x = x + SPREAD * (alike * beside).sum(0)
    x = F.interpolate(x, scale_factor=2.0, mode="bicubic").clamp(0, 1)
    for _ in range(STEPS):
        x = x - RATE * _shock(x)
    return _blurred(x, ROUNDED).clamp(0, 1)


def _shock(x: torch.Tensor) -> torch.Tensor:
    """By how much each side of an edge is to move towards it."""
    right, down = _slopes(_blurred(x, EDGE))
    products = (right * right, right * down, down * down)
    rr, rd, dd = (_blurred(p.sum(1, keepdim=True), AROUND) for p in products)
    angle = torch.atan2(2 * rd, rr - dd) / 2  # across the edge
    cos, sin = angle.cos(), angle.sin()
    (right_right, right_down), (_, down_down) = _slopes(right), _slopes(down)
    curved = cos * cos * right_right + 2 * cos * sin * right_down + sin * sin * down_down
    slope = F.normalize(cos * right + sin * down, dim=1)  # of the three colours, from one side on
    share = ((slope * curved).sum(1, keepdim=True) / CURVED).clamp(-1, 1)
    share = share * (slope / COLOURED).clamp(-1, 1)  # of an edge all colours move at once
    one, other, above, below = _neighbours(x)
    rise = torch.hypot(one.maximum(other).clamp(min=0), above.maximum(below).clamp(min=0))
    fall = torch.hypot(one.minimum(other).clamp(max=0), above.minimum(below).clamp(max=0))
    return share * torch.where(share < 0, rise, fall)


def _neighbours(x: torch.Tensor) -> list[torch.Tensor]:
    """How far those to the left, right, above and below are from each pixel of (n, c, h, w)."""
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")
    row, column = wide[..., 1:-1, :], wide[..., 1:-1]
    return [n - x for n in (row[..., :-2], row[..., 2:], column[..., :-2, :], column[..., 2:, :])]


def _slopes(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How much (n, c, h, w) rises with each pixel to the right and down."""
    left, right, above, below = _neighbours(x)
    return (right - left) / 2, (below - above) / 2


def _blurred(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """As torchvision's gaussian_blur, which takes seconds to import."""
    radius = round(3 * sigma)
    kernel = torch.arange(-radius, radius + 1, device=x.device).square().div(-2 * sigma**2).exp()
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    for weights, pad in ((kernel, [radius, radius, 0, 0]), (kernel.mT, [0, 0, radius, radius])):
        x = F.conv2d(F.pad(x, pad, mode="reflect"), weights, groups=x.shape[1])
    return x
