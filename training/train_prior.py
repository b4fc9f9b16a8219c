r"""Train the prior: a masked transformer over the VQGAN's codes of single things.

    python -m training.train_prior DATA OUT --steps 4000

It sees each drawing upright, in the middle, at .8 of the size, on white and on some colours: the
narrowest task that is of use, so that shapes come soonest. VQGAN and text side are the pair's.
The priors that ship are of one style each, others begun with the first:

    python -m training.train_prior DATA OUT2 --styles 3d --colours 0 --white 1 --bare 1 \
        --start OUT/prior.safetensors --lr 8e-4 --steps 2500
    python -m training.join_priors noto=OUT/prior.safetensors 3d=OUT2/prior.safetensors
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from vqclip_nb.emoji.caption_words import COLOURS, article
from vqclip_nb.emoji.prior import Prior, caption_tokens
from vqclip_nb.files import write_atomically
from vqclip_nb.images import to_pil
from vqclip_nb.loading import load_pair, open_pair
from vqclip_nb.models.pair import Pair
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.show import contact_sheet

from .classifier import ShapeJudge, load_shape_judge
from .networks import half
from .options import Options, option, parse
from .scenes import Scenes
from .sets import DRAWN, STYLES, TRAINED
from .trainer import Trainer, autocast, run

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class PriorOptions(Options):
    """Of `train_prior`."""

    steps: int = option(4000, "optimizer steps in all")
    batch: int = option(32, "pictures in a step")
    lr: float = option(1.2e-3, "highest learning rate")
    width: int = option(192, "of the transformer, a multiple of 64")
    layers: int = option(5, "of the transformer")
    attention: str = option("full", "which tokens see each other: full, local or strided")
    styles: str = option(",".join(TRAINED), "which of them, with commas between")
    colours: int = option(3, "backgrounds of each drawing besides white")
    white: float = option(0.8, "share of the drawings that are shown on white")
    bare: float = option(0.0, "share of the captions that are a drawing's label on its background")
    start: str = option("", "another prior to begin with: its weights, or a style of the pair's")
    measured: int = option(32, "captions that each measurement looks at")
    clip: Path | None = option(None, "the guide whose text side is used; left out: the pair's")
    vqgan: Path | None = option(None, "the VQGAN whose codes are learned; left out: the pair's")

    def __post_init__(self) -> None:
        super().__post_init__()
        if set(self.styles.split(",")) - set(DRAWN):
            raise ValueError(f"styles={self.styles!r}: choose of {', '.join(DRAWN)}")
        if self.width < 64 or self.width % 64:
            raise ValueError(f"width={self.width}: give a multiple of 64")


class CodedDrawings:
    """Every drawing's codes on white and on some colours; they are computed once and kept."""

    def __init__(self, scenes: Scenes, vqgan: VQGAN, colours: int, cache: Path) -> None:
        self.scenes, self.names = scenes, list(COLOURS)
        rng, count = np.random.default_rng(0), len(scenes.pairs)
        palette = torch.tensor([COLOURS[n] for n in self.names]) / 255
        self.colour = torch.from_numpy(rng.integers(1, len(COLOURS), (colours + 1, count)))
        self.colour[0] = 0  # white
        if cache.exists():
            self.codes = torch.from_numpy(np.load(cache)).long()
            return
        parts = []
        for colour in self.colour:
            for at in torch.arange(count).split(32):
                x = scenes.upright(scenes.pairs[at], palette[colour[at]])
                with autocast():
                    z = vqgan.encode(x.contiguous(memory_format=torch.channels_last)).float()
                parts.append(vqgan.codebook_indices(z).short())
            log.info("prior: %d of %d drawings coded", sum(map(len, parts)), self.colour.numel())
        self.codes = torch.cat(parts).unflatten(0, self.colour.shape).long()
        write_atomically(cache, lambda part: np.save(part, self.codes.short().numpy()))

    def batch(
        self, n: int, white: float, rng: np.random.Generator, *, bare: float = 0.0
    ) -> tuple[torch.Tensor, list[str]]:
        """Codes (n, side, side), a share `white` of them on white, and captions, a share `bare` of
        which are the label and the background alone."""
        where = torch.from_numpy(rng.permutation(len(self.scenes.pairs))[:n])
        kinds = len(self.colour)
        turn = (1 + rng.integers(max(1, kinds - 1), size=n)) * (rng.random(n) >= white) % kinds
        turn = torch.from_numpy(turn)
        captions = []
        for at, t in zip(where.tolist(), turn.tolist(), strict=True):
            style, concept = self.scenes.pairs[at].tolist()
            plain = bare > 0 and rng.random() < bare
            name = self.scenes.labels[concept] if plain else self.scenes.noun(concept, rng)
            words = article(name)
            if not plain and rng.random() < 0.5:
                words = f"{rng.choice(STYLES[self.scenes.styles[style]].words)} {words}"
            colour = self.names[int(self.colour[t, at])]
            if plain or rng.random() < 0.8:
                words += f" on {article(colour)} background"
            captions.append(words)
        return self.codes[turn, where], captions


