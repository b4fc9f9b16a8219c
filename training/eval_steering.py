"""Does a prompt that is changed while the picture forms change the picture?

    python -m training.eval_steering OUT --loosen 0 0.3 0.6 1 --seeds 3

For each `loosen`: how often the judge prefers the new prompt (of eight pairs of prompts × seeds),
beside how often it does for the library's drawing of it (the ceiling); how often the border takes a
new background's colour; and how like the unchanged thing stays (cosine of the judge's encodings,
before and after the change). OUT gets a sheet for each.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm.auto import tqdm

from vqclip_nb.emoji.caption_words import COLOURS
from vqclip_nb.experiments.scores import picture_encoding, similarity
from vqclip_nb.images import to_pil
from vqclip_nb.loading import load_judge, load_pair
from vqclip_nb.models.clip import ClipModel
from vqclip_nb.models.pair import Pair
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings
from vqclip_nb.show import contact_sheet

CHANGES = (  # from, to, and whether the thing stays
    ("a cat on a green background", "a cat on a red background", True),
    ("a rocket on a white background", "a rocket on a black background", True),
    ("a cat", "a sunflower", False),
    ("a castle", "a frog", False),
    ("a cartoon of a fox", "a line drawing of a fox", True),
    ("a sticker of a house", "a 3d render of a house", True),
    ("a red car", "a blue car", True),
    ("a yellow heart", "a green heart", True),
)
AT, STEPS = 20, 60  # the change, of so many steps


def border(image: Image.Image) -> np.ndarray:
    """Mean colour (3,) of the outermost eight pixels, 0 to 255."""
    x = np.asarray(image, float)
    inside = np.zeros(x.shape[:2], bool)
    inside[8:-8, 8:-8] = True
    return x[~inside].mean(0)


def nearest_colour(image: Image.Image) -> str:
    """Which of the named background colours the border has."""
    return min(COLOURS, key=lambda name: np.abs(border(image) - COLOURS[name]).sum())


def steered(pair: Pair, before: str, after: str, seed: int, loosen: float) -> Image.Image:
    """The picture of a prompt that is changed in mid-run."""
    run = Run(pair, Settings(include=[before], seed=seed, total_iter=STEPS, loosen=loosen))
    for frame in run:
        if frame.iteration == AT - 1:
            run.change(include=[after])
    return run.image


def prefers(judge: ClipModel, image: Image.Image, one: str, other: str) -> bool:
    return similarity(judge, image, one) > similarity(judge, image, other)


def drawing(pair: Pair, prompt: str) -> Image.Image:
    """The library's drawing for a prompt through the VQGAN's codes."""
    side, settings = pair.size, Settings(include=[prompt], start="library")
    start = pair.start(pair.read(prompt), settings, (side, side), seed=0)
    z = pair.vqgan.quantize(start.latent(pair.vqgan))
    with torch.no_grad():
        return to_pil(pair.vqgan.synthesize(z, quantize=False)[0])


def measure(
    pair: Pair, judge: ClipModel, loosen: float, seeds: int
) -> tuple[dict[str, float], list[Image.Image]]:
    """The figures of one `loosen`, and the pictures: before, after, for each change of seed 0."""
    follows, borders, stays, shown = [], [], [], []
    drawn = [prefers(judge, drawing(pair, after), after, before) for before, after, _ in CHANGES]
    asked = [(change, seed) for change in CHANGES for seed in range(seeds)]
    for (before, after, same), seed in tqdm(asked, desc=f"loosen {loosen:g}"):
        first = Run(pair, Settings(include=[before], seed=seed, total_iter=STEPS))
        list(first)
        image = steered(pair, before, after, seed, loosen)
        follows.append(prefers(judge, image, after, before))
        if after.endswith("background"):
            borders.append(f" {nearest_colour(image)} " in after)
        if same:
            a, b = (picture_encoding(judge, picture) for picture in (first.image, image))
            stays.append(torch.cosine_similarity(a, b).item())
        if seed == 0:
            shown += [first.image, image]
    figures = dict(loosen=loosen, follows=np.mean(follows), ceiling=np.mean(drawn))
    return figures | dict(border=np.mean(borders), stays=np.mean(stays)), shown


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--loosen", type=float, nargs="+", default=[0.0, 0.3, 0.6, 1.0])
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    pair, judge = load_pair("emoji", device="cpu"), load_judge("emoji", device="cpu")
    titles = [text for before, after, _ in CHANGES for text in (before, f"then {after}")]
    for loosen in args.loosen:
        figures, shown = measure(pair, judge, loosen, args.seeds)
        print(json.dumps({k: round(float(v), 3) for k, v in figures.items()}), flush=True)
        contact_sheet(shown, titles).savefig(args.out / f"loosen-{loosen:g}.png", dpi=100)


if __name__ == "__main__":
    main()
