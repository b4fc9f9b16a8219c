"""What is kept of a start picture while CLIP guides: its edges, and more loosely its large areas.

CLIP's maximum is no picture. A drawing as the start falls apart under a gradient that nothing
holds; with its edges kept it stays nameable. Areas without an edge, such as a background, hear of
a new prompt from their own term.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F


def edges(picture: torch.Tensor) -> list[torch.Tensor]:
    """What a picture (n, 3, h, w) has beside its local mean: over 5×5 and 9×9 pixels, and over 9×9
    of the picture at half its size (where it is larger than a pixel)."""
    half = F.avg_pool2d(picture, 2, ceil_mode=True)
    return [_high_pass(picture, 5), _high_pass(picture, 9), _high_pass(half, 9)]


def _high_pass(x: torch.Tensor, side: int) -> torch.Tensor:
    around = F.pad(x, (side // 2,) * 4, mode="replicate")
    return x - F.avg_pool2d(around, side, 1)


def keep_edges(start: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of a picture: how far its edges are from those of `start` (1, 3, h, w), as the
    mean absolute difference over the scales."""
    wanted = edges(start.detach())

    def distance(picture: torch.Tensor) -> torch.Tensor:
        found = edges(picture)
        return sum(F.l1_loss(a, b) for a, b in zip(found, wanted, strict=True)) / len(wanted)

    return distance


def keep_colours(start: torch.Tensor, *, block: int = 16) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of a picture: mean absolute difference from `start` (1, 3, h, w) after both are
    averaged over blocks of `block` pixels a side."""
    wanted = F.avg_pool2d(start.detach(), min(block, *start.shape[2:]))

    def distance(picture: torch.Tensor) -> torch.Tensor:
        return F.l1_loss(F.avg_pool2d(picture, min(block, *picture.shape[2:])), wanted)

    return distance
