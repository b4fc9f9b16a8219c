"""What is wanted of a picture: terms that add and scale like numbers, and are minimised.

    objective = prompt("a fox") - 0.5 * prompt("snow") + 0.1 * smoothness()

A term is any function of a `Step` that returns a scalar; those of the picture itself are in
`terms`, and found here too. CLIP may see the crops a few at a time
(`loop.CLIP_BATCH`); a term is then asked once for each lot and the answers are averaged.
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

Term = Callable[["Step"], torch.Tensor]


@dataclass(frozen=True)
class Step:
    """What a step of the loop has made, for terms to judge.

    z: the latent (1, c, h, w). codes: what the decoder was fed, of the same shape. picture: (1, 3,
    H, W) in [0, 1]. crops: (n, 3, s, s). encodings: CLIP's, of the crops, (n, d). first, share:
    where these crops are a lot of the step's, the number of their first, and their part of all.
    """

    z: torch.Tensor
    codes: torch.Tensor
    picture: torch.Tensor
    crops: torch.Tensor
    encodings: torch.Tensor
    first: int = 0
    share: float = 1.0


class Objective:
    """A weighted sum of terms; the sum and the multiple of objectives are objectives."""

    def __init__(self, *terms: tuple[float, Term]) -> None:
        self.terms = terms

    def __call__(self, step: Step) -> torch.Tensor:
        return functools.reduce(
            torch.add, (t(step) if w == 1 else w * t(step) for w, t in self.terms)
        )

    def __add__(self, other: Objective | Term) -> Objective:
        return Objective(*self.terms, *as_objective(other).terms)

    def __radd__(self, other: Any) -> Objective:
        return self if other == 0 else as_objective(other) + self  # 0: where `sum` begins

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
        """The same with every text encoded: `encode` maps a prompt to (1, d)."""
        return Objective(
            *((w, t.bind(encode) if isinstance(t, Prompt | Among) else t) for w, t in self.terms)
        )


def as_objective(of: Objective | Term) -> Objective:
    """A plain function of a `Step` as an objective; TypeError for what is no function."""
    if isinstance(of, Objective):
        return of
    if not callable(of):
        raise TypeError(f"{of!r} is no objective: give a function of a Step that returns a scalar")
    return Objective((1.0, of))


def term(make: Callable[..., Term]) -> Callable[..., Objective]:
    """Decorator: what `make` returns becomes an objective of that one term."""

    @functools.wraps(make)
    def made(*args: Any, **options: Any) -> Objective:
        return Objective((1.0, make(*args, **options)))

    return made


# -- what CLIP sees


@term
def report(
    include: torch.Tensor,
    extras: torch.Tensor | None = None,
    exclude: torch.Tensor | None = None,
    *,
    w1: float = 1.0,
    w2: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
) -> Term:
    """The report's loss (figure 14) from encodings (1, d), averaged over the crops.

    -alpha · cos(w1·include + w2·extras, crop) + beta · cos(exclude, crop). Without extras or
    exclude their terms drop out. The report prints w1 for extras too; w2 is what its text means.
    """
    wanted = w1 * include if extras is None else w1 * include + w2 * extras

    def loss(step: Step) -> torch.Tensor:
        loss = -alpha * cosine(wanted, step.encodings)
        return loss if exclude is None else loss + beta * cosine(exclude, step.encodings)

    return loss


def cosine(wanted: torch.Tensor, encodings: torch.Tensor) -> torch.Tensor:
    """Mean cosine of an encoding (1, d) with those of crops (n, d)."""
    if wanted.shape[-1] != encodings.shape[-1]:
        raise ValueError(
            f"the objective's encoding has {wanted.shape[-1]} numbers, those of the crops have "
            f"{encodings.shape[-1]}: encode both with the same CLIP"
        )
    return torch.cosine_similarity(wanted, encodings, -1).mean()


@dataclass(frozen=True)
class Prompt:
    """Distance of the crops from a prompt (text, picture file, weights as in `include`), or from
    its encoding (1, d).

    cosine: minus the similarity, in [-1, 1]. spherical: half the squared angle, which pulls harder
    the further away.
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
        if self.distance == "cosine":
            return -cosine(self.wanted, step.encodings)
        chord = F.normalize(step.encodings, dim=-1) - F.normalize(self.wanted, dim=-1)
        return (2 * (chord.norm(dim=-1) / 2).clamp(max=1 - 1e-6).arcsin().square()).mean()


@dataclass(frozen=True)
class Among:
    """An objective that is shown some of a step's crops alone, by their numbers."""

    numbers: range
    objective: Objective

    def bind(self, encode: Callable[[str], torch.Tensor]) -> Among:
        return Among(self.numbers, self.objective.bind(encode))

    def __call__(self, step: Step) -> torch.Tensor:
        here = [i for i in range(len(step.crops)) if step.first + i in self.numbers]
        if not here:
            return step.encodings.sum() * 0
        own = replace(step, crops=step.crops[here], encodings=step.encodings[here], first=0)
        # Lots are averaged by their share of all crops; what counts here is that of these.
        return self.objective(own) * (len(here) / len(self.numbers) / step.share)


prompt, among = term(Prompt), term(Among)


def __getattr__(name: str) -> Any:
    from . import terms

    return getattr(terms, name)
