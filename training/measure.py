"""What the pair that ships can do, in figures and pictures, on fixed seeds.

    python -m training.measure read DATA      # names in an unseen style, reconstructions
    python -m training.measure paint OUT      # paints prompts; the judge says what it sees
    python -m training.measure sheet OUT      # 64 prompts, a picture of each
    python -m training.measure everyday OUT   # 20 that people really type, alike
    python -m training.measure hands OUT      # four things in each style
    python -m training.measure candidates OUT # 12 prompts, four seeds of each

DATA is what `training.data` wrote. OUT gets the pictures and a sheet of them, named as
what was asked for, a PNG and a JPEG; what is there is not painted again. From the candidates one
chooses by eye what is shown first.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas
import torch
import torch.nn.functional as F
from PIL import Image

from vqclip_nb.emoji.caption_words import COLOURS
from vqclip_nb.experiments.grid import grid
from vqclip_nb.experiments.scores import concepts, picture_encoding
from vqclip_nb.images import norm_data, open_image, to_pil
from vqclip_nb.loading import load_judge, load_pair
from vqclip_nb.models.clip import ClipModel
from vqclip_nb.models.pair import Pair
from vqclip_nb.show import contact_sheet

from .classifier import load_style_judge
from .evaluate import reconstruction, zero_shot_accuracy
from .scenes import Scenes
from .sets import DRAWN, STYLES, TRAINED

SHEET = """
a pineapple, a strawberry, a sunflower, a carrot, a red apple, a banana, a watermelon, an avocado
a fox, a frog, an owl, a penguin, a tiger, a whale, a butterfly, a lady beetle
a pizza, a hamburger, a doughnut, an ice cream, a cup of tea, a birthday cake, sushi, a lollipop
a rocket, a sailboat, a police car, an airplane, a tractor, a bicycle, a train, a helicopter
a house, a castle, a tent, a volcano, a rainbow, a snowman, a fire, a moon
a guitar, a hammer, a key, an umbrella, a light bulb, an alarm clock, a balloon, a soccer ball
a pineapple in a bowl, a fox next to a tree, a cat on a bed, a rocket above a house
a fish in a glass of milk, a crown on a frog, an owl and a moon, a cactus next to a snowman
a sunflower on a blue background, a 3d render of a fox on a blue background
a line drawing of a fox, a sticker of a robot on a yellow background, a blue cat
a flat icon of a tree on a pink background, a green heart on a black background
a cartoon of a ghost on a purple background
"""
EVERYDAY = """
a cat, sunset over the ocean, a red car, pineapple in a bowl, a portrait of a woman
cyberpunk city at night, an apple on a table, two dogs, a happy robot, the Eiffel tower
abstract art, a dragon breathing fire, mountain lake, a green frog in oil painting style
happy birthday, a house in the snow, pizza, a spaceship, owl, a purple elephant
"""
CANDIDATES = """
a pineapple on a white background, a sunflower on a blue background, a fire on a black background
a purple elephant, a 3d render of a strawberry on a pink background, an owl next to a tree
a pineapple in a bowl, a fox, a rocket on a dark blue background, a butterfly on a white background
a pineapple on a blue background, a cupcake
"""
HANDS = "\n".join(
    f"{STYLES[style].words[0]} {thing}"
    for thing in ("a frog", "a guitar", "a penguin on a yellow background", "a castle")
    for style in DRAWN
)
SHEETS = {"sheet": SHEET, "everyday": EVERYDAY, "candidates": CANDIDATES, "hands": HANDS}
COLUMNS = {"everyday": 5, "hands": len(DRAWN)}  # else 8
SEEDS = (0, 1, 2, 3)  # of a candidate


def plain(count: int) -> list[str]:
    """`count` names of single things, drawn with a fixed seed."""
    names = concepts()
    return [names[i] for i in np.random.default_rng(0).permutation(len(names))[:count]]


def dressed(count: int) -> list[tuple[str, str, str]]:
    """`count` times a thing, the words of its style and the colour of its background."""
    rng = np.random.default_rng(1)
    styles, colours = [STYLES[s].words[0] for s in TRAINED], list(COLOURS)
    things = plain(len(concepts()))[-count:]
    return [
        (thing, styles[rng.integers(len(styles))], colours[rng.integers(len(colours))])
        for thing in things
    ]


def ceiling(pair: Pair, prompt: str) -> Image.Image | None:
    """The library's drawing of a prompt, through the VQGAN's codes and back."""
    start = pair.library.find(prompt, size=(pair.size, pair.size))
    if start is None:
        return None
    with torch.no_grad():
        z = pair.vqgan.quantize(start.latent(pair.vqgan))
        return to_pil(pair.vqgan.synthesize(z, quantize=False)[0])


def seen(judge: ClipModel, picture: torch.Tensor, texts: list[str]) -> int:
    """Which of `texts` the judge finds nearest to a picture's encoding (1, d)."""
    return int((picture @ F.normalize(judge.encode_text(texts), dim=-1).T).argmax())


