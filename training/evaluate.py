"""Figures of networks in training, on pictures that no step of theirs sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vqclip_nb.emoji.caption_words import article

from .networks import image_features, text_features
from .scenes import Scenes
from .sets import HELD_OUT

TEMPLATES = ("{}", "{} on a white background", "an emoji of {} on a white background")


@torch.no_grad()
def zero_shot_ranking(
    model: nn.Module, data: Path, *, style: str = HELD_OUT
) -> tuple[torch.Tensor, list[str], list[list[str]]]:
    """`style`'s pictures on white (n, 3, 64, 64), their names, and for each the names that the CLIP
    would give it, likeliest first."""
    scenes = Scenes(data, size=64, styles=(style,))
    pictures = scenes.upright(scenes.pairs)
    truth = [scenes.names[i] for i in scenes.name_of[scenes.pairs[:, 1]].tolist()]
    names = sorted(set(truth))
    texts = sum(
        text_features(model, [t.format(article(name)) for name in names]) for t in TEMPLATES
    )
    images = image_features(model, pictures.to(texts.device))
    order = (images @ F.normalize(texts, dim=-1).T).argsort(descending=True)
    return pictures, truth, [[names[i] for i in row] for row in order.tolist()]


def zero_shot_accuracy(model: nn.Module, data: Path, *, style: str = HELD_OUT) -> dict[str, float]:
    """Share of `style`'s pictures on white whose concept the CLIP names first, and among five."""
    _, truth, order = zero_shot_ranking(model, data, style=style)
    place = [names.index(name) for name, names in zip(truth, order, strict=True)]
    return {
        "top1": sum(p == 0 for p in place) / len(place),
        "top5": sum(p < 5 for p in place) / len(place),
    }


@torch.no_grad()
def reconstruction(
    rebuild: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    scenes: Scenes,
    *,
    codes: int,
    count: int = 100,
) -> dict[str, float]:
    """PSNR (dB, on [0, 1]) and share of `codes` in use over `count` scenes that no step sees.

    `rebuild` maps pictures in [0, 1] to what comes back and to the codes in between.
    """
    rng, squares, used = np.random.default_rng(10**9), [], set()
    for start in range(0, count, 20):
        x = scenes.batch(min(20, count - start), rng).pictures
        y, indices = rebuild(x)
        squares += (y.cpu() - x).square().flatten(1).mean(1).tolist()
        used |= set(indices.flatten().tolist())
    psnr = float(np.mean(-10 * np.log10(np.array(squares) + 1e-10)))
    return {"psnr": psnr, "codes": len(used) / codes}
