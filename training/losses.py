"""What judges a VQGAN in training: pixels, features of a finished network, a discriminator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from vqclip_nb.models.fast import resnet_stem

from .classifier import Classifier
from .trainer import autocast

SEEN = (0, 2, 4, 7)  # blocks of EfficientNet-Lite0 that end at a half, a quarter, an eighth, …


def picture_loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """L1 + squares + edges + overall colour, on pictures in [-1, 1]."""
    d = a - b
    edges = d - F.avg_pool2d(F.pad(d, (2, 2, 2, 2), mode="reflect"), 5, 1)
    return (
        d.abs().mean() + d.square().mean() + edges.abs().mean() + F.avg_pool2d(d, 16).abs().mean()
    )


def clip_distance(model: nn.Module, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Distance in the CLIP's first two stages, on the pictures halved to its own 64×64."""

    def stages(x: torch.Tensor) -> list[torch.Tensor]:
        v = model.visual
        x = resnet_stem(v, F.avg_pool2d(x, 2))
        one = v.layer1(v.avgpool(x))
        return [F.normalize(x, dim=1), F.normalize(one, dim=1), F.normalize(v.layer2(one), dim=1)]

    with torch.no_grad():
        target = stages(b)
    return sum((p - q).square().sum(1).mean() for p, q in zip(stages(a), target, strict=True))


class ImageNetFeatures(nn.Module):
    """Unit vectors of an ImageNet classifier's stem and first stages, as LPIPS compares them (Zhang
    et al. 2018)."""

    def __init__(self, imagenet: Path) -> None:
        super().__init__()
        model = Classifier(1, stages=4)
        model.start_from_imagenet(torch.load(imagenet, map_location="cpu", weights_only=True))
        self.stem, self.blocks = model.stem, model.blocks
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
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


def decoder_loss(
    y: torch.Tensor,
    x: torch.Tensor,
    options: Any,
    step: int,
    distance: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None,
    discriminator: Discriminator,
) -> tuple[torch.Tensor, dict[str, float]]:
    """What a decoder's pictures y of x are to lower, both in [-1, 1], and its parts for the log.

    options: those of the training, with `perceptual`, `gan` and `gan_from`. distance: in features
    of a finished network, or none.
    """
    loss = picture_loss(y, x)
    figures = {"picture": loss.item()}
    if distance is not None:
        with autocast(x.device):
            perceptual = distance(y, x)
        loss = loss + options.perceptual * perceptual
        figures["perceptual"] = perceptual.item()
    if step >= options.gan_from:
        fooled, figures["d_loss"] = discriminator.step(x, y)
        loss = loss + options.gan * fooled
    return loss, figures
