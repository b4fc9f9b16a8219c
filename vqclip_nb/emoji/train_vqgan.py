"""Train the VQGAN that ships: reconstruction first, then a CLIP's features, then a discriminator.

    python -m vqclip_nb.emoji.train_vqgan DATA OUT --steps 2800 --clip OUT/clip.safetensors

DATA is what `vqclip_nb.emoji.data` wrote. OUT gets vqgan.ckpt, from which the same command goes on,
vqgan.jsonl, a line per measurement, and vqgan.safetensors.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from ..models.clip import build_clip
from ..models.fast import resnet_stem
from .evaluate import reconstruction
from .networks import VQGAN_METADATA, Autoencoder, vqgan_tensors
from .options import Options, option, parse
from .scenes import Scenes
from .trainer import Trainer, autocast


@dataclass(kw_only=True)
class VqganOptions(Options):
    """Of `train_vqgan`."""

    batch: int = option(16, "pictures in a step")
    lr: float = option(6e-4, "highest learning rate")
    codes_from: int = option(300, "step at which codes begin; real outputs start the codebook")
    clip: Path | None = option(None, "a CLIP's weights for the perceptual loss; left out: none")
    perceptual: float = option(0.5, "weight of the perceptual loss")
    gan_from: int = option(10**9, "step at which the discriminator begins")
    gan: float = option(0.02, "weight of the discriminator's word")


def picture_loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """L1 + squares + edges + overall colour, on pictures in [-1, 1]."""
    d = a - b
    edges = d - F.avg_pool2d(F.pad(d, (2, 2, 2, 2), mode="reflect"), 5, 1)
    return (
        d.abs().mean() + d.square().mean() + edges.abs().mean() + F.avg_pool2d(d, 16).abs().mean()
    )


def perceptual_loss(model: nn.Module, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Distance in the CLIP's first two stages, on the pictures halved to its own 64×64."""

    def stages(x: torch.Tensor) -> list[torch.Tensor]:
        v = model.visual
        x = resnet_stem(v, F.avg_pool2d(x, 2))
        one = v.layer1(v.avgpool(x))
        return [F.normalize(x, dim=1), F.normalize(one, dim=1), F.normalize(v.layer2(one), dim=1)]

    with torch.no_grad():
        target = stages(b)
    return sum((p - q).square().sum(1).mean() for p, q in zip(stages(a), target, strict=True))


class Discriminator:
    """taming's patch discriminator and its optimizer (Isola et al. 2017), as one part of a
    checkpoint."""

    def __init__(self, device: str) -> None:
        from taming.modules.discriminator.model import NLayerDiscriminator

        self.network = NLayerDiscriminator(input_nc=3, ndf=24, n_layers=2).to(device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=2e-4, betas=(0.5, 0.9))

    def step(self, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Learn to tell real pictures from reconstructions. Returns what the generator is to lower,
        and the hinge loss."""
        with autocast(real.device):
            real_logits, fake_logits = self.network(real), self.network(fake.detach())
        d_loss = F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()
        self.optimizer.zero_grad()
        d_loss.backward()
        self.optimizer.step()
        with autocast(fake.device):
            return -self.network(fake).mean(), d_loss.item()

    def state_dict(self) -> dict[str, dict]:
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, dict]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])


def train_vqgan(options: VqganOptions) -> Iterator[Trainer]:
    """Reconstruction, perceptual and adversarial training of the autoencoder; yields after each
    measurement."""
    scenes = Scenes(options.data)
    torch.manual_seed(options.seed)
    model = Autoencoder().to(options.device, memory_format=torch.channels_last)
    discriminator = Discriminator(options.device)
    parts = {"discriminator": discriminator}
    trainer = Trainer("vqgan", model, options, weight_decay=1e-4, parts=parts)
    clip = build_clip(load_file(options.clip)).to(options.device) if options.clip else None
    while not trainer.done:
        x = scenes.batch(options.batch, trainer.rng).pictures * 2 - 1
        x = x.to(options.device, memory_format=torch.channels_last)
        with autocast(options.device):
            y, _, commit = model(x, quantize=trainer.step >= options.codes_from)
        loss = picture_loss(y, x) + commit
        figures = {"picture": loss.item()}
        if clip is not None:
            with autocast(options.device):
                perceptual = perceptual_loss(clip, y, x)
            loss = loss + options.perceptual * perceptual
            figures["perceptual"] = perceptual.item()
        if trainer.step >= options.gan_from:
            fooled, figures["d_loss"] = discriminator.step(x, y)
            loss = loss + options.gan * fooled
        trainer.optimizer_step(loss, **figures)
        if trainer.due:
            average, coded = trainer.average.module, trainer.step > options.codes_from
            trainer.report(**(reconstruction(average.rebuild, scenes) if coded else {}))
            trainer.export(vqgan_tensors(average), VQGAN_METADATA)
            yield trainer


def main(argv: list[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for _ in train_vqgan(parse(VqganOptions, __doc__, argv)):
        pass


if __name__ == "__main__":
    main()