def masked(
    index: torch.Tensor, codes: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes (n, side, side) with a part of each picture masked, by the cosine of a uniform number,
    and which cells that are."""
    n = len(index)
    share = torch.cos(math.pi / 2 * torch.rand(n, generator=generator)).clamp(min=0.05)
    hidden = torch.rand(index.shape, generator=generator) < share[:, None, None]
    hidden[:, 0, 0] |= ~hidden.flatten(1).any(1)
    return torch.where(hidden, codes, index), hidden


def masked_loss(
    prior: Prior, index: torch.Tensor, caption: tuple, generator: torch.Generator, smoothing: float
) -> torch.Tensor:
    """Cross-entropy, in nats, of the masked cells."""
    shown, hidden = masked(index, prior.codes, generator)
    device = prior.bias.device
    with autocast(device):
        features = prior.features(shown.to(device), caption)
        logits = prior.score(features[hidden.flatten(1).to(device)])
    return F.cross_entropy(logits.float(), index[hidden].to(device), label_smoothing=smoothing)


def train_prior(options: PriorOptions) -> Iterator[Trainer]:
    """Masked prediction of codes; yields after each measurement. A tenth of the captions is left
    out, for guidance without a classifier."""
    torch.manual_seed(options.seed)
    pair = load_pair("emoji", device="cpu")
    if options.clip and options.vqgan:
        pair = open_pair(clip=options.clip, vqgan=options.vqgan, device="cpu")
    scenes = Scenes(options.data, styles=tuple(options.styles.split(",")))
    vqgan = pair.vqgan.to(memory_format=torch.channels_last)
    options.out.mkdir(parents=True, exist_ok=True)
    cache = options.out / f"codes-{options.styles.replace(',', '-')}-{options.colours}.npy"
    drawings = CodedDrawings(scenes, vqgan, options.colours, cache)
    clip = pair.clip.model
    prior = Prior(
        vqgan.codebook.num_embeddings,
        drawings.codes.shape[-1],
        width=options.width,
        layers=options.layers,
        heads=options.width // 64,
        text_width=clip.positional_embedding.shape[1],
        encoding=clip.text_projection.shape[1],
        attention=options.attention,
    ).to(options.device)
    if options.start:
        begun = pair.wing.priors.get(options.start) if pair.wing else None
        state = begun.state_dict() if begun else load_file(options.start)
        prior.load_state_dict({k: v.float() for k, v in state.items()})
    trainer = Trainer("prior", prior, options, weight_decay=0.03)
    facts = {"config": json.dumps(prior.config), "hashes": json.dumps(pair.hashes)}
    names = [scenes.names[i] for i in np.random.default_rng(1).permutation(len(scenes.names))]
    names = names[: options.measured]
    captions_shown = [f"{article(name)} on a white background" for name in names]
    judge = load_shape_judge(device="cpu")
    while not trainer.done:
        index, captions = drawings.batch(
            options.batch, options.white, trainer.rng, bare=options.bare
        )
        tokens, keep, encoding = (x.to(options.device) for x in caption_tokens(clip, captions))
        said = torch.rand(len(keep), 1, generator=trainer.generator) > 0.1
        caption = (tokens, keep & said.to(keep.device), encoding)
        loss = masked_loss(prior, index, caption, trainer.generator, 0.02)
        trainer.optimizer_step(loss, loss=loss.item())
        if trainer.due:
            average = trainer.average.module
            pictures = samples(average, pair, captions_shown)
            trainer.report(**named(judge, pictures, names))
            trainer.export(half(average.state_dict()), facts)
            sheet = contact_sheet(pictures, names, columns=8)
            path = options.out / f"prior-{trainer.step}.png"
            write_atomically(path, partial(sheet.savefig, dpi=80))
            yield trainer


def named(judge: ShapeJudge, pictures: list[Image.Image], names: list[str]) -> dict[str, float]:
    """Share of pictures whose name the judge puts first, and among five; of names it knows."""
    known = [(p, n) for p, n in zip(pictures, names, strict=True) if n in judge.names]
    if not known:
        return {}
    ranks = np.array([judge.rank(p, n) for p, n in known])
    return {"first": float((ranks == 1).mean()), "five": float((ranks <= 5).mean())}


@torch.no_grad()
def samples(
    prior: Prior, pair: Pair, captions: list[str], *, seed: int = 0, **how: Any
) -> list[Image.Image]:
    """A picture for each caption; `how` goes to `Prior.sample`."""
    caption = caption_tokens(pair.clip.model, captions)
    caption = tuple(x.to(prior.bias.device) for x in caption)
    codes = prior.sample(caption, generator=torch.Generator().manual_seed(seed), **how)
    z = pair.vqgan.codebook_vectors(codes.to(pair.device))
    return [to_pil(picture) for picture in pair.vqgan.synthesize(z, quantize=False)]


if __name__ == "__main__":
    run(train_prior, parse(PriorOptions, __doc__))
