"""Terms of an objective that look at the picture or the latent itself, not through CLIP."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from .objectives import Step, Term, term

FAINT = 0.05  # of white's Gram matrix: a style picture's counts as this at least
USED = 0.05  # share of the pixels that every colour of a palette has at least


@term
def smoothness() -> Term:
    """Total variation: mean difference between neighbouring pixels; 0 for one flat colour."""

    def total_variation(step: Step) -> torch.Tensor:
        p = step.picture
        down, right = p[:, :, 1:] - p[:, :, :-1], p[..., 1:] - p[..., :-1]
        return down.abs().mean() + right.abs().mean()

    return total_variation


@term
def symmetry() -> Term:
    """Mean difference between the picture and its mirror image; 0 if left and right agree."""
    return lambda step: (step.picture - step.picture.flip(-1)).abs().mean()


@term
def palette(*colours: tuple[float, float, float]) -> Term:
    """Mean squared distance of each pixel from the nearest of `colours`, RGB in [0, 1], and of each
    colour from the `USED` nearest pixels, so that none is left out."""
    if not colours:
        raise ValueError("palette() without colours: give at least one, as (1, 0, 0) for red")

    def distance(step: Step) -> torch.Tensor:
        wanted = torch.tensor(colours, dtype=torch.float32).to(step.picture)[:, :, None, None]
        away = (step.picture - wanted).square().sum(1).flatten(1)  # (colours, pixels)
        nearest = away.topk(max(1, round(USED * away.shape[1])), largest=False).values
        return away.amin(0).mean() + nearest.mean()

    return distance


@term
def style(picture: torch.Tensor, features: Callable[[torch.Tensor], list[torch.Tensor]]) -> Term:
    """Mean difference of Gram matrices from those of a `picture` (1, 3, h, w) in [0, 1], as a share
    of these: which features come together, wherever they are (Gatys et al. 2016).

    features: a picture to several (1, c, h, w), as `VQGAN.features`; their means count too.
    """

    def grams(x: torch.Tensor) -> list[torch.Tensor]:
        flat = [f.flatten(2) for f in features(x)]
        flat = [torch.cat([f, torch.ones_like(f[:, :1])], 1) for f in flat]
        return [f @ f.transpose(1, 2) / f.shape[2] for f in flat]

    with torch.no_grad():
        wanted, white = grams(picture), grams(torch.ones_like(picture))
    # Grey has next to no features: a share of its alone would be all that counts.
    sizes = [
        float(b.square().mean().clamp(min=FAINT * w.square().mean()))
        for b, w in zip(wanted, white, strict=True)
    ]

    def distance(step: Step) -> torch.Tensor:
        found = zip(grams(step.picture), wanted, sizes, strict=True)
        return torch.stack([F.mse_loss(a, b.to(a)) / size for a, b, size in found]).mean()

    return distance


@term
def pull(start: torch.Tensor) -> Term:
    """Mean squared distance of the latent from a `start` (1, c, h, w)."""

    def distance(step: Step) -> torch.Tensor:
        if step.z.shape != start.shape:
            shapes = f"{tuple(start.shape)}, the latent is {tuple(step.z.shape)}"
            raise ValueError(f"pull: the start is {shapes}")
        return (step.z - start.to(step.z)).square().mean()

    return distance


@term
def edges(picture: torch.Tensor) -> Term:
    """Mean difference of edges from those of a `picture` (1, 3, H, W) in [0, 1]; what is flat may
    take any colour.

    Edges are what a picture has beside its local mean: over 5×5 and 9×9 pixels, and over 9×9 of
    the picture at half its size.
    """

    def high_pass(x: torch.Tensor, side: int) -> torch.Tensor:
        around = F.pad(x, (side // 2,) * 4, mode="replicate")
        return x - F.avg_pool2d(around, side, 1)

    def found(x: torch.Tensor) -> list[torch.Tensor]:
        half = F.avg_pool2d(x, 2, ceil_mode=True)
        return [high_pass(x, 5), high_pass(x, 9), high_pass(half, 9)]

    kept = found(picture.detach())

    def distance(step: Step) -> torch.Tensor:
        pairs = zip(found(step.picture), kept, strict=True)
        return torch.stack([F.l1_loss(a, b.to(a)) for a, b in pairs]).mean()

    return distance


@term
def areas(picture: torch.Tensor, *, block: int = 16) -> Term:
    """Mean difference of colours from those of a `picture` (1, 3, H, W) in [0, 1], both averaged
    over blocks of `block` pixels a side."""

    def averaged(x: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(x, min(block, *x.shape[2:]))

    kept = averaged(picture.detach())
    return lambda step: F.l1_loss(averaged(step.picture), kept.to(step.picture))
