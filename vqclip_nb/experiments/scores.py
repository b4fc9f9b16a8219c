"""What a picture is worth: similarity, rank among distractors, diversity; and how sure a score is:
means with 95 % intervals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from ..images import to_tensor
from ..models.clip import Clip
from ..models.pair import EMOJI
from ..prompts import encode_prompt
from ..reading import read_prompt

if TYPE_CHECKING:
    import pandas

# Whole picture, then its quarters' neighbourhoods: (centre x, centre y, size) in [-1, 1].
VIEWS = ((0, 0, 1), (-0.3, -0.3, 0.7), (0.3, -0.3, 0.7), (-0.3, 0.3, 0.7), (0.3, 0.3, 0.7))


def concepts() -> list[str]:
    """The things that the emoji pair was shown, each once, as in "an apple": distractors for
    `rank`."""
    return (EMOJI / "concepts.txt").read_text(encoding="utf8").splitlines()


@torch.no_grad()
def picture_encoding(clip: Clip, image: Image.Image) -> torch.Tensor:
    """Unit vector (1, d): mean of CLIP's encodings of five fixed views, so that a score has no luck
    in it."""
    x = to_tensor(image)
    theta = torch.tensor([[[s, 0, cx], [0, s, cy]] for cx, cy, s in VIEWS], dtype=torch.float32)
    side = clip.resolution
    whole = F.interpolate(x, (2 * side, 2 * side), mode="bilinear", antialias=True)
    grid = F.affine_grid(theta, [len(VIEWS), 3, 2 * side, 2 * side], align_corners=False)
    views = F.grid_sample(whole.expand(len(VIEWS), -1, -1, -1), grid, align_corners=False)
    encoding = F.normalize(clip.encode_image(F.avg_pool2d(views, 2).to(clip.device)), dim=-1)
    return F.normalize(encoding.mean(0, keepdim=True), dim=-1)


def similarity(clip: Clip, image: Image.Image, text: str) -> float:
    """Cosine in [-1, 1] of picture and prompt under a guide: CLIPScore (Hessel et al. 2021)
    without its factor 2.5 and its floor at 0.

    The guide that painted the picture flatters it; a judge that never saw it (`load_judge`) does
    not. Only values under the same guide compare. ValueError where they are no numbers.
    """
    cosine = torch.cosine_similarity(picture_encoding(clip, image), encode_prompt(clip, text))
    return _finite(cosine, clip, text).item()


def rank(clip: Clip, image: Image.Image, text: str, distractors: Sequence[str]) -> int:
    """Place of `text` among `distractors` by similarity to the picture; 1 is first.

    A distractor that is part of the text, as "a pineapple" is of "a pineapple in a bowl", is true
    of the picture too and does not count. ValueError where similarities are no numbers.
    """
    texts, parts = tuple(distractors), read_prompt(text, clip.vocabulary).parts
    said = " | ".join(part.clip_text for part in parts)
    if not texts:
        return 1
    counts = torch.tensor([not re.search(rf"\b{re.escape(d)}\b", said, re.I) for d in texts])
    scores = _finite(_encoded(clip, texts) @ picture_encoding(clip, image)[0], clip, "distractors")
    return 1 + int((scores.cpu()[counts] > similarity(clip, image, text)).sum())


def _finite(scores: torch.Tensor, clip: Clip, what: str) -> torch.Tensor:
    """`scores`, if they are numbers: nothing compares with NaN, which would come out first."""
    if not scores.isfinite().all():
        raise ValueError(f"{clip.name} gives no number for this picture and {what!r}")
    return scores


@lru_cache(maxsize=2)  # a thousand texts take longer than a picture
def _encoded(clip: Clip, texts: tuple[str, ...]) -> torch.Tensor:
    """Unit vectors (n, d)."""
    chunks = [clip.encode_text(list(texts[i : i + 256])) for i in range(0, len(texts), 256)]
    return F.normalize(torch.cat(chunks), dim=-1)


def r_precision(ranks: Iterable[float]) -> float:
    """Share of ranks that are 1, in [0, 1]: how often the true text comes first.

    R-precision as in AttnGAN (Xu et al. 2018), with a fixed list of distractors in place of 99
    drawn at random. Missing ranks (NaN) are left out; NaN if there are none.
    """
    ranks = present(ranks)
    return float((ranks == 1).mean()) if len(ranks) else float("nan")


def diversity(clip: Clip, images: Sequence[Image.Image]) -> float:
    """Mean pairwise distance (1 - cosine), in [0, 2], between pictures; 0 if they are all alike.

    After the mean pairwise LPIPS by which Zhu et al. 2017 (BicycleGAN) compare the answers to one
    question, with CLIP's encodings. Between seeds: does a prompt always give the same picture?
    """
    if len(images) < 2:
        raise ValueError(f"diversity compares pictures: give at least two, not {len(images)}")
    encodings = torch.cat([picture_encoding(clip, i) for i in images])
    n = len(images)
    return 1 - ((encodings @ encodings.T).sum().item() - n) / (n * (n - 1))


# -- over seeds


def mean_interval(values: Iterable[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % interval (Student 1908: t · s / √n).

    Missing values (NaN) are left out. Fewer than three values have no interval (NaN): that of two
    is thirteen times as wide as their spread. None have no mean either.
    """
    from scipy.stats import t

    x = present(values)
    mean = float(x.mean()) if len(x) else float("nan")
    if len(x) < 3:
        return mean, float("nan")
    return mean, float(t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / len(x) ** 0.5)


def present(values: Iterable[float]) -> np.ndarray:
    x = np.asarray(list(values), float)
    return x[~np.isnan(x)]


def over_seeds(frame: pandas.DataFrame, by: list[str], score: str) -> pandas.DataFrame:
    """Columns mean and interval of a score in a frame of `grid`, a row for each value of `by`.

    Prompts are averaged within a seed first, so that n is the number of seeds: the interval says
    what another seed may change, not another prompt.
    """
    seeds = frame.groupby([*by, "seed"], sort=False)[score].mean()
    groups = seeds.groupby(level=by, sort=False)
    return groups.agg(mean=lambda v: mean_interval(v)[0], interval=lambda v: mean_interval(v)[1])


def plus_minus(mean: float, interval: float, digits: int = 3) -> str:
    """As in "0.512 ± 0.034"; the mean alone where there is no interval."""
    return f"{mean:.{digits}f}" + ("" if np.isnan(interval) else f" ± {interval:.{digits}f}")
