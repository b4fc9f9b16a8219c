"""Train a CLIP on composed emoji: the guide that ships, or the judge, which is shaped otherwise.

    python -m training.train_clip DATA OUT --steps 16500 --adv-eps 2.5 --generated 16
    python -m training.train_clip DATA OUT --name judge --steps 15000

DATA is what `training.data` wrote. OUT gets NAME.ckpt, from which the same command goes on,
NAME.jsonl, a line per measurement, and NAME.safetensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from vqclip_nb.loading import load_pair, open_pair
from vqclip_nb.models.clip import clip_state
from vqclip_nb.models.pair import EMOJI

from .augmentations import pgd_step, soft_crops
from .evaluate import zero_shot_accuracy
from .negatives import GeneratedNegatives
from .networks import (
    SHAPES,
    clip_tensors,
    forget_other_tokens,
    image_features,
    new_clip,
    text_features,
)
from .options import Options, option, parse
from .scenes import Scenes
from .trainer import Trainer, autocast, run


@dataclass(kw_only=True)
class ClipOptions(Options):
    """Of `train_clip`."""

    name: str = option("clip", f"which shape: {' or '.join(SHAPES)}")
    adv_eps: float = option(2.5, "greatest L2 length of the attack, pictures in [0, 1]; 0: none")
    generated: int = option(0, "paintings of its own in each batch, as negatives")
    vqgan: Path | None = option(None, "the VQGAN that paints them; left out: the pair's")
    start: Path | None = option(None, "finished weights to begin from")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name not in SHAPES:
            raise ValueError(f"name={self.name!r}: choose one of {', '.join(SHAPES)}")
        if self.generated >= self.batch:
            raise ValueError(f"generated={self.generated}: give fewer than batch={self.batch}")


def clip_losses(
    model: nn.Module,
    texts: torch.Tensor,
    scale: torch.Tensor,
    concept: torch.Tensor,
    pictures: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Total loss, contrastive loss, and share of pictures whose own caption is nearest.

    Besides the contrastive loss, each picture must find its concept among all of them, which
    teaches shapes sooner than the few captions of a batch can. Texts beyond the number of concepts
    are foils, captions of no picture, as in NegCLIP (Yuksekgonul et al. 2023): what other pictures'
    captions seldom tell apart, such as styles, they do. Pictures beyond it are paintings of the
    last captions (`GeneratedNegatives`): no caption may like them better than its own picture.
    """
    with autocast(pictures.device):
        images = image_features(model, pictures)
    n, painted = len(concept), len(pictures) - len(concept)
    logits, truth = scale * images @ texts.T, torch.arange(n, device=images.device)
    pair = (F.cross_entropy(logits[:n], truth) + F.cross_entropy(logits[:, :n].T, truth)) / 2
    named = F.cross_entropy(20 * images[:n] @ F.normalize(model.proxies, dim=-1).T, concept)
    if painted:
        last = slice(n - painted, n)
        pair = pair + F.softplus((logits[n:, last] - logits[last, last]).diagonal()).mean()
    return pair + 0.5 * named, pair, (logits[:n].argmax(1) == truth).float().mean()


def painter(options: ClipOptions) -> tuple[nn.Module, float]:
    """The VQGAN that paints the negatives, and the guide's dropout while it does."""
    pair = load_pair("emoji", device=options.device)
    if options.vqgan is None:
        return pair.vqgan, pair.clip.dropout
    own = open_pair(clip=EMOJI / "clip.safetensors", vqgan=options.vqgan, device=options.device)
    return own.vqgan, pair.clip.dropout


def untrained(options: ClipOptions, scenes: Scenes) -> nn.Module:
    """A CLIP to begin with; `proxies` are the vectors that stand for the names in training."""
    torch.manual_seed(options.seed + list(SHAPES).index(options.name))
    model = new_clip(options.name)
    forget_other_tokens(model, scenes)
    with torch.no_grad():
        model.logit_scale.fill_(np.log(20))
    if options.start:
        model.load_state_dict(clip_state(load_file(options.start)))
    width = SHAPES[options.name]["embed_dim"]
    model.proxies = nn.Parameter(torch.randn(len(scenes.names), width) * 0.05)
    return model.to(options.device, memory_format=torch.channels_last)


def train_clip(options: ClipOptions) -> Iterator[Trainer]:
    """Contrastive training in turns: a batch, then the same batch moved up its loss.

    Yields after each measurement. The move is an L2 attack whose direction the first turn's own
    backward pass gives (Shafahi et al. 2019); its length grows over the first fifth. It is what
    makes a guide's gradients paint.
    """
    scenes = Scenes(options.data, size=64)
    model, negatives, parts = untrained(options, scenes), None, {}
    if options.generated:
        vqgan, dropout = painter(options)
        large = Scenes(options.data)
        negatives = GeneratedNegatives(large, vqgan, 3 * options.generated, dropout=dropout)
        parts["negatives"] = negatives
    trainer = Trainer(options.name, model, options, weight_decay=0.05, parts=parts)
    rng, generator = trainer.rng, trainer.generator
    sample = scenes.batch(min(500, len(scenes.pairs)), np.random.default_rng(options.seed)).captions
    turns = 2 if options.adv_eps else 1
    warm = 0 if options.start else 0.1 * options.steps
    while not trainer.done:
        model.train()
        batch, figures = scenes.batch(options.batch - options.generated, rng), {}
        captions, concept, pictures = batch.captions, batch.concept, batch.pictures
        if negatives is not None:
            model.eval()
            with torch.no_grad():
                mean = text_features(model, sample).mean(0)
            painted = negatives.step(model, mean, options.generated, rng, generator)
            model.train()
            figures["painted"] = painted.similarity
            captions, concept = captions + painted.captions, torch.cat([concept, painted.concept])
            pictures = torch.cat([pictures, painted.scenes, painted.pictures.cpu()])
        clean, concept = soft_crops(pictures, generator), concept.to(options.device)
        length = options.adv_eps * min(1.0, max(0.0, (trainer.step - warm) / (0.1 * options.steps)))
        length *= rng.uniform(0.4, 1.0)  # weak and strong attacks
        move = torch.randn(clean.shape, generator=generator)
        move = pgd_step(torch.zeros_like(clean), move, 0.5 * length).to(options.device)
        clean = clean.to(options.device)
        for _ in range(turns):
            x = (clean + move).clamp(0, 1).requires_grad_()
            with autocast(options.device):
                texts = text_features(model, captions + batch.foils)
            scale = model.logit_scale.exp().clamp(max=60)
            loss, pair, right = clip_losses(model, texts, scale, concept, x)
            figures |= dict(total=loss.item(), pair=pair.item(), right=right.item())
            trainer.optimizer_step(loss, **figures)
            move = pgd_step(move, x.grad, length)
        if trainer.step % options.every < turns or trainer.done:
            average = trainer.average.module
            accuracy = zero_shot_accuracy(average, options.data)
            trainer.report(**accuracy, scale=scale.item(), adv_eps=length)
            trainer.export(clip_tensors(average), {})
            yield trainer


if __name__ == "__main__":
    run(train_clip, parse(ClipOptions, __doc__))
