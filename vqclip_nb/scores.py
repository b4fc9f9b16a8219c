"""What a picture is worth: similarity, rank among distractors, diversity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from .pairs import EMOJI, Guide

# Whole picture, then its quarters' neighbourhoods: (centre x, centre y, size) in [-1, 1].
VIEWS = ((0, 0, 1), (-0.3, -0.3, 0.7), (0.3, -0.3, 0.7), (-0.3, 0.3, 0.7), (0.3, 0.3, 0.7))


def concepts() -> list[str]:
    """The things that the emoji pair was shown, each once, as in "an apple": distractors for
    `rank`."""
    return (EMOJI / "concepts.txt").read_text(encoding="utf8").splitlines()


@torch.no_grad()
def picture_encoding(guide: Guide, image: Image.Image) -> torch.Tensor:
    """Unit vector (1, d): mean of CLIP's encodings of five fixed views, so that a score has no luck
    in it."""
    x = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 255
    theta = torch.tensor([[[s, 0, cx], [0, s, cy]] for cx, cy, s in VIEWS], dtype=torch.float32)
    side = guide.resolution
    whole = F.interpolate(x, (2 * side, 2 * side), mode="bilinear", antialias=True)
    grid = F.affine_grid(theta, [len(VIEWS), 3, 2 * side, 2 * side], align_corners=False)
    views = F.grid_sample(whole.expand(len(VIEWS), -1, -1, -1), grid, align_corners=False)
    encoding = F.normalize(guide.encode_image(F.avg_pool2d(views, 2).to(guide.device)), dim=-1)
    return F.normalize(encoding.mean(0, keepdim=True), dim=-1)


def similarity(guide: Guide, image: Image.Image, text: str) -> float:
    """Cosine of picture and text under a guide (CLIPScore of Hessel et al. 2021, without its
    factor 2.5)."""
    return torch.cosine_similarity(picture_encoding(guide, image), guide.encode_text([text])).item()


def rank(guide: Guide, image: Image.Image, text: str, distractors: Sequence[str]) -> int:
    """Place of `text` among `distractors` by similarity to the picture; 1 is first.

    R-precision (Xu et al. 2018, AttnGAN) is the share of pictures whose rank is 1.
    """
    others = [d for d in distractors if d != text]
    scores = (
        picture_encoding(guide, image) @ F.normalize(guide.encode_text([text, *others]), dim=-1).T
    )
    return 1 + int((scores[0, 1:] > scores[0, 0]).sum())


def diversity(guide: Guide, images: Sequence[Image.Image]) -> float:
    """Mean pairwise distance (1 - cosine) between pictures; 0 if they are all alike."""
    if len(images) < 2:
        raise ValueError(f"diversity compares pictures: give at least two, not {len(images)}")
    encodings = torch.cat([picture_encoding(guide, i) for i in images])
    n = len(images)
    return 1 - ((encodings @ encodings.T).sum().item() - n) / (n * (n - 1))
