"""Train the judge of styles: which hand a finished picture is drawn by.

    python -m training.train_styles DATA OUT --start SHAPES     # 12 minutes on one core

DATA is what `training.data` wrote. It learns from drawings in any pose, on any background,
through the VQGAN's codes, and never sees a painting. Every 20th thing is held back to measure with.
SHAPES: the judge of shapes' weights, whose first layers it begins with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from vqclip_nb.loading import load_pair

from .classifier import SIZE, STYLE_STAGES, Classifier
from .options import Options, option, parse
from .scenes import Scenes
from .sets import DRAWN, TRAINED
from .things import CodedThings
from .train_classifier import begin, logits_of, weights
from .trainer import Trainer, autocast, run

HELD_BACK = 20  # one of so many things is not trained on


@dataclass(kw_only=True)
class StyleOptions(Options):
    """Of `train_styles`."""

    steps: int = option(1600, "optimizer steps in all")
    batch: int = option(64, "pictures in a step")
    lr: float = option(5e-4, "highest learning rate")
    start: Path | None = option(None, "the judge of shapes' weights; left out: begin at random")
    measured: int = option(320, "pictures that each measurement looks at")
    coded: int = option(2400, "pictures through the VQGAN's codes that are kept at a time")


def measure(model: Classifier, unseen: CodedThings) -> dict[str, float]:
    """Share of drawings of things never seen whose style is right: of all styles, and of those
    that the CLIP learned among these."""
    x = F.interpolate(unseen.pictures.float() / 255, (SIZE, SIZE), mode="bilinear", antialias=True)
    logits, style = logits_of(model, x), unseen.rows[:, 0]
    learned = torch.tensor([name in TRAINED for name in DRAWN])
    few = logits.masked_fill(~learned, -1e9).argmax(1)
    return {
        "right": float((logits.argmax(1) == style).float().mean()),
        "learned": float((few == style)[learned[style]].float().mean()),
    }


def train_styles(options: StyleOptions) -> Iterator[Trainer]:
    """Cross-entropy over the library's styles; yields after each measurement."""
    torch.manual_seed(options.seed)
    scenes = Scenes(options.data, styles=DRAWN, unread=True)
    vqgan = load_pair("emoji", device="cpu").vqgan.to(memory_format=torch.channels_last)
    back = scenes.pairs[:, 1] % HELD_BACK == 0
    asked = dict(noise=0.2, flat=0, scale=(0.7, 1.05))  # nearly as the loop leaves them
    kept = CodedThings(scenes, vqgan, options.coded, pairs=scenes.pairs[~back], **asked)
    unseen = CodedThings(scenes, vqgan, options.measured, pairs=scenes.pairs[back], **asked)
    model = Classifier(len(DRAWN), STYLE_STAGES)
    if options.start:
        begin(model, options.start)
    model = model.to(options.device, memory_format=torch.channels_last)
    trainer = Trainer("styles", model, options, weight_decay=0.05, parts={"kept": kept})
    unseen.fill(torch.Generator().manual_seed(10**9))
    if trainer.step == 0:
        kept.fill(trainer.generator)
    while not trainer.done:
        model.train()
        kept.renew(4, trainer.generator)
        x, rows = kept.draw(options.batch, trainer.generator)
        x, truth = x.to(options.device, memory_format=torch.channels_last), rows[:, 0]
        with autocast(options.device):
            logits = model(x).float()
        loss = F.cross_entropy(logits, truth.to(options.device), label_smoothing=0.05)
        right = (logits.argmax(1).cpu() == truth).float().mean()
        trainer.optimizer_step(loss, loss=loss.item(), right=right.item())
        if trainer.due:
            average = trainer.average.module
            trainer.report(**measure(average, unseen))
            trainer.export(weights(average), {"names": json.dumps(DRAWN)})
            yield trainer


if __name__ == "__main__":
    run(train_styles, parse(StyleOptions, __doc__))
