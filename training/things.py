"""Single things as the classifiers see them: in any pose, on any ground, and through the codes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torchvision.transforms.functional import center_crop

from vqclip_nb.models.vqgan import VQGAN

from .augmentations import affine, backgrounds, chance
from .classifier import SIZE
from .scenes import Scenes
from .trainer import autocast


def things(
    scenes: Scenes,
    rows: torch.Tensor,
    size: int,
    generator: torch.Generator,
    *,
    flat: float = 0.1,
    scale: tuple[float, float] = (0.5, 1.1),
) -> torch.Tensor:
    """Single things (n, 3, size, size) in any pose and on any background; a share of `flat` in one
    colour."""
    layer = scenes.sprites[rows[:, 0], rows[:, 1]].float() / 255
    layer = affine(layer, size, generator, scale=scale, degrees=12, shear=0.1, shift=0.12)
    colour, alpha = layer[:, :3], layer[:, 3:]
    plain = torch.rand(len(rows), 3, 1, 1, generator=generator) * alpha
    colour = torch.where(chance(len(rows), flat, generator), plain, colour)
    return colour + backgrounds(len(rows), size, generator) * (1 - alpha)


class CodedThings:
    """Things as the VQGAN's codes hold them, a few of them made anew in each step.

    Half have noise on their latents before the codes are chosen: what a loop leaves behind.
    pictures (count, 3, 128, 128) uint8; rows (count, 2): style and concept of each, drawn from
    `pairs`. noise: its spread. scale: of a thing. nearest: how near a look at the pictures may be;
    at 2 some things were half as large when they were coded, as in a scene of several. asked: what
    `things` is asked for besides.
    """

    def __init__(
        self,
        scenes: Scenes,
        vqgan: VQGAN,
        count: int,
        *,
        pairs: torch.Tensor,
        noise: float = 0.35,
        scale: tuple[float, float] = (0.5, 1.1),
        nearest: float = 1.0,
        **asked: Any,
    ) -> None:
        self.scenes, self.vqgan, self.pairs = scenes, vqgan, pairs
        self.noise, self.scale, self.nearest, self.asked = noise, scale, nearest, asked
        self.pictures = torch.zeros(count, 3, 128, 128, dtype=torch.uint8)
        self.rows = torch.zeros(count, 2, dtype=torch.long)
        self.next = 0

    def fill(self, generator: torch.Generator) -> None:
        while self.next < len(self.rows):
            self.renew(min(24, len(self.rows) - self.next), generator)

    @torch.no_grad()
    def renew(self, count: int, generator: torch.Generator) -> None:
        rows = self.pairs[torch.randint(len(self.pairs), (count,), generator=generator)]
        near = float(torch.empty(()).uniform_(1, self.nearest, generator=generator))
        scale = (self.scale[0] / near, self.scale[1] / near)
        x = things(self.scenes, rows, 128, generator, scale=scale, **self.asked)
        with autocast():
            z = self.vqgan.encode(x.contiguous(memory_format=torch.channels_last)).float()
            noise = torch.randn(z.shape, generator=generator) * chance(count, 0.5, generator)
            y = self.vqgan.synthesize(z + self.noise * noise).float()
        y = F.interpolate(center_crop(y, round(128 / near)), (128, 128), mode="bilinear")
        places = torch.arange(self.next, self.next + count) % len(self.pictures)
        self.pictures[places] = (y * 255).round().byte()
        self.rows[places] = rows
        self.next = int(places[-1]) + 1

    def draw(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures (count, 3, SIZE, SIZE), and their rows."""
        index = torch.randint(len(self.pictures), (count,), generator=generator)
        return shaken(self.pictures[index], generator), self.rows[index]

    def state_dict(self) -> dict[str, torch.Tensor | int]:
        return {"pictures": self.pictures, "rows": self.rows, "next": self.next}

    def load_state_dict(self, state: dict[str, torch.Tensor | int]) -> None:
        self.pictures, self.rows, self.next = state["pictures"], state["rows"], state["next"]


def shaken(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Finished pictures, uint8, as (n, 3, SIZE, SIZE) in [0, 1], a little turned and moved."""
    x = pictures.float() / 255
    return affine(x, SIZE, generator, scale=(0.85, 1.1), degrees=6, shift=0.05, padding="border")
