"""Objectives: loss terms that are added and scaled like numbers; their sum is minimised.

    objective = prompt("a fox") - 0.5 * prompt("snow") + 0.1 * smoothness()

A term is any function of a `Step` that returns a scalar. CLIP encodes the crops a lot at a time
(`loop.Optimization`); a term is called once for each lot and the results are averaged.
"""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F

from .loop import Step

Term = Callable[[Step], torch.Tensor]
MIN_SHARE = 0.05  # of the pixels, for every colour of a palette
MIN_GRAM = 0.05  # smallest scale of the style term, relative to white's Gram matrix


class Objective:
    """A weighted sum of terms; sums and multiples of objectives are objectives."""

    def __init__(self, *terms: tuple[float, Term]) -> None:
        self.terms = terms

    def __call__(self, step: Step) -> torch.Tensor:
        return functools.reduce(
            torch.add, (t(step) if w == 1 else w * t(step) for w, t in self.terms)
        )

    def __add__(self, other: Objective | Term) -> Objective:
        return Objective(*self.terms, *as_objective(other).terms)

    def __radd__(self, other: Any) -> Objective:
        return self if other == 0 else as_objective(other) + self  # `sum` starts with 0

    def __mul__(self, factor: float) -> Objective:
        if not isinstance(factor, numbers.Real) or not math.isfinite(factor):
            raise TypeError(f"an objective times {factor!r}: give a number")
        return Objective(*((float(factor) * w, t) for w, t in self.terms))

    def __truediv__(self, divisor: float) -> Objective:
        return self * (1 / divisor)

    def __neg__(self) -> Objective:
        return self * -1

    def __sub__(self, other: Objective | Term) -> Objective:
        return self + -as_objective(other)

    __rmul__ = __mul__

    def bind(self, encode: Callable[[str], torch.Tensor]) -> Objective:
        """The same objective with every prompt encoded: `encode` maps a text to (1, d)."""
        return Objective(
            *((w, t.bind(encode) if isinstance(t, Prompt | OnCrops) else t) for w, t in self.terms)
        )


def as_objective(of: Objective | Term) -> Objective:
    """An objective, also from a plain function of a `Step`; TypeError for anything else."""
    if isinstance(of, Objective):
        return of
    if not callable(of):
        raise TypeError(f"{of!r} is no objective: give a function of a Step that returns a scalar")
    return Objective((1.0, of))


def term(make: Callable[..., Term]) -> Callable[..., Objective]:
    """Decorator: wraps the term that `make` returns in an `Objective`."""

    @functools.wraps(make)
    def made(*args: Any, **options: Any) -> Objective:
        return Objective((1.0, make(*args, **options)))

    return made


# -- terms of CLIP's encodings


def cosine(wanted: torch.Tensor, encodings: torch.Tensor) -> torch.Tensor:
    """Mean cosine of an encoding (1, d) with those of crops (n, d)."""
    if wanted.shape[-1] != encodings.shape[-1]:
        raise ValueError(
            f"the objective's encoding has {wanted.shape[-1]} numbers, those of the crops have "
            f"{encodings.shape[-1]}: encode both with the same CLIP"
        )
    return torch.cosine_similarity(wanted, encodings, -1).mean()


def apart(wanted: torch.Tensor, encodings: torch.Tensor, distance: str) -> torch.Tensor:
    """Mean distance, as `Prompt` has it, of an encoding (1, d) from those of crops (n, d)."""
    if distance == "cosine":
        return -cosine(wanted, encodings)
    chord = F.normalize(encodings, dim=-1) - F.normalize(wanted, dim=-1)
    return (2 * (chord.norm(dim=-1) / 2).clamp(max=1 - 1e-6).arcsin().square()).mean()


