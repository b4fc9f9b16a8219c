"""The prior's transformer: its block, and which tokens see which (Child et al. 2019)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

ATTENTION = ("full", "local", "strided")


def attention_mask(side: int, pattern: str = "full", reach: int = 2) -> torch.Tensor:
    """Which token of a grid (side × side) sees which: (side², side²) booleans.

    full: all. local: those at most `reach` away along both axes. strided: those of the same row or
    column. ValueError for another pattern.
    """
    if pattern not in ATTENTION:
        raise ValueError(f"attention {pattern!r} is not known: choose of {', '.join(ATTENTION)}")
    place = torch.arange(side * side)
    row, column = place // side, place % side
    apart = torch.stack([row[:, None] - row, column[:, None] - column]).abs()
    if pattern == "full":
        return torch.ones(side * side, side * side, dtype=torch.bool)
    return apart.amax(0) <= reach if pattern == "local" else apart.amin(0) == 0


class Block(nn.Module):
    """Attention and a feed-forward layer, both scaled and shifted by the caption (adaptive layer
    norm; Peebles and Xie 2023)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.modulation = nn.Parameter(torch.zeros(4, width))

    def forward(self, x: torch.Tensor, mask: torch.Tensor, caption: torch.Tensor) -> torch.Tensor:
        """x (b, n, width), mask (b, 1, n, n) to be added to the scores, caption (b, 4, width)."""
        scale1, shift1, scale2, shift2 = (caption + self.modulation)[:, :, None].unbind(1)
        y = self.norm1(x) * (1 + scale1) + shift1
        q, k, v = self.qkv(y).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        # Plain products: torch's fused attention with a mask is slow backwards on a CPU.
        scores = (q @ k.transpose(2, 3)) * q.shape[-1] ** -0.5 + mask.to(q.dtype)
        y = (scores.softmax(-1).to(v.dtype) @ v).transpose(1, 2).flatten(2)
        x = x + self.project(y)
        y = self.norm2(x) * (1 + scale2) + shift2
        return x + self.narrow(F.gelu(self.widen(y)))
