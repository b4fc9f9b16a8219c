"""The priors of a file: one for each style, and one of what CLIP cannot read; and the upscaler of
what they draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..models import fast
from .prior import Block, Prior, build_prior, unpacked

NAMED = "named"  # the prior of what CLIP cannot read
UPSCALER = "upscaler"  # its name in the file of the priors
TEMPERATURE = 0.5  # of the codes that it mixes: edges are crisper than at 1, for half a decibel


class Priors(Mapping[str, Prior]):
    """The priors of a file by style, and by `NAMED` that of what CLIP cannot read; each is built
    when it is first asked for. The seed chooses by their order. names: of the drawings that
    `NAMED` can be told. weak: by style, labels of drawings that it forms poorly, or that are hard
    to name, where another style does better."""

    def __init__(
        self, state: Mapping[str, torch.Tensor], facts: Mapping[str, Any], digest: str, device: Any
    ) -> None:
        self.names = tuple(facts.get("names", ()))
        self.weak = {style: frozenset(labels) for style, labels in facts.get("weak", {}).items()}
        self._config, self._digest, self._device = facts["config"], digest, device
        self._upscaler_config = facts.get(UPSCALER)
        self._styles = [*facts.get("styles", ["noto"]), *([NAMED] if self.names else [])]
        self._weights: dict[str, dict[str, torch.Tensor]] = {}
        for key, value in state.items():  # "3d.entry.weight" is of the style 3d alone
            style, _, name = key.partition(".")
            self._weights.setdefault(style, {})[name] = value
        self._built: dict[str, Prior] = {}
        if not set(self._styles) <= set(self._weights):  # one network that is told the style
            own = {k: v for k, v in state.items() if not k.startswith(f"{UPSCALER}.")}
            prior = build_prior(facts["config"], own, digest).to(device)
            prior.styles = tuple(self._styles) if len(self._styles) > 1 else ()
            self._built = dict.fromkeys(self._styles, prior)

    def __iter__(self) -> Iterator[str]:
        return iter(self._styles)

    def __len__(self) -> int:
        return len(self._styles)

    def __contains__(self, style: object) -> bool:
        return style in self._styles

    def __getitem__(self, style: str) -> Prior:
        if style not in self._built:
            told = self.names if style == NAMED else ()
            config, weights = self._config | {"labels": len(told)}, self._weights[style]
            prior = build_prior(config, weights, self._digest).to(self._device)
            prior.names = told
            self._built[style] = prior
        return self._built[style]

    @cached_property
    def upscaler(self) -> Upscaler | None:
        """What gives finished things more cells; None if the file has none."""
        if self._upscaler_config is None:
            return None
        with fast.OnlyShapes():
            made = Upscaler(**self._upscaler_config)
        made.load_state_dict(unpacked(self._weights[UPSCALER], made), assign=True)
        return made.eval().requires_grad_(False).to(self._device)


class Upscaler(nn.Module):
    """A transformer that turns a drawing's codes into a latent of twice as many cells along each
    side, in one step.

    It sees all codes at once. Those of a small face hold no eyes; the whole drawing tells where
    they are. codes: size of the codebook, of vectors of `channels` numbers. side: of the grid it is
    given. After Muse's second transformer (Chang et al. 2023).
    """

    def __init__(
        self, codes: int, channels: int, *, side: int, width: int, layers: int, head_width: int = 64
    ) -> None:
        super().__init__()
        self.width = width
        self.enter = nn.Conv2d(channels, width, 3, padding=1)
        self.leave = nn.Linear(width, 4 * head_width)
        self.position_embedding = nn.Parameter(0.2 * torch.randn(side * side, width))
        self.blocks = nn.ModuleList(Block(width, width // 64) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.embedding = nn.Embedding(codes, head_width)
        self.bias = nn.Parameter(torch.zeros(codes))

    def features(self, vectors: torch.Tensor) -> torch.Tensor:
        """Codebook vectors (n, c, side, side) to what is compared with each code: (n, 2 side, 2
        side, head_width)."""
        x = self.enter(vectors).flatten(2).transpose(1, 2) + self.position_embedding
        no_mask, no_caption = x.new_zeros(1, 1, 1, 1), x.new_zeros(1, 4, self.width)
        for block in self.blocks:
            x = block(x, no_mask, no_caption)
        x = self.leave(self.norm(x)).transpose(1, 2).unflatten(2, vectors.shape[2:])
        return F.pixel_shuffle(x, 2).movedim(1, -1)

    def score(self, features: torch.Tensor) -> torch.Tensor:
        """Features (..., head_width) to logits over the codes."""
        return features @ self.embedding.weight.T.to(features.dtype) + self.bias

    def forward(self, vectors: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
        """Codebook vectors (n, c, side, side) to the latent (n, c, 2 side, 2 side): the mean of all
        codes by how likely they are."""
        likely = (self.score(self.features(vectors)).float() / TEMPERATURE).softmax(-1)
        return (likely @ codebook.to(likely)).movedim(-1, 1)
