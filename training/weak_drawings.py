"""Which drawings a style's prior had better not form, where another style does it better.

    python -m training.weak_drawings DATA

Two measures of each drawing that a prior of the package learned from captions: how unlikely the
prior finds its codes, nearly all of them hidden; and how much the guide finds it like its name. A
drawing is weak in a style if the prior does not know it there and knows it in another, or if it is
clearly less like its name than in another: the rucksack that one set shows from behind. The lists
are written into `prior.safetensors`; a prompt that names the style forms them all the same.
`weak_by_eye.txt` holds those that looked like something else on contact sheets: a cat like a dog.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file

from vqclip_nb.emoji.caption_words import article
from vqclip_nb.emoji.prior import caption_tokens
from vqclip_nb.emoji.wing import USUAL
from vqclip_nb.loading import load_pair
from vqclip_nb.models.pair import EMOJI, Pair
from vqclip_nb.weights import write_state

from .scenes import Scenes

UNKNOWN = 0.6  # nats per cell, from which on a prior does not know a drawing
HIDDEN = (0.97, 0.8)  # shares of the cells
LESS, MUCH_LESS = 0.08, 0.1  # similarity below that of the best style
BATCH = 32


@torch.no_grad()
def measure(pair: Pair, data: Path, style: str) -> dict[str, tuple[float, float, int]]:
    """For each label drawn in a style: nats per hidden cell, the guide's similarity to its name,
    and how many names the guide finds more like it."""
    scenes, prior = Scenes(data, styles=(style,)), pair.wing.priors[style]
    names = [scenes.labels[concept] for _, concept in scenes.pairs.tolist()]
    captions = [f"{article(name)}{' ' + pair.default_background}" for name in names]
    texts = F.normalize(pair.clip.encode_text(captions), dim=-1)
    generator, found = torch.Generator().manual_seed(0), {}
    for at in torch.arange(len(names)).split(BATCH):
        pictures = scenes.upright(scenes.pairs[at], torch.ones(len(at), 3)).contiguous()
        codes = pair.vqgan.codebook_indices(pair.vqgan.encode(pictures))
        caption = caption_tokens(pair.clip.model, [captions[i] for i in at])
        nats = torch.zeros(len(at))
        for share in HIDDEN:
            hidden = torch.rand(codes.shape, generator=generator) < share
            logits = prior.logits(torch.where(hidden, prior.codes, codes), caption)
            own = logits.log_softmax(-1).gather(2, codes.flatten(1)[..., None])[..., 0]
            hidden = hidden.flatten(1)
            nats -= (own * hidden).sum(1) / hidden.sum(1) / len(HIDDEN)
        side = pair.clip.resolution
        decoded = pair.vqgan.synthesize(pair.vqgan.codebook_vectors(codes), quantize=False)
        views = F.interpolate(decoded, (side, side), mode="bilinear", antialias=True)
        alike = F.normalize(pair.clip.encode_image(views), dim=-1) @ texts.T
        own = alike.gather(1, at[:, None])
        before = (alike > own).sum(1)
        for i, row in zip(at.tolist(), zip(nats, own[:, 0], before, strict=True), strict=True):
            found[names[i]] = (float(row[0]), float(row[1]), int(row[2]))
    return found


def weak(measures: dict[str, dict[str, tuple[float, float, int]]]) -> dict[str, list[str]]:
    """By style, the labels that are better formed in another."""
    found: dict[str, list[str]] = {style: [] for style in measures}
    for label in sorted({label for own in measures.values() for label in own}):
        own = {style: rows[label] for style, rows in measures.items() if label in rows}
        known = min(nats for nats, _, _ in own.values()) < UNKNOWN
        best = max(alike for _, alike, _ in own.values())
        for style, (nats, alike, before) in own.items():
            less = LESS if before else MUCH_LESS
            if (known and nats > UNKNOWN) or alike < best - less:
                found[style].append(label)
        if all(label in found[style] for style in own):  # unknown where it is most like its name
            found[min(own, key=lambda style: own[style][0])].remove(label)
    return found


def by_eye(lists: dict[str, list[str]]) -> dict[str, list[str]]:
    """The lists with those of `weak_by_eye.txt`."""
    lines = Path(__file__).with_name("weak_by_eye.txt").read_text(encoding="utf8").splitlines()
    seen = {style: rest.split(", ") for style, _, rest in (line.partition(": ") for line in lines)}
    return {style: sorted({*own, *seen.get(style, [])}) for style, own in lists.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    target = EMOJI / "prior.safetensors"
    pair = load_pair("emoji", device="cpu")
    styles = [*USUAL]  # another is drawn only where a prompt names it
    lists = weak({style: measure(pair, parser.parse_args().data, style) for style in styles})
    lists = by_eye(lists)
    print({style: len(labels) for style, labels in lists.items()})
    with safe_open(target, "pt") as file:
        facts = {k: v for k, v in (file.metadata() or {}).items() if k != "weak"}
    print(write_state(target, load_file(target), facts | {"weak": json.dumps(lists)}))
