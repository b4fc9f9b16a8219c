"""Where on a body things are worn and held."""

from __future__ import annotations

import math

import torch

Box = tuple[float, float, float, float]  # centre x, centre y, width, height in pixels


def worn(body: torch.Tensor, box: Box, mask: torch.Tensor, where: str, size: float) -> Box:
    """Where something of a mask (h, w) is worn by a body, given as a mask and its box. where: a key
    of `worn_at`. size: its longer side, as a share of the body's."""
    x, y, whole = worn_at(body)[where]
    longer = size * max(box[2:]) / (1.0 if whole else 1.3)
    height, width = (longer * side / max(mask.shape) for side in mask.shape)
    up = 0.2 * height if where == "head" else 0.0
    return box[0] + (x - 0.5) * box[2], box[1] + (y - 0.5) * box[3] - up, width, height


def worn_at(mask: torch.Tensor) -> dict[str, tuple[float, float, bool]]:
    """Where a body (h, w) has what things are worn on, as shares of its sides from the left and
    from above, and whether it is a head alone.

    The head is where most of its upper part is; what is alike on both sides and wide above is a
    head alone.
    """
    height, width = mask.shape
    upper = mask[: math.ceil(0.35 * height)].sum(0).cumsum(0)
    x = int((upper < upper[-1] / 2).sum())
    near = mask[:, max(0, x - width // 20) : x + width // 20 + 1].amax(1)
    top = int(near.argmax()) / height
    alike = float((mask * mask.flip(1)).sum() / mask.maximum(mask.flip(1)).sum().clamp(min=1))
    rows, upright = mask.sum(1), alike > 0.7
    broad = bool(rows[height // 6 : height // 3].mean() > 0.62 * rows.max())
    whole = alike > 0.9 and width > 0.82 * height and broad
    across = (x + 0.5) / width
    eyes, neck = (top + 0.2, top + 0.4) if upright else (top + 0.15, top + 0.35)
    if whole:
        eyes, neck = 0.48, 0.92
    return {
        "head": (across, top, whole),
        "eyes": (across, eyes, whole),
        "neck": (across, neck, whole),
        "body": (0.5, 0.7, True),
        "feet": (0.5, 0.95, whole),
        "hand": (0.92, 0.65, True),
    }
