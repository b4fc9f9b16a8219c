"""Train a VQGAN: reconstruction first, then features of a finished network, then a discriminator.

    python -m training.train_vqgan DATA OUT --steps 2800 --clip OUT/clip.safetensors

DATA is what `training.data` wrote. OUT gets vqgan.ckpt, from which the same command goes on,
vqgan.jsonl, a line per measurement, and vqgan.safetensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from vqclip_nb.models.clip import build_clip

from .evaluate import reconstruction
from .losses import Discriminator, ImageNetFeatures, clip_distance, decoder_loss
from .networks import VQGANS, Autoencoder, vqgan_metadata, vqgan_tensors
from .options import Options, option, parse
from .scenes import Scenes
from .sets import DRAWN
from .trainer import Trainer, autocast, run


@dataclass(kw_only=True)
class VqganOptions(Options):
    """Of `train_vqgan`."""

    shape: str = option("f8", "f8, as it ships, or f16, a quarter of the cells")
    batch: int = option(16, "pictures in a step")
    lr: float = option(6e-4, "highest learning rate")
    codes_from: int = option(300, "step at which codes begin; real outputs start the codebook")
    clip: Path | None = option(None, "a CLIP's weights for the perceptual loss; left out: none")
    imagenet: Path | None = option(None, "EfficientNet-Lite0's weights, in place of a CLIP's")
    perceptual: float = option(0.5, "weight of the perceptual loss; with ImageNet's try .1")
    gan_from: int = option(10**9, "step at which the discriminator begins")
    gan: float = option(0.02, "weight of the discriminator's word")
    measured: int = option(100, "pictures that each measurement looks at")
    compiled: bool = option(False, "its blocks with torch.compile: faster where the CPU has AMX")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape not in VQGANS:
            raise ValueError(f"shape={self.shape!r}: choose one of {', '.join(VQGANS)}")


def pictures(scenes: Scenes, count: int, rng: np.random.Generator) -> torch.Tensor:
    """(count, 3, size, size): half composed scenes, half drawings as the library holds them, a
    third of these on white."""
    half_of = count // 2
    which = scenes.pairs[torch.from_numpy(rng.integers(len(scenes.pairs), size=count - half_of))]
    colours = torch.from_numpy(rng.random((len(which), 3), np.float32))
    colours[torch.from_numpy(rng.random(len(which)) < 0.35)] = 1
    upright = scenes.upright(which, colours, scale=rng.uniform(0.65, 0.9))
    return torch.cat([scenes.batch(half_of, rng).pictures, upright])


def perceptual_distance(
    options: VqganOptions,
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None:
    """Of pictures in [-1, 1], in the features of the network that `options` names."""
    if options.imagenet:
        return ImageNetFeatures(options.imagenet).to(options.device)
    if options.clip:
        return partial(clip_distance, build_clip(load_file(options.clip)).to(options.device))
    return None


def train_vqgan(options: VqganOptions) -> Iterator[Trainer]:
    """Reconstruction, perceptual and adversarial training of the autoencoder; yields after each
    measurement."""
    scenes, taught = Scenes(options.data, styles=DRAWN, unread=True), Scenes(options.data)
    torch.manual_seed(options.seed)
    model = Autoencoder(options.shape).to(options.device, memory_format=torch.channels_last)
    discriminator = Discriminator(options.device)
    parts = {"discriminator": discriminator}
    trainer = Trainer("vqgan", model, options, weight_decay=1e-4, parts=parts)
    distance = perceptual_distance(options)
    if options.compiled:
        for part in model.modules():  # whole, the gradient of their attention would not be finite
            if type(part).__name__ == "ResnetBlock":
                part.compile()
    while not trainer.done:
        x = pictures(scenes, options.batch, trainer.rng) * 2 - 1
        x = x.to(options.device, memory_format=torch.channels_last)
        with autocast(options.device):
            y, _, commit = model(x, quantize=trainer.step >= options.codes_from)
        loss, figures = decoder_loss(y, x, options, trainer.step, distance, discriminator)
        trainer.optimizer_step(loss + commit, **figures)
        if trainer.due:
            average, coded = trainer.average.module, trainer.step > options.codes_from
            codes = model.config["n_embed"]
            figures = (
                reconstruction(average.rebuild, taught, codes=codes, count=options.measured)
                if coded
                else {}
            )
            trainer.report(**figures)
            trainer.export(vqgan_tensors(average), vqgan_metadata(model.config))
            yield trainer


if __name__ == "__main__":
    run(train_vqgan, parse(VqganOptions, __doc__))
