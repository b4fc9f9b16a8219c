"""Train the prior of what CLIP cannot read: a lighthouse, a doctor.

    python -m training.train_named OUT --minutes 42

Instead of a caption it is given a vector of its own for each drawing, which it learns. It begins
with the weights of the first prior that ships, or with --further with its own, and sees the
library's codes: all silhouettes, and the drawings in the first prior's style that no prior was
shown, or whose names CLIP's text side has no words for. An interrupted training goes on where it
was saved.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Collection
from pathlib import Path

import torch

from vqclip_nb.emoji.caption_words import article
from vqclip_nb.emoji.layers import SILHOUETTE
from vqclip_nb.emoji.library import Library
from vqclip_nb.emoji.prior import Prior
from vqclip_nb.emoji.priors import NAMED
from vqclip_nb.files import write_atomically
from vqclip_nb.loading import load_pair
from vqclip_nb.models.pair import Pair
from vqclip_nb.reading import read_prompt
from vqclip_nb.weights import write_state

from .sets import own_drawings, people_and_signs
from .train_prior import masked_loss

BATCH, RATE, RATE_OF_LABELS = 32, 8e-4, 5e-3
AGAIN = 3  # how often more than others what is new is seen, in a training that goes further
WITHOUT = 0.05  # share of the drawings that are shown without their vector
SMOOTHING = 0.02  # of labels
SAVE_EVERY = 250  # steps


def drawings(pair: Pair, library: Library, style: str) -> dict[str, int]:
    """Names of what is learned, as "style: label", with the drawings' numbers in the library."""
    found, unseen = {}, {*people_and_signs(), *own_drawings()}
    for drawing in library.drawings:
        unread = read_prompt(article(drawing.label), pair.clip.vocabulary).substitutions
        untaught = unread or drawing.label in unseen
        if drawing.style == SILHOUETTE or (drawing.style == style and untaught):
            found[f"{drawing.style}: {drawing.label}"] = drawing.index
    return found


def train(
    out: Path,
    minutes: float,
    seed: int = 0,
    *,
    further: bool = False,
    again: Collection[str] = (),
) -> Path:
    """Train for so many minutes of one core, and write OUT/prior.safetensors. further: begin with
    the one that ships; again: labels that were drawn anew since, which are learned as new ones."""
    pair = load_pair("emoji", device="cpu")
    style, first = next(iter(pair.wing.priors.items()))
    learned = drawings(pair, pair.wing.library, style)
    codes = pair.wing.library.codes[torch.tensor([*learned.values()])].long()
    torch.manual_seed(seed)
    prior = Prior(**first.config | {"labels": len(learned)}).train()
    prior.load_state_dict(first.state_dict(), strict=False)
    known = {*learned}
    if further:
        before = pair.wing.priors[NAMED]
        own_weights = {k: v for k, v in before.state_dict().items() if not k.startswith("labels.")}
        prior.load_state_dict(own_weights, strict=False)
        with torch.no_grad():
            for number, name in enumerate(learned):
                if name in before.names:
                    vector = before.labels.weight[before.names.index(name)]
                    prior.labels.weight[number] = vector
        known = {name for name in before.names if name.partition(": ")[2] not in again}
    new = [number for number, name in enumerate(learned) if name not in known]
    own = list(prior.labels.parameters())
    rest = [p for name, p in prior.named_parameters() if not name.startswith("labels.")]
    groups = [
        dict(params=rest, rate=RATE, weight_decay=0.01),
        dict(params=own, rate=RATE_OF_LABELS, weight_decay=0.0),
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    average = {name: value.clone() for name, value in prior.state_dict().items()}
    generator = torch.Generator().manual_seed(seed)
    step, spent, order, saved = 0, 0.0, list[int](), out / "state.pt"
    out.mkdir(parents=True, exist_ok=True)
    if saved.exists():
        state = torch.load(saved, weights_only=True)
        prior.load_state_dict(state["prior"])
        optimizer.load_state_dict(state["optimizer"])
        average, step, spent = state["average"], state["step"], state["spent"]
        generator.manual_seed(step)
    last = time.process_time()
    while (done := spent / (60 * minutes)) < 1:
        if len(order) < BATCH:
            turns = torch.tensor([*range(len(codes)), *new * AGAIN])
            order = turns[torch.randperm(len(turns), generator=generator)].tolist()
        at = torch.tensor([order.pop() for _ in range(BATCH)])
        token, keep, encoding = prior.told(at)
        keep = keep & (torch.rand(BATCH, 1, generator=generator) > WITHOUT)
        fall = min(1, (step + 1) / 100) * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * fall
        loss = masked_loss(prior, codes[at], (token, keep, encoding), generator, SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(prior.parameters(), 1.0)
        optimizer.step()
        step += 1
        with torch.no_grad():
            for name, value in prior.named_parameters():
                average[name].lerp_(value, 1 - min(0.998, step / (step + 20)))
        now = time.process_time()
        spent, last = spent + now - last, now
        if step % 50 == 0:
            print(f"step {step}, loss {loss.item():.2f}, {spent / 60:.1f} minutes", flush=True)
        if step % SAVE_EVERY == 0:
            state = dict(prior=prior.state_dict(), optimizer=optimizer.state_dict())
            state |= dict(average=average, step=step, spent=spent)
            write_atomically(saved, lambda part, state=state: torch.save(state, part))
    facts = {
        "config": json.dumps(first.config),
        "hashes": json.dumps(pair.hashes),
        "names": json.dumps([*learned]),
    }
    target = out / "prior.safetensors"
    write_state(target, {name: value.half() for name, value in average.items()}, facts)
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder for the weights")
    parser.add_argument("--minutes", type=float, default=42, help="of one core (default: 42)")
    parser.add_argument("--further", action="store_true", help="begin with the one that ships")
    parser.add_argument(
        "--again", nargs="+", default=[], metavar="LABEL", help="was drawn anew since"
    )
    given = parser.parse_args()
    if given.again and not given.further:
        parser.error("--again is of what was learned before: give --further too")
    print(train(given.out, given.minutes, further=given.further, again=given.again))