def paint(prompts: list[str], folder: Path, workers: int, changes: dict) -> pandas.DataFrame:
    """A row of scores and a picture for each prompt, default settings, in `workers` processes."""
    own = dict(initializer=torch.set_num_threads, initargs=(1,), mp_context=get_context("spawn"))
    with ProcessPoolExecutor(workers, **own) as executor:
        return grid("emoji", folder=folder, executor=executor, include=prompts, **changes)


def paint_sheet(what: str, out: Path, *, workers: int, changes: dict) -> None:
    """OUT/WHAT.png and .jpg: each prompt's picture with the prompt below; of candidates one for
    each seed, with the seed."""
    prompts = re.split(r", |\n", SHEETS[what].strip())
    seeds = {"seed": list(SEEDS)} if what == "candidates" else {}
    frame = paint(prompts, out, workers, seeds | changes)
    titles = frame.include
    if seeds:
        titles = [f"{p}, seed {s}" for p, s in zip(frame.include, frame.seed, strict=True)]
    columns = COLUMNS.get(what, 8)
    sheet = contact_sheet([open_image(p) for p in frame.picture], list(titles), columns=columns)
    sheet.savefig(out / f"{what}.png", dpi=100)
    sheet.savefig(out / f"{what}.jpg", dpi=100, pil_kwargs={"quality": 85})


def measure_painting(out: Path, *, count: int, workers: int, changes: dict) -> dict[str, float]:
    """Paint `count` plain prompts and half as many dressed ones, and ask the judges.

    first, five: share of plain prompts whose thing is named first, and among five, of all concepts.
    style: share of dressed prompts whose style the judge of styles finds among the five that the
    CLIP learned; background: whose colour is the likeliest of all, for the CLIP judge. Each "of
    drawings": the same for the library's drawings through the codes, the ceiling.
    seconds: median for a picture in a process of one thread.
    """
    judge = load_judge("emoji", device="cpu")
    frame = paint(plain(count), out, workers, changes)
    wanted = dressed(count // 2)
    prompts = [f"{style} {thing} on a {colour} background" for thing, style, colour in wanted]
    pictures = paint(prompts, out, workers, changes).picture
    pair, reader = load_pair("emoji", device="cpu"), load_style_judge(device="cpu")
    named = {STYLES[s].words[0]: s for s in TRAINED}
    found: dict[str, list[bool]] = {}
    for (thing, style, colour), prompt, path in zip(wanted, prompts, pictures, strict=True):
        shown = {"": open_image(path), " of drawings": ceiling(pair, prompt)}
        for what, picture in shown.items():
            right = reader.style(picture, TRAINED) == named[style]
            found.setdefault(f"style{what}", []).append(right)
            texts = [f"{style} {thing} on a {c} background" for c in COLOURS]
            place = seen(judge, picture_encoding(judge, picture), texts)
            found.setdefault(f"background{what}", []).append(list(COLOURS)[place] == colour)
    return {
        "first": (frame["rank"] == 1).mean(),
        "five": (frame["rank"] <= 5).mean(),
        "median rank": frame["rank"].median(),
        **{what: float(np.mean(rights)) for what, rights in found.items()},
        "seconds": frame.seconds.median(),
    }


def measure_reading(data: Path) -> dict[str, float]:
    """Held-out names by guide and judge, PSNR (dB) and codes in use on 500 unseen scenes."""
    pair = load_pair("emoji", device="cpu")

    def rebuild(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = pair.vqgan.encode(x)
        return norm_data(pair.vqgan.decode(pair.vqgan.quantize(z))), pair.vqgan.codebook_indices(z)

    figures = zero_shot_accuracy(pair.clip.model, data)
    judged = zero_shot_accuracy(load_judge("emoji", device="cpu").model, data)
    figures |= {f"judge {k}": v for k, v in judged.items()}
    return figures | reconstruction(
        rebuild, Scenes(data), codes=len(pair.vqgan.codebook.weight), count=500
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("read", "paint", *SHEETS))
    parser.add_argument("path", type=Path)
    parser.add_argument("--count", type=int, default=100, help="plain prompts to paint")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="painting processes")
    parser.add_argument("--settings", type=json.loads, default={}, help="changes, as JSON")
    args = parser.parse_args(argv)
    work = dict(workers=args.workers, changes=args.settings)
    if args.what in SHEETS:
        paint_sheet(args.what, args.path, **work)
        return
    if args.what == "read":
        figures = measure_reading(args.path)
    else:
        figures = measure_painting(args.path, count=args.count, **work)
    print(json.dumps({k: round(v, 4) for k, v in figures.items()}))


if __name__ == "__main__":
    main()
