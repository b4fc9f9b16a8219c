"""Things cut out of the ground that they were drawn on, and pictures fitted into other sizes."""

from __future__ import annotations

import torch
import torch.nn.functional as F

GROUND = 0.12  # how far a pixel of the ground may be from the ground's colour, of 1


def cut_out(picture: torch.Tensor) -> torch.Tensor:
    """A thing without its ground: (1, 3, h, w) to (4, h, w), colour premultiplied by alpha.

    Ground is what is of the border's colour and hangs together with the border through cells of
    1/16 of the side that are of that colour throughout, so that white things keep their inside.
    """
    colour = border_colour(picture).view(1, 3, 1, 1)
    apart = (picture - colour).abs().amax(1, keepdim=True)  # (1, 1, h, w)
    side = picture.shape[2] // 16
    plain = (F.max_pool2d(apart, side) < GROUND).float()
    outside = F.pad(torch.zeros_like(plain), (1, 1, 1, 1), value=1.0)
    plain = F.pad(plain, (1, 1, 1, 1), value=1.0)
    for _ in range(plain.shape[2] * 4):
        across = F.max_pool2d(outside, (1, 3), 1, (0, 1))
        outside, before = across.maximum(F.max_pool2d(outside, (3, 1), 1, (1, 0))) * plain, outside
        if torch.equal(outside, before):
            break
    near = F.max_pool2d(outside, 3, 1, 1)[..., 1:-1, 1:-1]  # the cells of the outline too
    near = near.repeat_interleave(side, 2).repeat_interleave(side, 3)
    alpha = (apart / GROUND - 0.5).clamp(0, 1).maximum(1 - near)[0]
    alpha = F.avg_pool2d(F.pad(alpha[None], (1, 1, 1, 1), mode="replicate"), 3, 1)[0]
    return torch.cat([(picture[0] - (1 - alpha) * colour[0]).clamp(min=0).minimum(alpha), alpha])


def fitted(picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """A picture scaled to fit into `size` (height, width), in the middle of its border's colour."""
    scale = min(size[0] / picture.shape[2], size[1] / picture.shape[3])
    own = [max(1, round(side * scale)) for side in picture.shape[2:]]
    x = F.interpolate(picture, own, mode="bicubic", antialias=True)
    around = border_colour(picture).view(1, 3, 1, 1).expand(1, 3, *size).clone()
    top, left = ((whole - side) // 2 for whole, side in zip(size, own, strict=True))
    around[..., top : top + own[0], left : left + own[1]] = x.clamp(0, 1)
    return around


def posed(picture: torch.Tensor, pose: tuple[float, float, float]) -> torch.Tensor:
    """A picture (1, 3, h, w) made larger by pose[0], then moved by pose[1] of its width and pose[2]
    of its height; what comes in is of its border's colour."""
    scale, right, down = pose
    around = border_colour(picture).view(1, 3, 1, 1)
    moved = [[1 / scale, 0, -2 * right / scale], [0, 1 / scale, -2 * down / scale]]
    grid = F.affine_grid(picture.new_tensor([moved]), [*picture.shape], align_corners=False)
    out = F.grid_sample(picture - around, grid, mode="bicubic", align_corners=False) + around
    return out.clamp(0, 1)


def border_colour(picture: torch.Tensor) -> torch.Tensor:
    """The median colour (3,) of the outermost pixels of (1, 3, h, w)."""
    x = picture[0]
    return torch.cat([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], 1).median(1).values
