"""Cheap paintings of single things by the pair that ships, several at once: what the classifier
learns to tell from drawings.

python -m training.paintings DATA FILE --count 300     # 8 minutes on one core
"""

from __future__ import annotations

import argparse
import logging
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from vqclip_nb.crops import create_crops
from vqclip_nb.emoji.caption_words import COLOURS
from vqclip_nb.files import write_atomically
from vqclip_nb.latents import noise
from vqclip_nb.loading import load_pair
from vqclip_nb.models.pair import Pair

from .captions import CaptionSpec
from .scenes import Scenes
from .sets import STYLES, TRAINED
from .trainer import autocast

log = logging.getLogger(__name__)
KEPT = (16, 26, 40)  # steps after which a painting is kept


def paint(pair: Pair, captions: list[str], generator: torch.Generator) -> torch.Tensor:
    """The loop's pictures (len(KEPT) · n, 3, h, w) uint8, after each of `KEPT` steps; six crops in
    each step, the other settings as they are by default."""
    n, side = len(captions), pair.size // pair.vqgan.downsample_factor
    wanted = F.normalize(pair.clip.encode_text(captions), dim=-1).repeat_interleave(6, 0)
    start = noise((n, pair.vqgan.latent_channels, side, side), generator=generator)
    z = torch.nn.Parameter(start.to(pair.device))
    optimizer = torch.optim.AdamW([z], lr=0.2, weight_decay=0.1)
    pictures = []
    for step in range(1, KEPT[-1] + 1):
        with autocast(pair.device):
            x = pair.vqgan.synthesize(z).float()
            shake = partial(create_crops, method="anchored", generator=generator)
            crops = torch.cat([shake(p[None], 6, pair.clip.resolution) for p in x])
            crops = crops.contiguous(memory_format=torch.channels_last)
            seen = F.normalize(pair.clip.encode_crops(crops, generator).float(), dim=-1)
        optimizer.zero_grad()
        (-(seen * wanted).sum() / 6).backward()
        optimizer.step()
        if step in KEPT:
            pictures.append((x.detach() * 255).round().byte().cpu())
    return torch.cat(pictures)


def paint_many(data: Path, target: Path, *, count: int = 300, batch: int = 12) -> None:
    """Write pictures (n, 3, 128, 128) uint8 of `count` paintings to `target`, as `torch.save` does.

    Two fifths name a style, two fifths a background other than white.
    """
    pair = load_pair("emoji", device="cpu")
    pair.vqgan.to(memory_format=torch.channels_last)
    names = Scenes(data, size=64).names
    rng, generator = np.random.default_rng(5), torch.Generator().manual_seed(5)
    order, pictures = rng.permutation(len(names)), []
    for start in range(0, count, batch):
        captions = []
        for i in range(start, min(start + batch, count)):
            spec = CaptionSpec(names[order[i % len(names)]], colour="white")
            if rng.random() < 0.4:
                spec.style = str(rng.choice(STYLES[str(rng.choice(TRAINED))].words))
            if rng.random() < 0.4:
                spec.colour = str(rng.choice(list(COLOURS)))
            captions.append(spec.caption())
        pictures.append(paint(pair, captions, generator))
        log.info("%d of %d painted", start + len(captions), count)
    write_atomically(target, partial(torch.save, {"pictures": torch.cat(pictures)}))


def main(argv: list[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--count", type=int, default=300)
    args = parser.parse_args(argv)
    paint_many(args.data, args.target, count=args.count)


if __name__ == "__main__":
    main()
