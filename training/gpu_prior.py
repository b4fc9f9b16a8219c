"""Train the prior on a GPU: all drawings of the library, bare names, the style as a token.

    OUT=run bash training/gpu_prior.sh                      # ten minutes of one GPU
    python -m training.gpu_prior DATA OUT --steps 40000     # DATA is not read

The codes are those of library.safetensors, moved by whole cells. OUT gets a checkpoint, weights, a
log and a sheet of samples; the same command goes on from the checkpoint.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from vqclip_nb.emoji.caption_words import article
from vqclip_nb.emoji.library import Library
from vqclip_nb.emoji.prior import STYLE, Prior, caption_tokens
from vqclip_nb.files import write_atomically
from vqclip_nb.images import to_pil
from vqclip_nb.loading import load_pair
from vqclip_nb.models.pair import Pair
from vqclip_nb.show import contact_sheet

from .networks import half
from .options import Options, option, parse
from .train_prior import masked_loss
from .trainer import Trainer, run

MOVED = 1  # cells, at most, up or down and left or right


@dataclass(kw_only=True)
class GpuPriorOptions(Options):
    """Of `gpu_prior`."""

    steps: int = option(40_000, "optimizer steps in all")
    batch: int = option(1024, "pictures in a step")
    lr: float = option(1e-3, "highest learning rate")
    width: int = option(256, "of the transformer, a multiple of 64")
    layers: int = option(8, "of the transformer")
    seconds: float = option(60.0, "between samples, weights and checkpoints")
    limit: float = option(0.0, "minutes after which it stops, to go on later; 0 is none")


class LibraryCodes:
    """Codes and captions of a library's drawings.

    caption: for each drawing as a `Prior` takes it, its name on white without a style, and
    behind that a token that says the style.
    """

    def __init__(self, pair: Pair, library: Library, *, batch: int = 512) -> None:
        self.styles = list(library.styles)
        self.names = [drawing.label for drawing in library.drawings]
        self.style = torch.tensor([self.styles.index(d.style) for d in library.drawings])
        padded = F.pad(library.codes[:, None].float(), (MOVED,) * 4, mode="replicate")
        self._codes, self.side = padded[:, 0].short(), library.codes.shape[-1]
        different = list(dict.fromkeys(self.names))
        ground = pair.default_background  # as `emoji.forming` asks for it
        self._place = torch.tensor([different.index(name) for name in self.names])
        parts = []
        for i in range(0, len(different), batch):
            said = [f"{article(name)} {ground}" for name in different[i : i + batch]]
            parts.append(caption_tokens(pair.clip.model, said))
        longest = max(tokens.shape[1] for tokens, _, _ in parts)
        self.tokens, self.keep = (
            torch.cat([_longer(part[k], longest) for part in parts]) for k in (0, 1)
        )
        self.encoding = torch.cat([encoding for _, _, encoding in parts])

    def caption(self, at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Tokens (n, t, width), which count (n, t), and encodings (n, d) of drawings `at` (n,)."""
        name = self._place[at]
        style = F.one_hot(self.style[at], self.tokens.shape[2])[:, None] * STYLE
        tokens = torch.cat([self.tokens[name], style.to(self.tokens)], 1)
        keep = torch.cat([self.keep[name], torch.ones(len(at), 1, dtype=torch.bool)], 1)
        return tokens, keep, self.encoding[name]

    def codes(self, at: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Codes (n, side, side) of drawings `at` (n,), each moved by up to `MOVED` cells."""
        cells, how = torch.arange(self.side), dict(generator=generator)
        rows, columns = (cells + torch.randint(2 * MOVED + 1, (len(at), 1), **how) for _ in "yx")
        return self._codes[at[:, None, None], rows[:, :, None], columns[:, None]].long()


def _longer(x: torch.Tensor, length: int) -> torch.Tensor:
    """Tokens (n, t, ...) with zeros behind them, (n, length, ...)."""
    return torch.cat([x, x.new_zeros(len(x), length - x.shape[1], *x.shape[2:])], 1)


def gpu_prior(options: GpuPriorOptions) -> Iterator[Trainer]:
    """Masked prediction of codes in bfloat16; yields after each checkpoint. For a tenth of the
    pictures name and style are left out, for guidance, and for a tenth the style alone."""
    torch.manual_seed(options.seed)
    pair = load_pair("emoji", device="cpu")
    drawings = LibraryCodes(pair, pair.library)
    prior = Prior(
        pair.vqgan.codebook.num_embeddings,
        drawings.side,
        width=options.width,
        layers=options.layers,
        heads=options.width // 64,
        text_width=drawings.tokens.shape[2],
        encoding=drawings.encoding.shape[1],
    ).to(options.device)
    trainer = Trainer("prior", prior, options, weight_decay=0.03)
    facts = {"config": json.dumps(prior.config), "hashes": json.dumps(pair.hashes)}
    facts["styles"] = json.dumps(drawings.styles)
    shown = torch.from_numpy(np.random.default_rng(1).permutation(len(drawings.names))[:32])
    began = told = time.monotonic()
    while not trainer.done:
        generator = trainer.generator
        at = torch.randint(len(drawings.names), (options.batch,), generator=generator)
        tokens, keep, encoding = drawings.caption(at)
        left_out = torch.rand(len(at), 1, generator=generator)
        keep = keep & (left_out > 0.1)
        keep[:, -1:] &= left_out < 0.9
        caption = tuple(x.to(options.device) for x in (tokens, keep, encoding))
        index = drawings.codes(at, generator)
        loss = masked_loss(prior, index, caption, generator, 0.02)
        trainer.optimizer_step(loss, loss=loss.item())
        now = time.monotonic()
        over = bool(options.limit) and now - began > 60 * options.limit
        if trainer.done or over or now - told > options.seconds:
            told = now
            average = trainer.average.module
            trainer.report()
            trainer.export(half(average.state_dict()), facts)
            given = tuple(x.to(options.device) for x in drawings.caption(shown))
            codes = average.sample(given, generator=torch.Generator().manual_seed(0)).cpu()
            z = pair.vqgan.codebook_vectors(codes)
            pictures = [to_pil(p) for p in pair.vqgan.synthesize(z, quantize=False)]
            names = [drawings.names[i] for i in shown.tolist()]
            sheet = contact_sheet(pictures, names, columns=8)
            path = options.out / f"prior-{trainer.step}.png"
            write_atomically(path, partial(sheet.savefig, dpi=80))
            yield trainer
        if over:
            return


def main(argv: list[str] | None = None) -> None:
    run(gpu_prior, parse(GpuPriorOptions, __doc__, sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    main()
