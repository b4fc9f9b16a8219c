"""Train what gives a formed thing more cells: of its codes at 128×128 those at 256×256.

    python -m training.data DATA --size 256
    python -m training.train_upscaler DATA OUT --steps 4000    # --further: with the one that ships

As Muse's second transformer (Chang et al. 2023), but in one step: it sees all codes of a drawing as
the priors draw it, and gives for each the four that the same drawing has with twice as many pixels.
OUT gets upscaler.safetensors, which `join_priors upscaler=OUT/upscaler.safetensors` puts into the
package.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from vqclip_nb.emoji.priors import Upscaler
from vqclip_nb.emoji.wing import USUAL
from vqclip_nb.files import write_atomically
from vqclip_nb.images import to_pil
from vqclip_nb.loading import load_pair
from vqclip_nb.models.pair import Pair
from vqclip_nb.models.vqgan import VQGAN

from .build_library import fills_square
from .networks import half
from .options import Options, option, parse
from .sets import OWN_STYLE, STYLES, own_drawings
from .trainer import Trainer, autocast, run

log = logging.getLogger(__name__)

SHOWN = 8  # drawings on a sheet
OFTEN = 4  # how often a drawing of our own is seen; others of the usual styles twice
UPRIGHT, OF_NAMED = 0.8, 0.85  # sizes at which the priors of styles, and that of names, draw
MOVED = 0.15  # share of the drawings that are anywhere, mirrored or not
CELLS = 320  # of a drawing that a step asks for
GROUND = 0.3  # plain ground comes behind most other cells
CHANGED = 0.1  # largest share of the codes that are wrong


@dataclass(kw_only=True)
class UpscalerOptions(Options):
    """Of `train_upscaler`."""

    batch: int = option(32, "drawings in a step")
    lr: float = option(1.5e-3, "highest learning rate")
    width: int = option(256, "of the transformer, a multiple of 64")
    layers: int = option(5, "of the transformer")
    further: bool = option(False, "begin with the one that ships")
    measured: int = option(64, "drawings that each measurement looks at")


class Drawings:
    """Codes of the library's drawings that a prior draws, on white, at both sizes: as the priors
    draw them, and in another pose. `cache` keeps them; what it lacks is added."""

    def __init__(self, folder: Path, pair: Pair, cache: Path) -> None:
        self.sprites = np.load(folder / "sprites.npy", mmap_mode="r")
        told = json.loads((folder / "concepts.json").read_text(encoding="utf8"))
        place = {concept["label"]: i for i, concept in enumerate(told)}
        priors, own, rows = pair.wing.priors, {*own_drawings()}, list(STYLES)
        self.drawings, turns = [], list[int]()
        for drawing in pair.wing.library.drawings:
            mine = drawing.style == OWN_STYLE and drawing.label in own
            named = mine or f"{drawing.style}: {drawing.label}" in priors.names
            if drawing.label in place and (named or drawing.style in priors):
                often = OFTEN if mine else 2 if named or drawing.style in USUAL else 1
                turns += [len(self.drawings)] * often
                at = rows.index(drawing.style), place[drawing.label]
                self.drawings.append((at, OF_NAMED if named else UPRIGHT))
        self.turns = torch.tensor(turns)
        side = self.sprites.shape[2] // 2 // pair.vqgan.downsample_factor
        kept = [torch.zeros(0, n * side, n * side, dtype=torch.short) for n in (1, 2, 1, 2)]
        if cache.exists():
            kept = torch.load(cache, weights_only=True)
        new = range(len(kept[0]), len(self.drawings))
        if new:
            log.info("coding %d drawings", len(new))
            made = [*self._coded(new, pair.vqgan), *self._coded(new, pair.vqgan, moved=True)]
            kept = [
                torch.cat([*([a] if len(a) else []), b]) for a, b in zip(kept, made, strict=True)
            ]
            write_atomically(cache, lambda part: torch.save(kept, part))
        self.small, self.large, self.moved, self.moved_large = (codes.long() for codes in kept)
        white = pair.vqgan.encode(torch.ones(1, 3, *self.sprites.shape[2:4]))
        self.ground = pair.vqgan.codebook_indices(white).unique()

    def _picture(self, number: int, rng: np.random.Generator | None) -> torch.Tensor:
        """(1, 3, side, side) in [0, 1]; with an rng anywhere."""
        (at, scale), side = self.drawings[number], self.sprites.shape[2]
        x = torch.from_numpy(self.sprites[at].copy()).permute(2, 0, 1)[None]
        inner = int((rng.uniform(0.7, 0.92) if rng else scale) * side)
        inner, x = side if fills_square(x) else inner, x.float() / 255
        x = F.interpolate(x, (inner, inner), mode="bilinear", antialias=True)
        left, top = rng.integers(0, side - inner + 1, 2) if rng else [(side - inner) // 2] * 2
        x = F.pad(x, (left, side - inner - left, top, side - inner - top))
        x = (x[:, :3] + 1 - x[:, 3:]).clamp(0, 1)
        return x.flip(3) if rng and rng.random() < 0.5 else x

    @torch.no_grad()
    def _coded(self, numbers: range, vqgan: VQGAN, moved: bool = False) -> list[torch.Tensor]:
        """Codes of drawings with half of their pixels, (n, side, side), and with all."""
        rng, found = np.random.default_rng(numbers.start) if moved else None, []
        for some in torch.tensor([*numbers]).split(16):
            x = torch.cat([self._picture(number, rng) for number in some.tolist()])
            for size in (F.avg_pool2d(x, 2), x):
                with autocast():
                    z = vqgan.encode(size.contiguous(memory_format=torch.channels_last))
                found.append(vqgan.codebook_indices(z.float()).short())
        return [torch.cat(found[::2]), torch.cat(found[1::2])]

    def batch(self, n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes (n, side, side), some of them changed, and those wanted (n, 2 side, 2 side)."""
        at = self.turns[torch.randint(len(self.turns), (n,), generator=generator)]
        moved = (torch.rand(n, generator=generator) < MOVED)[:, None, None]
        given = torch.where(moved, self.moved[at], self.small[at])
        wanted = torch.where(moved, self.moved_large[at], self.large[at])
        share = CHANGED * torch.rand(n, 2, generator=generator).prod(1)[:, None, None]
        others = self.small[torch.randint(len(self.small), (n,), generator=generator)]
        wrong = torch.rand(given.shape, generator=generator) < share
        return torch.where(wrong, others, given), wanted

    def cells(self, wanted: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """`CELLS` of each drawing (n, CELLS), as numbers of its cells."""
        level = torch.rand(wanted.shape, generator=generator)
        level = torch.where(torch.isin(wanted, self.ground), GROUND * level, level)
        return level.flatten(1).topk(min(CELLS, level[0].numel())).indices


def begun(pair: Pair, side: int, options: UpscalerOptions) -> Upscaler:
    """One that has learned nothing but which codes look alike; or the one that ships."""
    if options.further:
        return copy.deepcopy(pair.wing.priors.upscaler).train().requires_grad_(True)
    codes = pair.vqgan.codebook.weight
    count, channels = codes.shape
    model = Upscaler(count, channels, side=side, width=options.width, layers=options.layers)
    codes = F.normalize(codes - codes.mean(0), dim=1)
    with torch.no_grad():
        turned = torch.randn(channels, model.embedding.embedding_dim)
        model.embedding.weight.copy_(codes @ turned / turned.shape[1] ** 0.5)
    return model


def train_upscaler(options: UpscalerOptions) -> Iterator[Trainer]:
    """Cross-entropy of the codes; yields after each measurement."""
    torch.manual_seed(options.seed)
    pair = load_pair("emoji", device="cpu")
    vqgan = pair.vqgan
    options.out.mkdir(parents=True, exist_ok=True)
    drawings = Drawings(options.data, pair, options.out / "codes.pt")
    model = begun(pair, drawings.small.shape[-1], options).to(options.device)
    trainer = Trainer("upscaler", model, options, weight_decay=1e-2)
    some = torch.randperm(len(drawings.small), generator=torch.Generator().manual_seed(1))
    some = some[: options.measured]
    while not trainer.done:
        given, wanted = drawings.batch(options.batch, trainer.generator)
        cells = drawings.cells(wanted, trainer.generator)
        with autocast(options.device):
            features = model.features(vqgan.codebook_vectors(given).to(options.device))
            own = features.flatten(1, 2)[torch.arange(len(cells))[:, None], cells]
            logits = model.score(own)
        wanted = wanted.flatten(1).gather(1, cells).to(logits.device)
        loss = F.cross_entropy(logits.float().flatten(0, 1), wanted.flatten())
        trainer.optimizer_step(loss, nats=loss.item())
        if trainer.due:
            measure(trainer, pair, drawings, some)
            yield trainer


@torch.no_grad()
def measure(trainer: Trainer, pair: Pair, drawings: Drawings, some: torch.Tensor) -> None:
    """Report how many of the codes of `some` drawings are right, and the pictures' PSNR against
    those of the right codes; write weights, and a sheet."""
    model, vqgan = trainer.average.module, pair.vqgan
    codebook = vqgan.codebook.weight
    given, wanted = drawings.small[some], drawings.large[some]
    vectors = vqgan.codebook_vectors(given)
    z = torch.cat([model(part.to(model.bias.device), codebook).cpu() for part in vectors.split(16)])
    right = (vqgan.codebook_indices(z) == wanted)[~torch.isin(wanted, drawings.ground)]

    def shown(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([vqgan.synthesize(part, quantize=False) for part in x.split(16)])

    best, made = shown(vqgan.codebook_vectors(wanted)), shown(z)
    psnr = -10 * (best - made).square().mean().log10()
    trainer.report(right=float(right.float().mean()), psnr=float(psnr))
    count, channels = codebook.shape
    config = dict(codes=count, channels=channels, side=given.shape[-1])
    config |= dict(width=model.width, layers=len(model.blocks))
    told = {"config": json.dumps(config), "hashes": json.dumps(pair.hashes)}
    trainer.export(half(model.state_dict()), told)
    coarse = F.interpolate(shown(vectors[:SHOWN]), scale_factor=2, mode="bicubic")
    rows = [torch.cat([*pictures[:SHOWN]], 2) for pictures in (best, coarse, made)]
    sheet = to_pil(torch.cat(rows, 1).clamp(0, 1))
    path = trainer.options.out / f"upscaler-{trainer.step}.png"
    write_atomically(path, partial(sheet.save, format="PNG"))


if __name__ == "__main__":
    run(train_upscaler, parse(UpscalerOptions, __doc__))