@dataclass(frozen=True)
class Prompt:
    """Mean distance of the crops from a prompt, as in `include`, or from an encoding (1, d).

    distance: "cosine" is minus the similarity, in [-1, 1]; "spherical" is half the squared angle,
    whose gradient grows with the distance.
    """

    wanted: str | torch.Tensor
    distance: str = "cosine"

    def __post_init__(self) -> None:
        if self.distance not in ("cosine", "spherical"):
            raise ValueError(f"distance={self.distance!r}: choose cosine or spherical")

    def bind(self, encode: Callable[[str], torch.Tensor]) -> Prompt:
        return Prompt(encode(self.wanted), self.distance) if isinstance(self.wanted, str) else self

    def __call__(self, step: Step) -> torch.Tensor:
        if isinstance(self.wanted, str):
            raise ValueError(f"prompt({self.wanted!r}) is not encoded: call objective.bind(encode)")
        return apart(self.wanted, step.encodings, self.distance)


@dataclass(frozen=True)
class OnCrops:
    """An objective that is given only the crops whose indices are in `indices`."""

    indices: range
    objective: Objective

    def bind(self, encode: Callable[[str], torch.Tensor]) -> OnCrops:
        return OnCrops(self.indices, self.objective.bind(encode))

    def __call__(self, step: Step) -> torch.Tensor:
        found = [i for i in range(len(step.crops)) if step.first + i in self.indices]
        if not found:
            return step.encodings.sum() * 0
        here = slice(found[0], found[-1] + 1, abs(self.indices.step))
        own = replace(step, crops=step.crops[here], encodings=step.encodings[here], first=0)
        # Batches are weighted by their share of all crops; here it must be that of `indices`.
        return self.objective(own) * (len(found) / len(self.indices) / step.share)


prompt, on_crops = term(Prompt), term(OnCrops)


def report(
    include: torch.Tensor,
    extras: torch.Tensor | None = None,
    exclude: torch.Tensor | None = None,
    *,
    w1: float = 1.0,
    w2: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
    distance: str = "cosine",
) -> Objective:
    """The report's loss (figure 14) from encodings (1, d), averaged over the crops.

    -alpha · cos(w1·include + w2·extras, crop) + beta · cos(exclude, crop). extras and exclude are
    optional. The report's code has w1 for extras too; its text means w2. distance: in place of
    minus the cosine, as in `Prompt`.
    """
    wanted = w1 * include if extras is None else w1 * include + w2 * extras
    loss = alpha * prompt(wanted, distance)
    return loss if exclude is None else loss - beta * prompt(exclude, distance)


# -- terms of the picture or the latent


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
    """Mean squared distance of each pixel from the nearest of `colours`, RGB in [0, 1], plus that
    of each colour from the nearest `MIN_SHARE` of the pixels, so that every colour is used."""
    if not colours:
        raise ValueError("palette() without colours: give at least one, as (1, 0, 0) for red")

    wanted = torch.tensor(colours, dtype=torch.float32)[:, :, None, None]

    def distance(step: Step) -> torch.Tensor:
        nonlocal wanted
        wanted = wanted.to(step.picture)  # sent once
        away = (step.picture - wanted).square().sum(1).flatten(1)  # (colours, pixels)
        nearest = away.topk(max(1, round(MIN_SHARE * away.shape[1])), largest=False).values
        return away.amin(0).mean() + nearest.mean()

    return distance


@term
def style(picture: torch.Tensor, features: Callable[[torch.Tensor], list[torch.Tensor]]) -> Term:
    """Mean squared difference of Gram matrices from those of a `picture` (1, 3, h, w) in [0, 1],
    relative to these (Gatys et al. 2016).

    features: maps a picture to feature maps (1, c, h, w), as `VQGAN.features` does. A constant
    channel is added, so that the features' means count too.
    """

    def grams(x: torch.Tensor) -> list[torch.Tensor]:
        flat = [f.flatten(2) for f in features(x)]
        flat = [torch.cat([f, torch.ones_like(f[:, :1])], 1) for f in flat]
        return [f @ f.transpose(1, 2) / f.shape[2] for f in flat]

    with torch.no_grad():
        wanted, white = grams(picture), grams(torch.ones_like(picture))
    # A plain grey picture has tiny Gram matrices, which would make the term huge.
    sizes = [
        float(b.square().mean().clamp(min=MIN_GRAM * w.square().mean()))
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
    """Mean difference of edges from those of a `picture` (1, 3, H, W) in [0, 1]; flat areas may
    take any colour.

    Edges are the picture minus its local mean over 5×5 and 9×9 pixels, and over 9×9 pixels at half
    its size.
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
