"""What settings want of a picture: the report's loss, regions, and what is kept of the start."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from . import objectives
from .images import load_image
from .models.vqgan import VQGAN
from .objectives import Objective
from .palettes import parse_colour
from .prompts import Encodings
from .settings import Settings


def numbers_of_views(count: int, regions: int) -> list[range]:
    """The numbers of a step's views: `count` of the whole picture, half as many of each region."""
    each = -(-count // 2)
    parts = [range(count + i * each, count + (i + 1) * each) for i in range(regions)]
    return [range(count), *parts]


def make_objective(
    settings: Settings,
    encodings: Encodings,
    index: int,
    start: Callable[[], torch.Tensor | None],
    vqgan: VQGAN,
) -> Objective:
    """What is minimised for picture `index` of include. start: makes the picture (1, 3, h, w) that
    is begun with, where there is one. vqgan: whose features tell a style picture's style."""
    s, enc = settings, encodings

    def asked(encoding: torch.Tensor) -> Objective:
        weights = dict(w1=s.w1, w2=s.w2, alpha=s.alpha, beta=s.beta)
        return objectives.report(encoding, enc.extras, enc.exclude, **weights)

    wanted = asked(enc.include[index])
    if s.regions:
        whole, *parts = numbers_of_views(s.crops, len(s.regions))
        wanted = objectives.on_crops(whole, wanted)
        for numbers, encoding in zip(parts, enc.regions[index], strict=True):
            wanted = wanted + s.region_weight * objectives.on_crops(numbers, asked(encoding))
    if s.palette and s.palette_weight:
        wanted = wanted + s.palette_weight * objectives.palette(*map(parse_colour, s.palette))
    styled = bool(s.style_image and s.style_image_weight)
    if styled:
        picture = load_image(s.style_image).to(vqgan.codebook.weight)
        wanted = wanted + s.style_image_weight * objectives.style(picture, vqgan.features)
    # A style picture brings colours of its own.
    kept = {objectives.edges: s.keep_edges, objectives.areas: 0.0 if styled else s.keep_colours}
    begun = start() if any(kept.values()) else None
    for term, weight in kept.items():
        if begun is not None and weight:
            wanted = wanted + weight * term(begun)
    return wanted


def similarity(
    settings: Settings, encodings: Encodings, index: int, views: torch.Tensor
) -> torch.Tensor:
    """Mean cosine in [-1, 1], a scalar, of the encodings (n, d) of a step's views with what is
    asked of each: include or their region's prompt, and extras."""
    s, enc = settings, encodings

    def cosine(asked: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        wanted = s.w1 * asked if enc.extras is None else s.w1 * asked + s.w2 * enc.extras
        return objectives.cosine(wanted, seen)

    include, *parts = enc.include[index], *(enc.regions[index] if s.regions else ())
    if not parts:
        return cosine(include, views)
    lots: Sequence[range] = numbers_of_views(s.crops, len(parts))
    found = [
        cosine(asked, views[own.start : own.stop])
        for asked, own in zip([include, *parts], lots, strict=True)
    ]
    return torch.stack(found).mean()
