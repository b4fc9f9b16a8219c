"""Train a generator whose every point is a drawing: one short latent for a whole picture.

    python -m training.train_tokens DATA OUT     # DATA is not read; .3 s a step in bfloat16

A grid of 256 cells follows a gradient into any texture. Here `Decoder` makes the whole grid of the
VQGAN's latent from a few bounded numbers, and `Encoder` finds those of a drawing; the VQGAN behind
it stays as it is. Both learn from the codes of library.safetensors alone, moved by whole cells, so
a picture costs a grid of 16×16 and no pixels. Noise on the latent makes that what lies between
drawings decodes to one as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from vqclip_nb.loading import load_pair

from .options import Options, option, parse
from .trainer import Trainer, autocast, run

LEVELS = 8  # values that each number of the latent is rounded to, in [-1, 1]
MOVED = 2  # cells, at most, up or down and left or right


@dataclass(kw_only=True)
class TokenOptions(Options):
    """Of `train_tokens`."""

    steps: int = option(8000, "optimizer steps in all")
    batch: int = option(64, "pictures in a step")
    lr: float = option(1.5e-3, "highest learning rate")
    numbers: int = option(128, "in the latent")
    noise: float = option(0.22, "highest strength of the noise on the latent")
    width: int = option(768, "of the decoder's first layers")


class Residual(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        norm = [nn.GroupNorm(8, channels) for _ in range(2)]
        conv = [nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(2)]
        nn.init.zeros_(conv[1].weight)
        self.net = nn.Sequential(norm[0], nn.SiLU(), conv[0], norm[1], nn.SiLU(), conv[1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.net(x)


class Encoder(nn.Sequential):
    """Code vectors (n, c, 16, 16) to the latent (n, numbers) in [-1, 1]."""

    def __init__(self, channels: int, numbers: int) -> None:
        patches = (nn.PixelUnshuffle(4), nn.Conv2d(channels * 16, 192, 1))
        seen = (Residual(192), Residual(192), nn.GroupNorm(8, 192), nn.SiLU(), nn.Flatten())
        told = (nn.Linear(192 * 16, 512), nn.SiLU(), nn.Linear(512, numbers), nn.Tanh())
        super().__init__(*patches, *seen, *told)


class Decoder(nn.Module):
    """Latent (n, numbers), style (n,), place (n, 2) in [-1, 1] to code vectors (n, c, 16, 16)."""

    def __init__(self, channels: int, numbers: int, styles: int, width: int) -> None:
        super().__init__()
        self.style = nn.Embedding(styles, 32)
        self.into = nn.Linear(numbers + 32 + 2, width)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
            )
            for _ in range(2)
        )
        self.grid = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 256 * 16))
        doubled = (nn.Conv2d(256, 128 * 4, 1), nn.PixelShuffle(2), Residual(128), Residual(128))
        again = (nn.Conv2d(128, 64 * 4, 1), nn.PixelShuffle(2), Residual(64))
        end = (nn.GroupNorm(8, 64), nn.SiLU(), nn.Conv2d(64, channels, 3, 1, 1))
        self.net = nn.Sequential(Residual(256), *doubled, *again, *end)

    def forward(self, z: torch.Tensor, style: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        x = self.into(torch.cat([z, self.style(style), place], 1))
        for layer in self.layers:
            x = x + layer(x)
        return self.net(self.grid(x).view(-1, 256, 4, 4))


class Tokens(nn.Module):
    """Encoder, decoder and how sharply code vectors count as codes."""

    def __init__(self, channels: int, styles: int, options: TokenOptions) -> None:
        super().__init__()
        self.encoder = Encoder(channels, options.numbers)
        self.decoder = Decoder(channels, options.numbers, styles, options.width)
        self.sharpness = nn.Parameter(torch.tensor(-2.0))


def rounded(z: torch.Tensor) -> torch.Tensor:
    """Numbers in [-1, 1] at the nearest of `LEVELS` values (FSQ, Mentzer et al. 2023); gradients
    pass straight through."""
    half = (LEVELS - 1) / 2
    return z + ((z * half + 0.5).round().sub(0.5).clamp(-half, half) / half - z).detach()


def train_tokens(options: TokenOptions) -> Iterator[Trainer]:
    """Cross-entropy over a quarter of the codes and squared distance of all; yields after each
    measurement."""
    torch.manual_seed(options.seed)
    pair = load_pair("emoji", device="cpu")
    library = pair.library
    book = pair.vqgan.codebook.weight.detach()
    book = book / book.std()
    styles = [list(library.styles).index(drawing.style) for drawing in library.drawings]
    style_of, side = torch.tensor(styles), library.codes.shape[-1]
    codes = F.pad(library.codes[:, None].float(), (MOVED,) * 4, mode="replicate")[:, 0].short()
    model = Tokens(book.shape[1], len(library.styles), options).to(options.device)
    trainer = Trainer("tokens", model, options, weight_decay=0.01)
    facts = {"numbers": str(options.numbers), "hashes": json.dumps(pair.hashes)}
    cells, book = torch.arange(side), book.to(options.device)
    while not trainer.done:
        how = dict(generator=trainer.generator)
        at = torch.randint(len(codes), (options.batch,), **how)
        moved = torch.randint(2 * MOVED + 1, (2, len(at), 1), **how)
        rows, columns = cells + moved[0], cells + moved[1]
        index = codes[at[:, None, None], rows[:, :, None], columns[:, None]].long()
        index, style = index.to(options.device), style_of[at].to(options.device)
        place = (moved[..., 0].T / MOVED - 1).to(options.device)
        x = F.embedding(index, book).movedim(-1, 1)
        with autocast(options.device):
            z = model.encoder(x)
        z = rounded(z.float())
        strength = options.noise * torch.rand(len(at), 1, **how)
        strength *= torch.rand(len(at), 1, **how) < 0.6
        noise = (strength * torch.randn(z.shape, **how)).to(z)
        with autocast(options.device):
            y = model.decoder((z + noise).clamp(-1, 1), style, place)
        y = y.float()
        some = torch.randperm(index.numel(), **how)[: index.numel() // 4].to(options.device)
        seen, target = y.movedim(1, -1).flatten(0, 2)[some], index.flatten()[some]
        with autocast(options.device):
            near = 2 * seen @ book.T
        near = (near.float() - book.square().sum(1)) * model.sharpness.exp()
        entropy = F.cross_entropy(near, target, label_smoothing=0.02)
        distance = F.mse_loss(y, x)
        loss = entropy / 2 + 2 * distance
        trainer.optimizer_step(loss, entropy=entropy.item(), distance=distance.item())
        if trainer.due:
            trainer.report()
            trainer.export(trainer.average.module.state_dict(), facts)
            yield trainer


if __name__ == "__main__":
    run(train_tokens, parse(TokenOptions, __doc__))
