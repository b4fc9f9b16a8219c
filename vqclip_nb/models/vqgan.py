"""VQGAN: encode, quantize, decode, built from taming's Encoder and Decoder (report, 3.1)."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..images import norm_data
from . import fast

LEVELS = 3  # of the encoder's features


# LlamaGen's names (Sun et al. 2024) and taming's; then taming's and ours.
RENAMED = (
    ("conv_blocks.", "down."),
    (".res.", ".block."),
    ("mid.0.", "mid.block_1."),
    ("mid.1.", "mid.attn_1."),
    ("mid.2.", "mid.block_2."),
    ("quantize.embedding.", "codebook."),
    ("quantize.embed.", "codebook."),
    ("quantize.proj.", "proj."),
)


def _ours(name: str, levels: int) -> str:
    """A weight's name as ours; taming's decoder counts its levels from the last one."""
    for theirs, ours in RENAMED:
        name = name.replace(theirs, ours)
    part, found, rest = name.partition("decoder.down.")
    if not found:
        return name
    level, _, rest = rest.partition(".")
    return f"{part}decoder.up.{levels - 1 - int(level)}.{rest}"


class VQGAN(nn.Module):
    """A frozen VQGAN.

    `config` is taming's: `ddconfig` for Encoder and Decoder, `embed_dim`, `n_embed`; ours may add
    `unshuffle`, kept as `patch_size`: the side of the pixel blocks that the networks work on as one
    (1: plain pixels); LlamaGen's has `l2_norm`: codes have the length 1. `downsample_factor`:
    pixels a latent cell covers along each side; `latent_channels`: numbers in a cell.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        from taming.modules.diffusionmodules.model import Decoder, Encoder

        shape = dict(config["ddconfig"])
        with contextlib.redirect_stdout(io.StringIO()):  # taming prints its shapes
            self.encoder, self.decoder = Encoder(**shape), Decoder(**shape)
        self.latent_channels = config["embed_dim"]
        # Gumbel variants choose a code by a learned projection instead of the nearest neighbour.
        width, gumbel = shape["z_channels"], config.get("gumbel")
        self.quant_conv = nn.Conv2d(width, width if gumbel else self.latent_channels, 1)
        self.post_quant_conv = nn.Conv2d(self.latent_channels, width, 1)
        self.codebook = nn.Embedding(config["n_embed"], self.latent_channels)
        self.proj = nn.Conv2d(width, config["n_embed"], 1) if gumbel else None
        self.patch_size = config.get("unshuffle", 1)
        self.downsample_factor = 2 ** (len(shape["ch_mult"]) - 1) * self.patch_size

    @classmethod
    def from_state(cls, config: dict[str, Any], state: dict[str, torch.Tensor]) -> VQGAN:
        """A VQGAN with weights under taming's names or LlamaGen's; RuntimeError names what is
        missing or has another shape."""
        levels = len(config["ddconfig"]["ch_mult"])
        state = {_ours(k, levels): v.float() for k, v in state.items()}
        if config.get("l2_norm"):
            state["codebook.weight"] = F.normalize(state["codebook.weight"], dim=-1)
        with fast.OnlyShapes():
            model = cls({**config, "gumbel": "proj.weight" in state})
        model.load_state_dict(state, assign=True)
        return model.eval().requires_grad_(False)

    def features(self, picture: torch.Tensor) -> list[torch.Tensor]:
        """What the encoder's first layers make of a picture (n, 3, h, w) in [0, 1] of any size:
        `LEVELS` of (n, c, h, w), of its finest level twice."""
        picture = picture.to(self.codebook.weight)
        more = [-side % self.downsample_factor for side in picture.shape[2:]]
        x = F.pad(picture, (0, more[1], 0, more[0]), mode="replicate")
        x = F.pixel_unshuffle(x * 2 - 1, self.patch_size)
        return list(itertools.islice(fast.encoder_levels(self.encoder, x), LEVELS))

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        """Picture (n, 3, h, w) in [0, 1], sides multiples of `downsample_factor` f, to latent (n,
        latent_channels, h/f, w/f)."""
        x = F.pixel_unshuffle(picture * 2 - 1, self.patch_size)
        z = self.quant_conv(fast.encode(self.encoder, x))
        if self.proj is not None:
            return self.codebook_vectors(self.proj(z).argmax(1))
        return z

    def codebook_indices(self, z: torch.Tensor) -> torch.Tensor:
        """Index of the codebook vector nearest to each latent cell: (n, latent_channels, h, w) to
        (n, h, w)."""
        flat = z.detach().movedim(1, -1).flatten(0, -2).float()
        codes = self.codebook.weight
        # argmin |z - e|² without the |z|² that all codes share
        index = (codes.square().sum(1) - 2 * flat @ codes.T).argmin(1)
        return index.view(z.shape[0], *z.shape[2:])

    def codebook_vectors(self, indices: torch.Tensor) -> torch.Tensor:
        """Codes (n, h, w) to the latent (n, latent_channels, h, w) that they stand for."""
        return self.codebook(indices).movedim(-1, 1)

    def bounds(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Smallest and largest number of each channel in the codebook, each (1, channels, 1, 1)."""
        low, high = self.codebook.weight.aminmax(dim=0)
        return low[None, :, None, None], high[None, :, None, None]

    def quantize(self, z: torch.Tensor) -> torch.Tensor:
        """Replace every latent cell by its nearest code; gradients pass straight through."""
        return z + (self.codebook_vectors(self.codebook_indices(z)) - z).detach()

    def decode(
        self, z: torch.Tensor, *, dtype: torch.dtype = torch.float32, again: bool = False
    ) -> torch.Tensor:
        """Latent (n, latent_channels, h, w) to generator output (n, 3, f·h, f·w), about [-1, 1].

        dtype: what the network computes in; latent and output are float32. again: as in
        `fast.decode`.
        """
        before = fast.in_precision(self.post_quant_conv, dtype)
        decoder = fast.in_precision(self.decoder, dtype)
        x = fast.decode(decoder, before(z.to(dtype)), again=again).to(z.dtype)
        return F.pixel_shuffle(x, self.patch_size)

    def synthesize(
        self, z: torch.Tensor, *, quantize: bool = True, dtype: torch.dtype = torch.float32
    ) -> torch.Tensor:
        """The report's `generator` and `norm_data`: latent to picture (n, 3, f·h, f·w) in [0, 1],
        by way of the codebook or straight. dtype: as in `decode`."""
        return norm_data(self.decode(self.quantize(z) if quantize else z, dtype=dtype))


def listen(layers: Sequence[nn.Module], call: Callable[[], object]) -> list[torch.Tensor]:
    """The outputs of `layers` while `call()` runs, in the order of the calls: one for each call of
    a layer. The hooks are removed again, also on an error."""
    outputs: list[torch.Tensor] = []
    hooks = [at.register_forward_hook(lambda _, __, out: outputs.append(out)) for at in layers]
    try:
        call()
    finally:
        for hook in hooks:
            hook.remove()
    return outputs
