"""Pictures that a CLIP in training likes although they show no such thing: its own paintings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.transforms.functional import normalize

from vqclip_nb.latents import noise
from vqclip_nb.models.clip import CLIP_MEAN, CLIP_STD
from vqclip_nb.models.fast import encode_image
from vqclip_nb.models.vqgan import VQGAN

from .augmentations import soft_crops
from .networks import text_features
from .scenes import Scenes
from .trainer import autocast


@dataclass
class Painted:
    """Some of the negatives after a step, each beside the scene that it should show."""

    captions: list[str]
    concept: torch.Tensor  # (n,)
    scenes: torch.Tensor  # (n, 3, 64, 64) in [0, 1]
    pictures: torch.Tensor  # (n, 3, 64, 64) in [0, 1]
    similarity: float


class GeneratedNegatives:
    """Paintings by `vqgan` that the CLIP in training guides: its contrastive loss's hardest
    negatives.

    What the guide likes and is no such scene it must unlearn, or it would paint that. `count` of
    them are kept and go on a step at a time, as the chains of an energy-based model do (Du and
    Mordatch 2019); after `steps` another scene takes the place. Latents are AdamW's, as in the
    painting loop; its moments are kept here, since each painting has its own age.
    """

    def __init__(
        self, scenes: Scenes, vqgan: VQGAN, count: int, *, dropout: float = 0.2, steps: int = 60
    ) -> None:
        self.scenes, self.vqgan, self.dropout, self.steps = scenes, vqgan, dropout, steps
        self.device = vqgan.codebook.weight.device
        side = scenes.size // vqgan.downsample_factor
        self.age, self.left = torch.zeros(2, count, dtype=torch.long)  # steps taken and to take
        self.captions, self.concept = [""] * count, torch.zeros(count, dtype=torch.long)
        self.pictures = torch.zeros(count, 3, 64, 64)
        # Latent, and the running means of its gradient and of the gradient's square.
        self.latents = torch.zeros(3, count, vqgan.latent_channels, side, side, device=self.device)

    @torch.no_grad()
    def _refill(self, slots: list[int], rng: np.random.Generator, generator: torch.Generator):
        batch = self.scenes.batch(len(slots), rng)
        z = self.vqgan.encode(batch.pictures.to(self.device))
        coded = self.vqgan.synthesize(z).cpu()
        for i, slot in enumerate(slots):  # half through the VQGAN, or its traces would tell
            picture = coded[i] if rng.random() < 0.5 else batch.pictures[i]
            self.pictures[slot] = F.adaptive_avg_pool2d(picture, 64)
            self.captions[slot], self.concept[slot] = batch.captions[i], batch.concept[i]
            # Those of the very start get fewer steps, so that they end at different times.
            first = not self.age[slot]
            self.left[slot] = int(rng.integers(self.steps)) + 1 if first else self.steps
            self.age[slot] = 0
            self.latents[0, slot] = noise(self.latents.shape[2:], generator=generator)
            self.latents[1:, slot] = 0

    def step(
        self,
        model: nn.Module,
        mean: torch.Tensor,
        count: int,
        rng: np.random.Generator,
        generator: torch.Generator,
        *,
        views: int = 4,
        lr: float = 0.2,
        weight_decay: float = 0.1,
    ) -> Painted:
        """Take `count` of them a step further, away from `mean` (d), the mean of all texts."""
        slots = rng.permutation(len(self.age))[:count].tolist()
        if finished := [slot for slot in slots if not self.left[slot]]:
            self._refill(finished, rng, generator)
        captions = [self.captions[slot] for slot in slots]
        with torch.no_grad():
            wanted = F.normalize(text_features(model, captions) - mean, dim=-1)
        z, first, second = self.latents[:, slots]
        z.requires_grad_()
        with autocast(self.device):
            painted = self.vqgan.synthesize(z).float()
            painted = F.adaptive_avg_pool2d(painted, 64)
            crops = soft_crops(painted.repeat(views, 1, 1, 1), generator)
            crops = normalize(crops, CLIP_MEAN, CLIP_STD)
            crops = crops.contiguous(memory_format=torch.channels_last)
            seen = encode_image(model.visual, crops, dropout=self.dropout, generator=generator)
            seen = F.normalize(seen.float(), dim=-1)
        similarity = (seen * wanted.repeat(views, 1)).sum(1).mean()
        (gradient,) = torch.autograd.grad(-similarity * count, z)
        self.age[slots] += 1
        self.left[slots] -= 1
        age = self.age[slots].to(self.device).float()[:, None, None, None]
        first.lerp_(gradient, 0.1)
        second.lerp_(gradient.square(), 0.001)
        move = (first / (1 - 0.9**age)) / ((second / (1 - 0.999**age)).sqrt() + 1e-8)
        z = z.detach() * (1 - lr * weight_decay) - lr * move
        self.latents[:, slots] = torch.stack([z, first, second])
        return Painted(
            captions,
            self.concept[slots],
            self.pictures[slots],
            painted.detach(),
            similarity.item(),
        )

    def state_dict(self) -> dict[str, Any]:
        return {k: getattr(self, k) for k in _STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for key in _STATE:
            own = getattr(self, key)
            setattr(self, key, state[key].to(own.device) if torch.is_tensor(own) else state[key])


_STATE = ("age", "left", "captions", "concept", "pictures", "latents")
