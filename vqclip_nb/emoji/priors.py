"""The priors of a file: one for each style, and one of what CLIP cannot read; and the decoder of
what they form."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..models import fast
from .prior import Prior, build_prior, unpacked

NAMED = "named"  # the prior of what CLIP cannot read
FINE = "fine"  # its name in the file of the priors


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
        self._fine_config = facts.get(FINE)
        self._styles = [*facts.get("styles", ["noto"]), *([NAMED] if self.names else [])]
        self._weights: dict[str, dict[str, torch.Tensor]] = {}
        for key, value in state.items():  # "3d.entry.weight" is of the style 3d alone
            style, _, name = key.partition(".")
            self._weights.setdefault(style, {})[name] = value
        self._built: dict[str, Prior] = {}
        if not set(self._styles) <= set(self._weights):  # one network that is told the style
            own = {k: v for k, v in state.items() if not k.startswith(f"{FINE}.")}
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
    def fine(self) -> FineDecoder | None:
        """The decoder of what has formed; None if the file has none."""
        if self._fine_config is None:
            return None
        with fast.OnlyShapes():
            decoder = FineDecoder(self._fine_config)
        decoder.load_state_dict(unpacked(self._weights[FINE], decoder), assign=True)
        return decoder.eval().requires_grad_(False).to(self._device)


class FineDecoder(nn.Module):
    """taming's Decoder with one level more than the VQGAN's, whose codes it takes.

    config: as the VQGAN's, of which the encoder's part is not used.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        from taming.modules.diffusionmodules.model import Decoder

        shape = config["ddconfig"]
        self.before = nn.Conv2d(config["embed_dim"], shape["z_channels"], 1)
        with contextlib.redirect_stdout(io.StringIO()):  # taming prints its shapes
            self.decoder = Decoder(**shape)
        self.patch_size = config["unshuffle"]

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Codebook vectors (n, c, h, w) to pictures (n, 3, 2·f·h, 2·f·w), about [-1, 1], f being
        the VQGAN's `downsample_factor`."""
        return F.pixel_shuffle(fast.decode(self.decoder, self.before(codes)), self.patch_size)
