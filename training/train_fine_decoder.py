"""Train the decoder of what has formed: the codes of the finished VQGAN, twice as many pixels.

    python -m training.data DATA --size 256
    python -m training.train_fine_decoder DATA OUT --imagenet FILE --steps 2000

It begins as the VQGAN's own decoder with one level more. Single drawings of all styles on white,
coded at 128×128 as the prior draws them, are to come back as they are at 256×256: pixels, ImageNet
features and a discriminator, as in `train_decoder`. OUT gets fine.safetensors, which
`join_priors fine=OUT/fine.safetensors` puts into the package.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file

from vqclip_nb.emoji.priors import FineDecoder
from vqclip_nb.files import write_atomically
from vqclip_nb.images import norm_data, to_pil
from vqclip_nb.models.vqgan import VQGAN

from .augmentations import chance
from .losses import Discriminator, ImageNetFeatures, decoder_loss
from .networks import half
from .options import option, parse
from .sets import DRAWN, STYLES
from .train_decoder import DecoderOptions
from .trainer import Trainer, autocast, run

SHOWN = 4  # drawings on a sheet


@dataclass(kw_only=True)
class FineOptions(DecoderOptions):
    """Of `train_fine_decoder`."""

    batch: int = option(6, "pictures in a step")
    lr: float = option(6e-4, "highest learning rate")
    measured: int = option(16, "drawings that each measurement looks at")
    noise: float = option(0.15, "spread of the noise on a quarter of the latents, before the codes")


class Drawings:
    """Every drawing of what `training.data` wrote, alone on white, scaled, moved and mirrored."""

    def __init__(self, folder: Path) -> None:
        self.sprites = np.load(folder / "sprites.npy", mmap_mode="r")
        rows, count = [list(STYLES).index(style) for style in DRAWN], self.sprites.shape[1]
        some = self.sprites[:, :, ::8, ::8, 3].reshape(len(STYLES), count, -1).any(2)
        self.which = [(row, place) for row in rows for place in range(count) if some[row, place]]

    def batch(self, n: int, rng: np.random.Generator) -> torch.Tensor:
        """(n, 3, side, side) in [0, 1]."""
        side, found = self.sprites.shape[2], []
        for at in rng.permutation(len(self.which))[:n]:
            sprite = torch.from_numpy(self.sprites[self.which[at]].copy())
            x = sprite.permute(2, 0, 1)[None].float() / 255
            inner = int(rng.uniform(0.7, 0.92) * side)
            x = F.interpolate(x, (inner, inner), mode="bilinear", antialias=True)
            left, top = rng.integers(0, side - inner + 1, 2)
            x = F.pad(x, (left, side - inner - left, top, side - inner - top))
            x = x[:, :3] + 1 - x[:, 3:]
            found.append(x.flip(3) if rng.random() < 0.5 else x)
        return torch.cat(found).clamp(0, 1)


def fine_config(config: dict[str, Any]) -> dict[str, Any]:
    """That of `FineDecoder` for a VQGAN of `config`."""
    own = config["ddconfig"]
    levels = {"ch_mult": [1, *own["ch_mult"]], "resolution": 2 * own["resolution"]}
    return config | {"ddconfig": own | levels}


def begun(config: dict[str, Any], vqgan: VQGAN) -> FineDecoder:
    """A decoder of `config` with the weights of one that lacks its last level."""
    decoder = FineDecoder(config)
    decoder.before.load_state_dict(vqgan.post_quant_conv.state_dict())
    held = decoder.decoder.state_dict()
    for key, value in vqgan.decoder.state_dict().items():
        if key.startswith("up."):
            _, level, rest = key.split(".", 2)
            key = f"up.{int(level) + 1}.{rest}"
        if key in held and held[key].shape == value.shape:
            held[key] = value
    decoder.decoder.load_state_dict(held)
    return decoder


def train_fine_decoder(options: FineOptions) -> Iterator[Trainer]:
    """Reconstruction, perceptual and adversarial training; yields after each measurement."""
    torch.manual_seed(options.seed)
    with safe_open(options.start, "pt") as file:
        config = json.loads(file.metadata()["config"])
    vqgan = VQGAN.from_state(config, load_file(options.start))
    model = begun(fine_config(config), vqgan)
    for part in (model, vqgan):
        part.to(options.device, memory_format=torch.channels_last)
    discriminator = Discriminator(options.device)
    parts = {"discriminator": discriminator}
    trainer = Trainer("fine", model, options, weight_decay=1e-4, parts=parts)
    features = ImageNetFeatures(options.imagenet).to(options.device) if options.imagenet else None
    drawings = Drawings(options.data)
    shown = drawings.batch(options.measured, np.random.default_rng(1)).to(options.device)

    @torch.no_grad()
    def coded(x: torch.Tensor, spread: torch.Tensor | float = 0.0) -> torch.Tensor:
        z = vqgan.encode(F.avg_pool2d(x, 2))
        noise = torch.randn(z.shape, generator=trainer.generator).to(z.device)
        return vqgan.quantize(z + spread * noise)

    while not trainer.done:
        x = drawings.batch(options.batch, trainer.rng).to(options.device)
        noisy = chance(len(x), 0.25, trainer.generator).to(x.device)
        codes = coded(x, options.noise * noisy)
        x = x.contiguous(memory_format=torch.channels_last) * 2 - 1
        with autocast(options.device):
            y = model(codes).float()
        loss, figures = decoder_loss(y, x, options, trainer.step, features, discriminator)
        trainer.optimizer_step(loss, **figures)
        if trainer.due:
            average = trainer.average.module
            with torch.no_grad():
                codes = coded(shown)
                fine = norm_data(average(codes))
                coarse = F.interpolate(
                    vqgan.synthesize(codes, quantize=False), shown.shape[2:], mode="bicubic"
                )
            trainer.report(psnr=psnr(fine, shown), enlarged=psnr(coarse, shown))
            told = {"config": json.dumps(fine_config(config))}
            trainer.export(half(average.state_dict()), told)
            rows = [torch.cat([*pictures[:SHOWN]], 2) for pictures in (shown, coarse, fine)]
            sheet = to_pil(torch.cat(rows, 1).clamp(0, 1))
            path = options.out / f"fine-{trainer.step}.png"
            write_atomically(path, partial(sheet.save, format="PNG"))
            yield trainer


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """In dB, of pictures in [0, 1]."""
    return float(-10 * (a - b).square().mean().log10())


if __name__ == "__main__":
    run(train_fine_decoder, parse(FineOptions, __doc__))
