"""VQGAN: encode, quantize, decode, built from taming's Encoder and Decoder (report, 3.1)."""

from __future__ import annotations

import contextlib
import io
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn


def norm_data(data: torch.Tensor) -> torch.Tensor:
    """From the generator's [-1, 1] to a picture's [0, 1]; what is outside is clipped."""
    return (data.clip(-1, 1) + 1) / 2


def picture_of(tensor: torch.Tensor) -> Image.Image:
    """A tensor (3, h, w) in [0, 1] as a picture."""
    pixels = (tensor.detach().clamp(0, 1) * 255).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


# Rows of a 3×3 kernel that fall on the same pixel of the small picture, for even and odd pixels.
_SAME = torch.tensor([[[1.0, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]])


def _double(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """taming's Upsample, pixels doubled and convolved, with 4/9 of its multiplications.

    What it convolves is the same number in blocks of four: four 2×2 kernels on x give the same
    sums.
    """
    height, width = x.shape[2:]
    same = _SAME.to(x)
    kernels = torch.einsum("oiyx,apy,bqx->aboipq", layer.conv.weight, same, same)
    x = F.pad(x, [1] * 4)
    pixels = [
        F.conv2d(x[:, :, a : a + height + 1, b : b + width + 1], kernels[a, b], layer.conv.bias)
        for a in (0, 1)
        for b in (0, 1)
    ]
    return F.pixel_shuffle(torch.stack(pixels, 2).flatten(1, 2), 2)


class VQGAN(nn.Module):
    """A frozen VQGAN.

    `config` is taming's: `ddconfig` for Encoder and Decoder, `embed_dim`, `n_embed`; ours may add
    `unshuffle`, the side of the pixel blocks that the networks work on as one (1: plain pixels).
    Attributes: `step`, pixels a latent cell covers along each side; `channels` of the latent.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        from taming.modules.diffusionmodules import model as taming

        # Their x · sigmoid(x) in one pass, which keeps half as much for the gradient.
        taming.nonlinearity = F.silu
        shape = dict(config["ddconfig"])
        with contextlib.redirect_stdout(io.StringIO()):  # taming prints its shapes
            self.encoder, self.decoder = taming.Encoder(**shape), taming.Decoder(**shape)
        for level in self.decoder.up:
            if hasattr(level, "upsample") and level.upsample.with_conv:
                level.upsample.forward = partial(_double, level.upsample)
        self.channels = config["embed_dim"]
        self.quant_conv = nn.Conv2d(shape["z_channels"], self.channels, 1)
        self.post_quant_conv = nn.Conv2d(self.channels, shape["z_channels"], 1)
        self.codebook = nn.Embedding(config["n_embed"], self.channels)
        # Gumbel variants choose a code by a learned projection instead of the nearest neighbour.
        self.proj = (
            nn.Conv2d(shape["z_channels"], config["n_embed"], 1) if config.get("gumbel") else None
        )
        if config.get("gumbel"):
            self.quant_conv = nn.Conv2d(shape["z_channels"], shape["z_channels"], 1)
        self.unshuffle = config.get("unshuffle", 1)
        self.step = 2 ** (len(shape["ch_mult"]) - 1) * self.unshuffle

    @classmethod
    def from_state(cls, config: dict[str, Any], state: dict[str, torch.Tensor]) -> VQGAN:
        """A VQGAN with weights under taming's names; RuntimeError names what is missing or has
        another shape."""
        state = {k: v.float() for k, v in state.items()}
        for theirs, ours in (
            ("quantize.embedding.weight", "codebook.weight"),
            ("quantize.embed.weight", "codebook.weight"),
            ("quantize.proj.weight", "proj.weight"),
            ("quantize.proj.bias", "proj.bias"),
        ):
            if theirs in state:
                state[ours] = state.pop(theirs)
        with torch.device("meta"):  # no time spent on random weights
            model = cls({**config, "gumbel": "proj.weight" in state})
        model.load_state_dict(state, assign=True)
        return model.eval().requires_grad_(False)

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        """Picture (n, 3, h, w) in [0, 1], sides multiples of `step`, to latent (n, channels,
        h/step, w/step)."""
        x = picture * 2 - 1
        z = self.quant_conv(self.encoder(F.pixel_unshuffle(x, self.unshuffle)))
        if self.proj is not None:
            return self._look_up(self.proj(z).argmax(1))
        return z

    def nearest(self, z: torch.Tensor) -> torch.Tensor:
        """Index of the codebook vector nearest to each latent cell: (n, channels, h, w) to (n, h,
        w)."""
        flat = z.detach().movedim(1, -1).flatten(0, -2).float()
        codes = self.codebook.weight
        # argmin |z - e|² without the |z|² that all codes share
        index = (codes.square().sum(1) - 2 * flat @ codes.T).argmin(1)
        return index.view(z.shape[0], *z.shape[2:])

    def _look_up(self, index: torch.Tensor) -> torch.Tensor:
        return self.codebook(index).movedim(-1, 1)

    def quantize(self, z: torch.Tensor) -> torch.Tensor:
        """Replace every latent cell by its nearest code; gradients pass straight through."""
        return z + (self._look_up(self.nearest(z)) - z).detach()

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Latent (n, channels, h, w) to generator output (n, 3, step·h, step·w), about [-1, 1]."""
        return F.pixel_shuffle(self.decoder(self.post_quant_conv(z)), self.unshuffle)
